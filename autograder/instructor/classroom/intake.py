"""Find the submissions of a class.

An export of Gradescope (zip or folder, with `submission_metadata.yml`) or of Canvas (zip or folder,
`doejane_12346_98765_work.zip`), a folder of repositories, a folder of zip files. In the last two a
table says who and when: `grades.csv` of GitHub Classroom, or `submissions.csv`. What is in a
submission is looked at when it is taken in (`engine.submission`).
"""

import hashlib
import itertools
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ...assignment import ASSIGNMENT
from ...engine.archive import MAX_CLASS, NoSubmission, open_zip
from ...engine.submission import MAX_WIDTH, Submission, find_problems, take_in
from ...engine.text import line, printable
from .tables import moment, read_table, when

METADATA = "submission_metadata.yml"
SUBMISSION = re.compile(r"submission_\d+")  # a folder of an export
# A file of an export of Canvas: name, number of the student, number of the file, which texts and
# links have not; LATE stands before or behind the student's number.
CANVAS = re.compile(r"(?P<start>(?P<name>[^/]+?)_(?P<late>LATE_)?(?P<number>\d+)_"
                    r"(?P<behind>LATE_)?)(?:(?P<file>\d+_)[^/]+|(?:text|link)\.html)")
TABLES = {"grades.csv": {"folder": "student_repository_name", "number": "roster_identifier",
                         "name": "github_username", "submitted": "submission_timestamp"},
          "submissions.csv": {name: name for name in (
              "folder", "number", "name", "email", "submitted")}}
ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"}
NOTHING = "has handed nothing in"
MAX_ATTEMPTS = 2
MAX_ID = 60  # characters


class NotAClass(ValueError):
    """There are no submissions to be found; the message is one line."""


@dataclass(frozen=True)
class Submitter:
    """Who handed in. `id` is unique in the class and safe as the name of a folder; `number` is the
    student's, as the source has it."""

    id: str
    name: str = ""
    email: str = ""
    number: str = ""


@dataclass(frozen=True)
class Handed:
    """One submission, not looked at yet.

    Args:
        students: one, or the members of a group.
        path: a folder or a zip file.
        prefix: of the members of the zip file that belong to it.
        more: files that belong to it beside `path`.
        submitted: when, in ISO 8601 with a time zone; "" where the source does not say.
        late: whether Canvas calls it late, which does not say when.
        returned: what the name of a file begins with that Canvas takes back for the student.
        remark: what is odd about who handed in, in a sentence; "" for nothing.
    """

    students: tuple[Submitter, ...]
    path: Path
    prefix: str = ""
    more: tuple[Path, ...] = ()
    submitted: str = ""
    late: bool = False
    returned: str = ""
    remark: str = ""

    @property
    def label(self) -> str:
        """For a person to read."""
        return ", ".join(student.name or student.id for student in self.students)

    def take_in(self, root: Path) -> Submission:
        """See `engine.submission.take_in`; what it raises students read, without our folders."""
        if not self.path.exists():
            raise NoSubmission(NOTHING)
        try:
            return take_in(self.path, root, ASSIGNMENT.problems, *self.more, prefix=self.prefix)
        except NoSubmission as error:
            text = str(error).replace(f"{self.path.absolute().parent}/", "")
            if self.returned:  # Canvas puts the number of the file before its name
                text = re.sub(r"(?<![\w/.])\d+_(?=\w)", "", text)
            raise NoSubmission(text) from None


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
        text = (source / METADATA).read_text(encoding="utf-8", errors="replace")
        there = [path.name for path in sorted(source.iterdir()) if path.is_dir()]
        return _exported(text, there, lambda students, key: Handed(students, source / key))
    entries = [path for path in sorted(source.iterdir()) if not path.name.startswith((".", "__"))
               and (path.is_dir() or ARCHIVES & {suffix.lower() for suffix in path.suffixes})]
    # If only some look like exports, they are students' folders, and none stands for the class.
    if entries and all(map(_is_export, entries)):
        if len(entries) > 1:
            raise NotAClass(f"{source} holds {len(entries)} exports of Gradescope: name one")
        return find(entries[0])
    exported = [path for path in sorted(source.iterdir()) if CANVAS.fullmatch(path.name)]
    _refuse_mixed(source, [path.name for path in exported], [path.name for path in entries])
    if exported and {*entries} <= {*exported}:
        return _from_canvas([path.name for path in exported], source, lambda start, names: (
            {"path": source / names[0], "more": tuple(source / name for name in names[1:])}))
    if any(path.name in ASSIGNMENT.problems for path in entries):
        raise NotAClass(f"{source} is one submission: `python -m autograder grade` grades it")
    if entries and all(map(_holds_several, entries)):
        raise NotAClass(f"{entries[0]} holds several submissions: name the folder that has one "
                        "folder or zip file for each student")
    places = {path.name if path.is_dir() else path.stem.removesuffix(".tar"): path
              for path in entries}
    files = {path.name: name for name, path in places.items()}  # a row may name li.zip for li
    known = {files.get(row["folder"], row["folder"]) or row["number"] or row["name"]: row
             for name, columns in TABLES.items() if (source / name).is_file()
             for row in read_table(source / name, columns)}
    if "" in known:
        raise NotAClass(f"a row of the table in {source} has neither folder nor number nor name")
    found = []
    for name in places | known if places else ():  # a row without a folder has handed nothing in
        row = known.get(name, {})
        told = row.get("submitted", "")
        if told and not when(told):
            raise NotAClass(f"{told!r}, when {name} handed in, is no time like 2027-02-05 23:59 or "
                            "2027-02-05T23:59-08:00")
        found.append(Handed((_named(name, row),), places.get(name, source / name),
                            submitted=when(told), remark="has no row in the table of submissions"
                            if known and name not in known else ""))
    return _unique(found, source)


def _named(name: str, row: Mapping[str, str] | None = None) -> Submitter:
    """A student of whom is known the name of a folder or file, and what a row of a table says."""
    made, row = _id(name), row or {}
    return Submitter(made, row.get("name") or ("" if made == name else _clean(name)),
                     row.get("email", ""), row.get("number", ""))


def _from_canvas(names: Iterable[str], source: Path,
                 place: Callable[[str, list[str]], dict[str, Any]]) -> list[Handed]:
    """Submissions of an export of Canvas; the files of one student are one submission.

    Args:
        names: of the files; place: where a student's files lie, as arguments of `Handed`.
    """
    files: dict[str, list[re.Match[str]]] = {}
    for match in filter(None, map(CANVAS.fullmatch, names)):
        files.setdefault(match["start"], []).append(match)
    found = []
    for start, own in files.items():
        # What is no archive, for example a comment, counts only where there is nothing else.
        packed = [m[0] for m in own if ARCHIVES & {s.lower() for s in Path(m[0]).suffixes}]
        name, number = _clean(own[0]["name"]), own[0]["number"]
        student = Submitter(_id(f"{name}_{number}"), name, number=number)
        found.append(Handed((student,), **place(start, packed or [own[0][0]]),
                            late=bool(own[0]["late"] or own[0]["behind"]),
                            returned=start + next(filter(None, (m["file"] for m in own)), "")))
    return _unique(found, source)


def _refuse_mixed(source: Path, named: list[str], names: list[str]) -> None:
    """Name the file that makes a whole export of Canvas look like something else."""
    odd = [name for name in names if name not in named]
    if odd and len(named) > len(odd):
        raise NotAClass(f"{source} looks like an export of Canvas, but {printable(odd[0])} is not "
                        "named like the others (doejane_12346_98765_work.zip): rename it or take "
                        "it out")


def _is_export(path: Path) -> bool:
    if path.is_dir():
        return (path / METADATA).is_file()
    try:
        with open_zip(path, MAX_CLASS) as content:
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


def _metadata_in(content: zipfile.ZipFile) -> str | None:
    """The name of the metadata in a zip file, at its top or in one folder."""
    listed = [name for name in content.namelist()
              if PurePosixPath(name).name == METADATA and name.count("/") <= 1]
    return min(listed, key=len, default=None)


def _from_zip(source: Path) -> list[Handed]:
    try:
        with open_zip(source, MAX_CLASS) as content:
            listed = _metadata_in(content)
            names = content.namelist()
            if listed is None:
                _refuse_mixed(source, list(filter(CANVAS.fullmatch, names)), names)
                if names and all(map(CANVAS.fullmatch, names)):
                    return _from_canvas(names, source, lambda start, _: {
                        "path": source, "prefix": start})
                raise NotAClass(f"{source} is no export of Gradescope or Canvas: "
                                "unpack it and name the folder")
            text = content.read(listed).decode("utf-8", "replace")
    except NotAClass:
        raise
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NotAClass(f"{source} cannot be read as a zip file: {line(error)}. Where your system "
                        "can unpack it, name the folder") from None
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
    told = {key: _clean(str(_field(value, "created_at", ""))) for key, value in listed.items()}
    times = {key: when(text) for key, text in told.items()}
    people = {key: _students(_field(value, "submitters", []), key) for key, value in listed.items()}
    latest = {}  # a student who is in two submissions counts in the later one
    for key in sorted(listed, key=lambda key: (moment(times[key]), key)):
        for student in people[key]:
            latest[student.id] = key
    own = {key: tuple(student for student in students if latest[student.id] == key)
           for key, students in people.items()}
    count = Counter(student.id for students in people.values() for student in students)
    again = {key: [s.id for s in students if count[s.id] > 1] for key, students in own.items()}
    remarks = {key: "; ".join(
        [f"{', '.join(again[key])} handed in several times: the latest, {key}, counts"]
        * bool(again[key])
        + [f"{told[key]!r}, when this was handed in, is no time that can be read"]
        * bool(told[key] and not times[key])) for key in own}
    return _unique([replace(handed(students, key), submitted=times[key], remark=remarks[key])
                    for key, students in own.items() if students], Path(METADATA))


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
                _id(email.casefold() or sid or f"{key} {name}".strip()), name, email, sid)
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
        raise NotAClass(f"there are no submissions in {source}: an export of Gradescope or Canvas, "
                        "a folder of repositories or a folder of zip files is needed")
    known: dict[str, str] = {}
    for student in (student for each in handed for student in each.students):
        other = known.setdefault(student.id.casefold(), student.id)
        if other != student.id or sum(student in each.students for each in handed) > 1:
            raise NotAClass(f"two submissions are of {student.id} (as far as names of folders can "
                            "tell): rename or remove one")
    return sorted(handed, key=lambda each: each.students[0].id)
