"""Find the submissions of a class, and take each of them in.

Three forms: an export of Gradescope (zip or folder, with `submission_metadata.yml`), a folder of
repositories, a folder of zip files. What is in a submission is untrusted: it is unpacked and copied
within bounds, and grading sees regular files alone.
"""

import contextlib
import hashlib
import io
import itertools
import re
import shutil
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...assignment import ASSIGNMENT
from ...engine.files import FULL
from ...engine.messages import printable
from ...engine.submission import (
    MAX_BYTES,
    MAX_ENTRIES,
    MAX_FOLDERS,
    MAX_LEVELS,
    MAX_NAME,
    MAX_PATH,
    MAX_WIDTH,
    SKIPPED,
    NoSubmission,
    Submission,
    find_problems,
    take_in,
    walk,
)

METADATA = "submission_metadata.yml"
SUBMISSION = re.compile(r"submission_\d+")  # a folder of an export
ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"}
MAX_UNPACKED = 2 * MAX_BYTES  # of all zip files of a submission: what two problems may have
MAX_LISTED = 2**22  # bytes in which a zip file lists its members; an export lists those of a class
MAX_CLASS = 2**26
PIECE = 2**20  # bytes that are read of a member at a time
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # others unpack without bound
MAX_ATTEMPTS = 2
MAX_INNER = 4  # zip files in a submission that are unpacked
MAX_LOOKED_AT = 1000  # files and folders among which such zip files are looked for
MAX_ID = 60  # characters


class NotAClass(ValueError):
    """There are no submissions to be found; the message is one line."""


@dataclass
class Room:
    """What the zip files of one submission may still unpack to: files and folders, folders alone,
    and bytes.
    """

    entries: int = field(default_factory=lambda: MAX_ENTRIES)
    folders: int = field(default_factory=lambda: MAX_FOLDERS)
    size: int = field(default_factory=lambda: MAX_UNPACKED)


@dataclass(frozen=True)
class Submitter:
    """Who handed in. `id` is unique in the class and safe as the name of a folder."""

    id: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Handed:
    """One submission, not looked at yet.

    Args:
        students: one, or the members of a group.
        path: a folder or a zip file.
        prefix: of the members of the zip file that belong to it.
    """

    students: tuple[Submitter, ...]
    path: Path
    prefix: str = ""

    @property
    def label(self) -> str:
        """For a person to read."""
        return ", ".join(student.name or student.id for student in self.students)


def find(source: Path) -> list[Handed]:
    """The submissions in `source`, in the order of the students' ids.

    Raises:
        NotAClass: there are none, or `source` is one submission, or holds several classes.
    """
    if source.is_file():
        return _from_zip(source)
    if not source.is_dir():
        raise NotAClass(f"{source} does not exist")
    if (source / METADATA).is_file():
        return _from_folder(source)
    entries = [path for path in sorted(source.iterdir()) if not path.name.startswith((".", "__"))
               and (path.is_dir() or ARCHIVES & {suffix.lower() for suffix in path.suffixes})]
    # If only some look like exports, they are students' folders, and none stands for the class.
    if entries and all(map(_is_export, entries)):
        if len(entries) > 1:
            raise NotAClass(f"{source} holds {len(entries)} exports of Gradescope: name one")
        return find(entries[0])
    if any(path.name in ASSIGNMENT.problems for path in entries):
        raise NotAClass(f"{source} is one submission: `python -m autograder grade` grades it")
    if entries and all(map(_holds_several, entries)):
        raise NotAClass(f"{entries[0]} holds several submissions: name the folder that has one "
                        "folder or zip file for each student")
    return _unique([Handed((_named(path.stem if path.is_file() else path.name),), path)
                    for path in entries], source)


def _named(name: str) -> Submitter:
    """A student of whom no more is known than the name of a folder or file."""
    made = _id(name)
    return Submitter(made, "" if made == name else _clean(name))


def _is_export(path: Path) -> bool:
    if path.is_dir():
        return (path / METADATA).is_file()
    try:
        with _zip(path, MAX_CLASS) as content:
            return _metadata_in(content) is not None
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return False


def _holds_several(path: Path) -> bool:
    """Whether it holds more submissions than one student makes attempts."""
    problems = ASSIGNMENT.problems
    if not path.is_dir() or any((path / name).is_dir() for name in problems):
        return False
    holding = (each for each in itertools.islice(path.iterdir(), MAX_WIDTH)
               if each.is_dir() and find_problems(problems, each))
    return len(list(itertools.islice(holding, MAX_ATTEMPTS + 1))) > MAX_ATTEMPTS


@contextlib.contextmanager
def _zip(path: Path, most: int) -> Iterator[zipfile.ZipFile]:
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


def _metadata_in(content: zipfile.ZipFile) -> str | None:
    """The name of the metadata in a zip file, at its top or in one folder."""
    listed = [name for name in content.namelist()
              if PurePosixPath(name).name == METADATA and name.count("/") <= 1]
    return min(listed, key=len, default=None)


def _from_folder(folder: Path) -> list[Handed]:
    text = (folder / METADATA).read_text(encoding="utf-8", errors="replace")
    there = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
    return _exported(text, there, lambda students, key: Handed(students, folder / key))


def _from_zip(source: Path) -> list[Handed]:
    try:
        with _zip(source, MAX_CLASS) as content:
            listed = _metadata_in(content)
            if listed is None:
                raise NotAClass(f"{source} holds no {METADATA}, so it is no export of Gradescope: "
                                "unpack it and name the folder")
            text = content.read(listed).decode("utf-8", "replace")
            names = content.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NotAClass(f"{source} cannot be read as a zip file: {line(error)}") from None
    top = listed[:-len(METADATA)]
    there = sorted({name[len(top):].split("/")[0] for name in names
                    if name.startswith(top) and "/" in name[len(top):]})
    return _exported(text, there, lambda students, key: Handed(students, source, f"{top}{key}/"))


def _exported(text: str, there: Iterable[str],
              handed: Callable[[tuple[Submitter, ...], str], Handed]) -> list[Handed]:
    """What Gradescope's metadata lists: `submission_ID: {":submitters": [...], ...}`.

    A submission without submitters is listed under its own name.

    Args:
        there: the folders beside the metadata.
    """
    try:
        import yaml
    except ImportError:
        raise NotAClass("reading an export of Gradescope needs PyYAML: "
                        "pip install -r requirements-dev.txt") from None
    try:
        # Everything is read as text: Ruby's tags must not build objects.
        listed = yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader)) or {}
    except yaml.YAMLError as error:
        raise NotAClass(f"{METADATA} cannot be read: {line(error)}") from None
    odd = [key for key, value in listed.items() if not (
        isinstance(key, str) and re.fullmatch(r"[\w-]+", key) and isinstance(value, dict))
    ] if isinstance(listed, dict) else [listed]
    if odd:
        raise NotAClass(f"{METADATA} cannot be read: {_clean(str(odd[0]))[:60]} is no submission")
    listed |= {name: {} for name in there if SUBMISSION.fullmatch(name) and name not in listed}
    times = {key: str(_field(value, "created_at", "")) for key, value in listed.items()}
    people = {key: _students(_field(value, "submitters", []), key) for key, value in listed.items()}
    latest = {}  # a student who is in two submissions counts in the later one
    for key in sorted(listed, key=lambda key: (times[key], key)):
        for student in people[key]:
            latest[student.id] = key
    own = {key: tuple(student for student in students if latest[student.id] == key)
           for key, students in people.items()}
    return _unique([handed(students, key) for key, students in own.items() if students],
                   Path(METADATA))


def _field(entry: Mapping[str, Any], name: str, default: Any) -> Any:
    """A value by its name, which Ruby writes as `:name`."""
    return entry.get(f":{name}", entry.get(name, default))


def _students(submitters: Any, key: str) -> tuple[Submitter, ...]:
    """Who handed in `key`, each once; whoever has neither e-mail nor number is known by `key`."""
    found: dict[str, Submitter] = {}
    for who in submitters if isinstance(submitters, list) else []:
        if isinstance(who, dict):
            name, email, sid = (_clean(str(_field(who, field, "")))
                                for field in ("name", "email", "sid"))
            student = Submitter(
                _id(email.casefold() or sid or f"{key} {name}".strip()), name, email)
            found.setdefault(student.id, student)
    return tuple(found.values()) or (_named(key),)


def _clean(text: str) -> str:
    """One line without control characters."""
    return " ".join(printable(text).split())


def _id(text: str) -> str:
    """A name for a folder: letters, digits and `._-@`; a digest follows where anything is lost."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(c if c.isalnum() or c in "._-@" else "_" for c in text).lstrip("._-@")[:MAX_ID]
    kept = kept.rstrip(".") or "student"
    if kept == text:
        return kept
    return f"{kept}-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"


def _unique(handed: list[Handed], source: Path) -> list[Handed]:
    if not handed:
        raise NotAClass(f"there are no submissions in {source}: an export of Gradescope, a folder "
                        "of repositories or a folder of zip files is needed")
    known: dict[str, str] = {}
    for student in (student for each in handed for student in each.students):
        other = known.setdefault(student.id.casefold(), student.id)
        if other != student.id or sum(student in each.students for each in handed) > 1:
            raise NotAClass(f"two submissions are of {student.id} (as far as names of folders can "
                            "tell): rename or remove one")
    return sorted(handed, key=lambda each: each.students[0].id)


def take(handed: Handed, folder: Path) -> Submission:
    """Unpack and copy a submission into a private folder, which exists.

    Where a problem is missing, zip files in the submission are unpacked as well.

    Raises:
        NoSubmission: one line that says what is wrong.
    """
    room = Room()
    source, root, inner = opened(handed, folder, room), folder / "taken", folder / "inner"
    root.mkdir()
    inner.mkdir()
    broken = ""
    if len(find_problems(ASSIGNMENT.problems, source)) < len(ASSIGNMENT.problems):
        zips = [path for path in _files(source) if path.suffix.lower() == ".zip"]
        for index, path in enumerate(zips[:MAX_INNER]):
            try:  # problem1.zip may hold the files of problem1/ without the folder
                (inner / str(index)).mkdir()
                unpack(path, inner / str(index) / _id(path.stem), room)
            except NoSubmission as error:
                broken = str(error)
    try:
        return take_in(source, root, ASSIGNMENT.problems, inner)
    except NoSubmission:
        if broken:
            raise NoSubmission(broken) from None
        names = [printable(path.relative_to(source).as_posix()) for path in _files(source)]
        shown = ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
        found = f"found: {shown[:200]}" if names else "it is empty"
        raise NoSubmission(f"neither problem1/ nor problem2/ was handed in; {found}") from None


def opened(handed: Handed, folder: Path, room: Room | None = None) -> Path:
    """The folder of what was handed in, unpacked into `folder` where it is a zip file.

    Raises:
        NoSubmission: it is missing, or cannot be unpacked.
    """
    if not handed.path.exists():
        raise NoSubmission("nothing was handed in: its folder is missing")
    if handed.path.is_dir():
        return handed.path
    if handed.path.suffix.lower() != ".zip":
        raise NoSubmission(f"{_clean(handed.path.name)} is neither a folder nor a zip file")
    return unpack(handed.path, folder / "unpacked", room, handed.prefix)


def _files(folder: Path) -> list[Path]:
    """The first regular files below a folder; links are not followed."""
    return [path for path, status in walk(folder, most=MAX_LOOKED_AT) if status is not None]


def unpack(path: Path, to: Path, room: Room | None = None, prefix: str = "") -> Path:
    """Unpack regular files of a zip file within bounds; names that lead out of it stay behind.

    Args:
        room: what may be unpacked; what is unpacked is taken off. By default that of a submission.

    Raises:
        NoSubmission: it is broken, encrypted, or larger than any submission.
    """
    room = room or Room()
    to.mkdir()
    try:
        with _zip(path, MAX_CLASS if prefix else MAX_LISTED) as content:
            for member, parts in _wanted(content.infolist(), prefix, room):
                target = to.joinpath(*parts)
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    file = target.open("xb")
                except (FileExistsError, NotADirectoryError):  # two members of one name
                    continue
                with file, content.open(member) as stream:
                    shutil.copyfileobj(stream, file, PIECE)
    except NoSubmission:
        raise
    except Exception as error:  # a damaged zip file raises whatever its decompressor does
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # the disk is full, which is not the submission's fault
        raise NoSubmission(f"the zip file cannot be unpacked: {line(error)}") from None
    return to


def _wanted(members: Iterable[zipfile.ZipInfo], prefix: str,
            room: Room) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The members to unpack, with the parts of their paths.

    Raises:
        NoSubmission: there is no room for them, and for the folders that their names imply.
    """
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
    them, for links, for names that lead elsewhere, and for what is skipped.
    """
    kind = stat.S_IFMT(member.external_attr >> 16)
    name = member.filename
    parts = tuple(name[len(prefix):].replace("\\", "/").split("/"))
    fits = (len(parts) <= MAX_LEVELS and len(name[len(prefix):].encode()) <= MAX_PATH
            and all(len(part.encode()) <= MAX_NAME for part in parts))
    if (not fits or not name.startswith(prefix) or member.is_dir() or kind not in (0, stat.S_IFREG)
            or {"", ".", "..", *SKIPPED} & set(parts) or parts[0].endswith(":")):
        return None
    return parts


def line(error: BaseException) -> str:
    """An error as one line that can be printed."""
    text = " ".join(str(error)[:1000].split()) or type(error).__name__
    return printable(text)[:200]


def fingerprint(root: Path) -> str:
    """sha256 of the names and contents of all files that were taken in."""
    total = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix().encode("utf-8", "surrogateescape")
        total.update(b"%d %d " % (len(name), path.stat().st_size) + name)
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()
