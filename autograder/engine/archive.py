"""Unpack what was handed in as a zip or tar file, within bounds, and pack files into a zip file."""

import contextlib
import gzip
import io
import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from .files import FULL
from .text import line, printable

# Bounds of what is handed in, as a folder or as a zip file.
MAX_ENTRIES = 20_000  # files and folders; a data set may lie beside the work
MAX_FOLDERS = 2000  # of them; on some disks it takes milliseconds to remove one
MAX_LEVELS = 16  # of folders
MAX_NAME, MAX_PATH = 255, 1000  # bytes of a name, and of a path below the top
MAX_BYTES = 500 * 2**20  # of one problem's folder; honest work has 20 MB of weights
MAX_UNPACKED = 2 * MAX_BYTES  # of all zip files of a submission: what two problems may have
MAX_LISTED = 2**22  # bytes of the list of members in a zip file
MAX_CLASS = 2**26  # the same in an export, which holds the work of a class
PIECE = 2**20  # bytes that are read of a member at a time
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
TARS = (".tar", ".tar.gz", ".tgz")
MAX_HEADER = 2**20  # bytes that a tar file says of a member beside its header
PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
ABOUT = (*PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # others unpack without bound
# Names of files and folders that are nobody's work: systems and editors leave them beside it.
SKIPPED = re.compile(r"\..*|#.*#|.*~|flycheck_.*|venv|__pycache__|__MACOSX|node_modules", re.DOTALL)


class NoSubmission(ValueError):
    """There is nothing to grade; the message is one line for the person at the terminal."""


@dataclass
class Room:
    """What the zip files of one submission may still unpack to: files and folders, folders alone,
    and bytes."""

    entries: int = field(default_factory=lambda: MAX_ENTRIES)
    folders: int = field(default_factory=lambda: MAX_FOLDERS)
    size: int = field(default_factory=lambda: MAX_UNPACKED)


@contextlib.contextmanager
def open_zip(path: Path, most: int) -> Iterator[zipfile.ZipFile]:
    """A zip file that lists its members in at most so many bytes.

    Raises:
        OSError: it needs more, or cannot be read.
        BadZipFile, NotImplementedError, ValueError: it is no zip file that can be read.
    """
    class File(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            # Members are read in pieces of a megabyte; what is read at once is the list.
            if size is not None and size > most:
                raise OSError(f"it lists its files in more than {most // 2**20} MiB")
            return super().read(size)

    with File(path) as file, zipfile.ZipFile(file) as content:
        yield content


def opened(path: Path, to: Path, room: Room | None = None, prefix: str = "") -> Path:
    """The folder at `path`, or what is unpacked of the zip file there: see `unpack`."""
    if path.is_dir():
        return path
    if not path.exists():
        raise NoSubmission(f"{printable(str(path))} does not exist")
    if not is_packed(path):
        raise NoSubmission(f"{printable(str(path))} is neither a folder nor a zip or tar.gz file: "
                           "`make zip` makes one")
    return unpack(path, to, room, prefix)


def is_packed(path: Path) -> bool:
    """Whether its name is that of a file that `unpack` takes."""
    return path.name.lower().endswith((".zip", *TARS))


def unpack(path: Path, to: Path, room: Room | None = None, prefix: str = "") -> Path:
    """Unpack regular files of a zip or tar file within bounds; names that lead out stay behind.

    Args:
        room: what may be unpacked; what is unpacked is taken off. By default that of a submission.
        prefix: of the members to unpack, where it is the zip file of a class.

    Raises:
        NoSubmission: it is broken, encrypted, or larger than any submission.
    """
    room = room or Room()
    to.mkdir(parents=True)
    if path.name.lower().endswith(TARS):
        path = _as_zip(path, to.with_name(to.name + ".zip"), room)
    with _told("zip"), open_zip(path, MAX_CLASS if prefix else MAX_LISTED) as content:
        for member, parts in _wanted(content.infolist(), prefix, room):
            target = to.joinpath(*parts)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                file = target.open("xb")
            except (FileExistsError, NotADirectoryError):  # two members of one name
                continue
            with file, content.open(member) as stream:
                shutil.copyfileobj(stream, file, PIECE)
    return to


@contextlib.contextmanager
def _told(kind: str) -> Iterator[None]:
    """`NoSubmission` where a file is damaged: it raises whatever its decompressor does."""
    try:
        yield
    except NoSubmission:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # the disk is full, which is not the submission's fault
        raise NoSubmission(f"the {kind} file cannot be unpacked: {line(error)}") from None


def _as_zip(path: Path, to: Path, room: Room) -> Path:
    """The regular files of a tar file as a zip file, which is unpacked like any other, or
    `NoSubmission` where it is broken or larger than any submission.

    It is read from the front to the end, once, and whatever a header says: `tarfile` goes back
    where a size is negative, and gathers without bound what headers say of sparse files.
    """
    left = room.size  # bytes to read
    told: dict[bytes, bytes] = {}  # path and size of the next member
    sparse = False  # whether it is so

    def pieces(size: int) -> Iterator[bytes]:
        """So many bytes, and what fills their last block."""
        nonlocal left
        left -= size + tarfile.BLOCKSIZE
        if size < 0 or left < 0:
            raise NoSubmission("the tar file holds a file of a negative size" if size < 0 else
                               f"the tar file holds more than {MAX_UNPACKED // 2**20} MiB")
        for start in range(0, size, PIECE):
            piece = stream.read(min(PIECE, size - start))
            if len(piece) < min(PIECE, size - start):
                raise EOFError("it ends too early")
            yield piece
        stream.read(-size % tarfile.BLOCKSIZE)

    packed = path.name.lower().endswith("gz")
    with (_told("tar"), cast(IO[bytes], gzip.open(path) if packed else path.open("rb")) as stream,
          zipfile.ZipFile(to, "w") as made):
        for _ in range(4 * MAX_ENTRIES):
            block = stream.read(tarfile.BLOCKSIZE)
            if not block.strip(b"\0"):  # the end
                return to
            # What is no text in a name is replaced: a zip file cannot hold it.
            member = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
            if member.type in ABOUT:
                if member.size > MAX_HEADER:
                    raise OSError(f"a header of {member.size:,} bytes")
                about = b"".join(pieces(member.size))
                if member.type == tarfile.GNUTYPE_LONGNAME:
                    told[b"path"] = about.partition(b"\0")[0]
                for record in about.split(b"\n") if member.type in PAX else ():
                    key, _, value = record.partition(b" ")[2].partition(b"=")  # "12 path=x"
                    sparse |= key.startswith(b"GNU.sparse.")
                    if key in (b"path", b"size"):
                        told[key] = value
                continue
            if sparse or member.type == tarfile.GNUTYPE_SPARSE:
                raise NoSubmission("the tar file holds a sparse file: make it once more, "
                                   "with `make zip`")
            name = told.get(b"path", b"").decode("utf-8", "replace") or member.name
            size = int(told.get(b"size", member.size))
            told.clear()
            if member.isreg():
                with made.open(name.removeprefix("./"), "w", force_zip64=True) as entry:
                    for piece in pieces(size):
                        entry.write(piece)
            elif member.type not in tarfile.SUPPORTED_TYPES:  # links and folders have no content
                for _piece in pieces(size):
                    pass
        raise NoSubmission("the tar file holds too many files")


def _wanted(members: Iterable[zipfile.ZipInfo], prefix: str,
            room: Room) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The members to unpack, with the parts of their paths, or `NoSubmission` where there is no
    room for them and for the folders that their names imply."""
    wanted, folders, size = [], set(), 0
    for member in members:
        parts = _inside(member, prefix)
        if parts is None:
            continue
        wanted.append((member, parts))
        folders |= {parts[:level] for level in range(1, len(parts))}
        size += member.file_size  # zipfile reads no more, whatever the member unpacks to
        if len(wanted) + len(folders) > room.entries:
            raise NoSubmission(f"the zip file holds more than {MAX_ENTRIES:,} files and folders")
        if len(folders) > room.folders:
            raise NoSubmission(f"the zip file holds more than {MAX_FOLDERS:,} folders")
        if size > room.size:
            raise NoSubmission(f"the zip file holds more than {MAX_UNPACKED // 2**20} MiB")
        if member.compress_type not in METHODS:
            raise NoSubmission("the zip file is compressed in an unusual way: make it once more, "
                               "with the usual method (deflate)")
    room.entries -= len(wanted) + len(folders)
    room.folders -= len(folders)
    room.size -= size
    return wanted


def _inside(member: zipfile.ZipInfo, prefix: str) -> tuple[str, ...] | None:
    """Where a member goes, as parts of a path; None for folders, which are made where files need
    them, for links, for names that lead elsewhere, and for what is skipped."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    name = member.filename
    parts = tuple(name[len(prefix):].replace("\\", "/").split("/"))
    fits = (len(parts) <= MAX_LEVELS and len(name[len(prefix):].encode()) <= MAX_PATH
            and all(len(part.encode()) <= MAX_NAME for part in parts))
    if (not fits or not name.startswith(prefix) or member.is_dir() or kind not in (0, stat.S_IFREG)
            or not all(parts) or any(map(SKIPPED.fullmatch, parts)) or parts[0].endswith(":")):
        return None
    return parts


def pack(files: Mapping[str, bytes], executable: Collection[str] = (), level: int = 9) -> bytes:
    """`name -> content` as a zip file, sorted by name, without a trace of clock, user, umask or the
    line ends of Windows: the same files give the same bytes. Names in `executable` get mode 0755,
    others 0644."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as content:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever this runs: only then do modes count
            mode = 0o755 if name in executable else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            content.writestr(entry, _unix(files[name]))
    return stream.getvalue()


def _unix(content: bytes) -> bytes:
    """Text with the line ends of Unix, without which no script starts there; all else as it is."""
    if b"\r\n" in content and b"\0" not in content:
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode().replace("\r\n", "\n").encode()
    return content


def pack_folder(root: Path) -> bytes:
    """A submission that was taken in, as a zip file."""
    names = {path: path.relative_to(root).as_posix().encode("utf-8", "surrogateescape")
             for path in root.rglob("*") if path.is_file()}
    return pack({name.decode("utf-8", "replace"): path.read_bytes()
                 for path, name in names.items()}, level=1)
