"""Find the submissions of a class, and take each of them in.

Three forms: an export of Gradescope (zip or folder, with `submission_metadata.yml`), a folder of
repositories, a folder of zip files. What is in a submission is untrusted: it is unpacked and copied
within bounds, and grading sees regular files alone.
"""

import hashlib
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..messages import printable
from ..submission import MAX_BYTES, SKIPPED, NoSubmission, Submission, take_in

METADATA = "submission_metadata.yml"
MAX_UNPACKED = 2 * MAX_BYTES  # of a zip file: what two problems may have
MAX_MEMBERS = 20_000
MAX_DEPTH = 16  # folders in a zip file; `take_in` looks less deep
MAX_ID = 60  # characters


class NotAClass(ValueError):
    """There are no submissions to be found; the message is one line."""


@dataclass(frozen=True)
class Student:
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

    students: tuple[Student, ...]
    path: Path
    prefix: str = ""

    @property
    def label(self) -> str:
        """For a person to read."""
        return ", ".join(student.name or student.id for student in self.students)


def find(source: Path) -> list[Handed]:
    """The submissions in `source`, in the order of the students' ids.

    Raises:
        NotAClass: there are none, or `source` is one submission.
    """
    if source.is_file():
        return _from_zip(source)
    if not source.is_dir():
        raise NotAClass(f"{source} does not exist")
    exports = [path for path in (source / METADATA, *sorted(source.glob(f"*/{METADATA}")))
               if path.is_file()]
    if exports:
        folder = exports[0].parent
        return _exported(exports[0].read_text(encoding="utf-8", errors="replace"),
                         lambda students, key: Handed(students, folder / key))
    entries = [path for path in sorted(source.iterdir()) if not path.name.startswith((".", "__"))]
    if any(path.name in ("problem1", "problem2") for path in entries):
        raise NotAClass(f"{source} is one submission: `python -m autograder grade` grades it")
    handed = []
    for path in entries:
        if path.is_dir():
            handed.append(Handed((Student(_id(path.name)),), path))
        elif path.suffix.lower() == ".zip":
            handed.append(Handed((Student(_id(path.stem)),), path))
    return _unique(handed, source)


def _from_zip(source: Path) -> list[Handed]:
    try:
        with zipfile.ZipFile(source) as content:
            names = content.namelist()
            listed = [name for name in names if PurePosixPath(name).name == METADATA]
            if not listed:
                raise NotAClass(f"{source} holds no {METADATA}, so it is no export of Gradescope: "
                                "unpack it and name the folder")
            listed = min(listed, key=len)
            text = content.read(listed).decode("utf-8", "replace")
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise NotAClass(f"{source} cannot be read as a zip file: {line(error)}") from None
    top = listed[:-len(METADATA)]
    return _exported(text, lambda students, key: Handed(students, source, f"{top}{key}/"))


def _exported(text: str, handed: Callable[[tuple[Student, ...], str], Handed]) -> list[Handed]:
    """What Gradescope's metadata lists: `submission_ID: {":submitters": [...], ...}`."""
    try:
        import yaml
    except ImportError:
        raise NotAClass("reading an export of Gradescope needs PyYAML: "
                        "pip install -r requirements-dev.txt") from None
    try:
        # Texts alone, whatever Ruby's tags say: nothing is built from them.
        listed = yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        odd = [key for key in listed if not re.fullmatch(r"[\w-]+", key)]
        if odd:
            raise KeyError(odd[0])
        times = {key: str(_field(value, "created_at")) for key, value in listed.items()}
        people = {key: [_student(who) for who in _field(value, "submitters")]
                  for key, value in listed.items()}
    except (yaml.YAMLError, TypeError, AttributeError, KeyError) as error:
        raise NotAClass(f"{METADATA} cannot be read: {line(error)}") from None
    latest = {}  # a student who is in two submissions counts in the later one
    for key in sorted(listed, key=lambda key: (times[key], key)):
        for student in people[key]:
            latest[student.id] = key
    own = {key: tuple(s for s in dict.fromkeys(students) if latest[s.id] == key)
           for key, students in people.items()}
    return _unique([handed(students, key) for key, students in own.items() if students],
                   Path(METADATA))


def _field(entry: Mapping[str, Any], name: str) -> Any:
    """A value by its name, which Ruby writes as `:name`."""
    return entry[f":{name}"] if f":{name}" in entry else entry[name]


def _student(who: Mapping[str, Any]) -> Student:
    texts = {key.lstrip(":"): str(value).strip() for key, value in who.items()}
    name, email = texts.get("name", ""), texts.get("email", "")
    return Student(_id(email or texts.get("sid", "") or name), name, email)


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
    """Unpack and copy a submission into an existing folder of one's own.

    A zip file that lies alone in a submission is unpacked as well.

    Raises:
        NoSubmission: one line that says what is wrong.
    """
    source, root = handed.path, folder / "taken"
    root.mkdir()
    if not source.exists():
        raise NoSubmission("nothing was handed in: its folder is missing")
    if source.is_file():
        source = unpack(source, folder / "unpacked", handed.prefix)
    try:
        return take_in(source, root)
    except NoSubmission:
        inner = [path for path in _files(source) if path.suffix.lower() == ".zip"]
        if len(inner) == 1:
            source = unpack(inner[0], folder / "inner")
        try:
            return take_in(source, root)
        except NoSubmission:
            names = [printable(path.relative_to(source).as_posix()) for path in _files(source)]
            shown = ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
            found = f"found: {shown[:200]}" if names else "it is empty"
            raise NoSubmission(f"neither problem1/ nor problem2/ was handed in; {found}") from None


def _files(folder: Path, limit: int = 1000) -> list[Path]:
    """The first regular files below a folder; links are not followed."""
    found = []
    for directory, subdirectories, files in os.walk(folder):
        subdirectories[:] = sorted(name for name in subdirectories if name not in SKIPPED)
        found += [path for name in sorted(files)
                  if stat.S_ISREG((path := Path(directory, name)).lstat().st_mode)]
        if len(found) >= limit:
            break
    return found[:limit]


def unpack(path: Path, to: Path, prefix: str = "") -> Path:
    """Unpack regular files of a zip file within bounds; names that lead out of it stay behind.

    Raises:
        NoSubmission: it is broken, encrypted, or larger than any submission.
    """
    to.mkdir()
    size = 0
    try:
        with zipfile.ZipFile(path) as content:
            members = [member for member in content.infolist()
                       if member.filename.startswith(prefix) and not member.is_dir()]
            if len(members) > MAX_MEMBERS:
                raise NoSubmission(f"the zip file holds more than {MAX_MEMBERS:,} files")
            for member in members:
                target = _inside(member, prefix, to)
                if target is None:
                    continue
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    file = target.open("xb")
                except OSError:  # a name that is too long, taken, or that of a folder
                    continue
                with file, content.open(member) as stream:
                    while chunk := stream.read(1 << 20):
                        size += len(chunk)
                        if size > MAX_UNPACKED:
                            raise NoSubmission("the zip file holds more than "
                                               f"{MAX_UNPACKED // 2**20} MiB")
                        file.write(chunk)
    except NoSubmission:
        raise
    except Exception as error:  # a damaged zip file raises whatever its decompressor does
        raise NoSubmission(f"the zip file cannot be unpacked: {line(error)}") from None
    return to


def _inside(member: zipfile.ZipInfo, prefix: str, to: Path) -> Path | None:
    """Where a member goes; None for links, for names that lead elsewhere, and for what is skipped.
    """
    kind = stat.S_IFMT(member.external_attr >> 16)
    parts = member.filename[len(prefix):].replace("\\", "/").split("/")
    if (kind not in (0, stat.S_IFREG) or len(parts) > MAX_DEPTH or "" in parts or "." in parts
            or ".." in parts or SKIPPED & set(parts) or parts[0].endswith(":")):
        return None
    return to.joinpath(*parts)


def line(error: BaseException) -> str:
    """An error as one line that can be printed."""
    text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    return printable(text)[:200]


def fingerprint(root: Path) -> str:
    """sha256 of all that was taken in: names and contents."""
    total = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix().encode("utf-8", "surrogateescape")
        total.update(b"%d %d " % (len(name), path.stat().st_size) + name)
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()
