"""Take in a submission: find its problems and copy what grading needs, regular files only.

All that comes from a student is read by `walk`, or unpacked within the same bounds: so nothing gets
in that this kit, or the system below it, cannot walk, copy or remove.
"""

import contextlib
import difflib
import hashlib
import heapq
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import archive
from .archive import NoSubmission, Room
from .check import MAX_READ
from .files import is_results, usual
from .text import printable

MAX_WIDTH = 200  # folders of one level in which the problems are looked for
# Bounds of one problem's folder, beside MAX_BYTES. Honest work has two dozen files.
MAX_FILES = 2000  # files and folders of results/, of which a check gets those that it asks for
# Of the rest, code and what it reads: every check works on a copy, and a file takes .2 ms or more.
MAX_COPIED, MAX_COPIED_BYTES = 100, 20 * 2**20  # files and folders; bytes
MAX_SUBFOLDERS = 200  # folders
MAX_DEPTH = 8
MAX_NOTES = 20
MAX_INNER = 8  # zip files in a submission that are unpacked
MAX_LOOKED_AT = 1000  # files and folders among which such zip files are looked for
# A report and its pictures may lie beside the problems; bytes of all of them.
BESIDE = {".md", ".png", ".jpg", ".jpeg"}
MAX_BESIDE = 50 * 2**20


@dataclass(frozen=True)
class Submission:
    """A private snapshot of a submission.

    Args:
        root: folder of the snapshot, with `problem1/` and `problem2/` where they were found.
        notes: one sentence for everything that was left behind.
        imports: file -> the submission's own files that it imports, as far as they are known.
        lines: file -> the lines at which its functions begin, by their names.
        broken: file -> a sentence that says why it does not compile.
    """

    root: Path
    notes: tuple[str, ...]
    imports: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lines: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)

    def place(self, problem: str, function: str) -> str:
        """Where a function begins: `problem1/utils.py, line 31` of "utils.compute_iou", also if its
        file imports it, or "". Of a method that a class inherits it is the line of the class."""
        module, _, name = function.partition(".")
        first = f"{problem}/{module}.py"
        return next((f"{file}, line {self.lines[file][one]}"
                     for one in (name, name.partition(".")[0])
                     for file in (first, *sorted(self.reached(first) - {first}))
                     if one in self.lines.get(file, {})), "")

    def reached(self, file: str) -> set[str]:
        """The submission's own files that importing a file imports, itself among them."""
        found: set[str] = set()
        waiting = [file]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.imports.get(name, ())
        return found

    def handed(self, names: Sequence[str]) -> dict[str, bytes]:
        """The content of those of these files that are there; of one that is larger than `MAX_READ`
        a byte more than that, which shows it."""
        found = {}
        for name in names:
            with contextlib.suppress(OSError), (self.root / name).open("rb") as file:
                found[name] = file.read(MAX_READ + 1)
        return found

    def digest(self, files: str = "*.py") -> str:
        """Hex digits that identify its Python files, or those of another pattern."""
        digest = hashlib.sha256()
        for path in sorted(path for path in self.root.rglob(files) if path.is_file()):
            digest.update(f"{path.relative_to(self.root)}/{path.stat().st_size}/".encode(
                errors="surrogateescape"))
            with path.open("rb") as stream:
                while piece := stream.read(archive.PIECE):
                    digest.update(piece)
        return digest.hexdigest()


def find_problems(problems: Sequence[str], *sources: Path) -> dict[str, list[Path]]:
    """The folders of the problems in a submission: found by name, as a source itself or below one.

    The first folder of each problem is the one to grade: the one nearest to the top that has code
    in it. Others at the same depth follow. A folder without code counts only if there is no other.
    """
    found: dict[str, list[Path]] = {}
    empty: dict[str, list[Path]] = {}
    level = [list(sources)]  # folders that lie in one
    for _ in range(archive.MAX_LEVELS + 1):
        here, below = [], []
        for folders in level:
            inside: dict[str, list[Path]] = {}
            for entry in folders:
                name = _plain(entry.name)
                if name in problems and _has_code(entry):
                    # the one that has the very name first
                    inside.setdefault(name, []).insert(
                        0 if entry.name == name else MAX_WIDTH, entry)
                else:
                    if name in problems:
                        empty.setdefault(name, []).append(entry)
                    below.append(entry)
            here.append(inside)
        # A folder that holds all problems comes first, so that two attempts are not mixed.
        here.sort(key=lambda inside: -len(inside))
        new = [name for name in problems if name not in found]
        for inside in here:
            for name in inside.keys() & new:
                found.setdefault(name, []).extend(inside[name])
        if len(found) == len(problems):
            break
        level = [_subfolders(folder) for folder in below[:MAX_WIDTH]]
    return {name: found.get(name) or empty[name] for name in problems
            if name in found or name in empty}


def _plain(name: str) -> str:
    """The name of a folder without what systems and people put into it: `problem1`."""
    return re.sub("[ _-]", "", usual(name))


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [Path(entry) for entry in _inside(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _inside(folder: Path) -> list["os.DirEntry[str]"]:
    """What is in a folder without `SKIPPED`, by name; of more than `MAX_ENTRIES` the first."""
    with os.scandir(folder) as entries:
        kept = (entry for entry in entries if not archive.SKIPPED.fullmatch(entry.name))
        return heapq.nsmallest(archive.MAX_ENTRIES, kept, key=lambda entry: entry.name)


def walk(top: Path, left_out: Callable[[Path, str], None] = lambda path, why: None,
         most: int = archive.MAX_ENTRIES, folders: int = archive.MAX_FOLDERS,
         levels: int = archive.MAX_LEVELS) -> Iterator[tuple[Path, os.stat_result | None]]:
    """Yield the folders (with None) and regular files (with their `lstat`) below a folder.

    A folder comes before what is in it, and all of a level before the next one. Links and devices
    stay behind, and what lies beyond the bounds.

    Args:
        left_out: called with what stays behind, and why; not for `SKIPPED`.
        most: files and folders that are looked at.
        folders, levels: folders that are yielded, and how deep they lie.
    """
    waiting, count = [top], 0
    for folder in waiting:
        inside = folder.relative_to(top)
        try:
            found = _inside(folder)
        except OSError:
            left_out(folder, ": cannot be read")
            continue
        for entry in found:
            path, why = Path(entry), ""
            count += 1
            if count > most:
                left_out(path, f" and what follows: beyond {most:,} files and folders")
                return
            try:
                if entry.is_symlink():
                    why = ": a link"
                elif len(os.fsencode(inside / entry.name)) > archive.MAX_PATH:
                    why = f": a path of more than {archive.MAX_PATH} bytes"
                elif entry.is_file():
                    yield path, entry.stat()
                elif not entry.is_dir():
                    why = ": not a regular file"
                elif len(inside.parts) + 1 >= levels:
                    why = f": deeper than {levels} folders"
                elif len(waiting) > folders:
                    why = f": beyond {folders} folders"
                else:
                    waiting.append(path)
                    yield path, None
            except OSError:
                why = ": cannot be read"
            if why:
                left_out(path, why)


def _has_code(folder: Path) -> bool:
    try:
        return any(entry.suffix == ".py" for entry in folder.iterdir())
    except OSError:
        return False


def take_in(source: Path, root: Path, problems: Sequence[str], *more: Path,
            prefix: str = "") -> Submission:
    """Copy the problems of what was handed in into the existing folder `root`.

    Symlinks, devices, FIFOs and everything beyond the bounds stay behind, with a note. Where a
    problem is missing, zip files in what was handed in are unpacked as well.

    Args:
        source: a folder, that of one problem, or a zip file.
        problems: names of the problems' folders.
        more: the same submission goes on in these.
        prefix: of the members of a zip file that belong to the submission.

    Raises:
        NoSubmission: it is missing, cannot be unpacked, or holds no problem.
    """
    with tempfile.TemporaryDirectory(prefix="unpacked-") as temporary:
        room, inner, broken, count = Room(), Path(temporary) / "inner", [], 0

        def place(index: int, path: Path) -> Path:
            """`problem1.zip` may hold the files of problem1/ without the folder."""
            plain = _plain(path.stem.removesuffix(".tar"))
            return Path(str(index)) / (plain if plain in problems else "all")

        folders = [archive.opened(path.absolute(), Path(temporary) / place(index, path), room,
                                  prefix) for index, path in enumerate((source, *more))]
        inner.mkdir()
        looked_at = folders  # then what was packed in them, and so on
        while looked_at and len(find_problems(problems, *folders, inner)) < len(problems):
            zips = [path for path in _files(*looked_at) if archive.is_packed(path)]
            looked_at = []
            for path in zips[:MAX_INNER - count]:
                try:
                    looked_at.append(archive.unpack(path, inner / place(count, path), room))
                except NoSubmission as error:
                    broken.append(f"{_label(path, *folders, inner)}: {error}")
                count += 1
        found = find_problems(problems, *folders, inner)
        if not found:
            raise NoSubmission("; ".join(broken) or _nothing(problems, *folders))
        notes = [f"{name}/ is missing{_near(name, problems, *folders)}"
                 for name in problems if name not in found] + broken
        for name, (folder, *others) in found.items():
            if others:
                notes.append(f"{name}/ was handed in {1 + len(others)} times, and what is graded "
                             f"is {_label(folder, *folders, inner)}")
            notes += _copy(folder, root / name)
        notes += _copy_beside([folder for folder, *_ in found.values()], [*folders, inner], root)
    if len(notes) > MAX_NOTES:
        notes[MAX_NOTES:] = [f"and {len(notes) - MAX_NOTES} more that were left out"]
    return Submission(root, tuple(notes))


def _nothing(problems: Sequence[str], *folders: Path) -> str:
    """What is said where there is no problem."""
    names = [_label(path, *folders) for path in _files(*folders)]
    shown = ", ".join(names[:4]) + " ..." * (len(names) > 4)
    return (f"there is {' and '.join(f'no {name}/' for name in problems)} in it"
            + (f", but {shown[:200]}" if names else ": it is empty"))


def _near(name: str, problems: Sequence[str], *folders: Path) -> str:
    """A question about a folder whose name comes near that of a problem, if there is one."""
    names = {_plain(path.name): path.name for folder in folders for path in _subfolders(folder)}
    near = difflib.get_close_matches(name, names.keys() - {*problems}, 1)
    return f": is {printable(names[near[0]])}/ meant?" if near else ""


def _files(*folders: Path) -> list[Path]:
    """The first regular files below folders; links are not followed."""
    return [path for folder in folders for path, status in walk(folder, most=MAX_LOOKED_AT)
            if status is not None]


def _label(path: Path, *roots: Path) -> str:
    """A path inside one of the roots, to be printed."""
    root = next(root for root in roots if path.is_relative_to(root))
    return printable(path.relative_to(root).as_posix()[:200]).replace("\n", "?")


def _copy(folder: Path, to: Path) -> list[str]:
    """Copy one problem's folder within the bounds, and say what stays behind.

    A file whose name a system has changed is there under its usual name as well.

    The bounds hold for each problem, so that what is wrong in one leaves the other alone.
    """
    notes = []
    counts, sizes = {True: 0, False: 0}, {True: 0, False: 0}  # of results, and of all else

    def leave_out(path: Path, why: str) -> None:
        name = f"{to.name}/{_label(path, folder)}".removesuffix("/.")
        notes.append(f"{name}{why}, left out")

    def place(found: tuple[Path, os.stat_result | None]) -> int:
        """Results, then code, then what is neither: of what comes last some may be left out."""
        inside = found[0].relative_to(folder)
        return 0 if is_results(inside.parts[0]) else 1 if inside.suffix == ".py" else 2

    to.mkdir()
    found = sorted(walk(folder, leave_out, folders=MAX_SUBFOLDERS, levels=MAX_DEPTH), key=place)
    for path, status in found:
        result = not place((path, status))
        most, most_bytes, where = (MAX_FILES, archive.MAX_BYTES, "") if result else (
            MAX_COPIED, MAX_COPIED_BYTES, " beside results/")
        if counts[result] == most:
            leave_out(path, f" and what follows: beyond {most:,} files and folders{where}")
        counts[result] += 1
        if counts[result] > most:
            continue
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if status is None:
            target.mkdir(exist_ok=True)
        elif sizes[result] + status.st_size > most_bytes:
            leave_out(path, f": beyond {most_bytes // 2**20} MiB{where}")
        else:
            try:
                shutil.copyfile(path, target)
                sizes[result] += status.st_size
            except PermissionError:
                leave_out(path, ": cannot be read")
    files = sorted(path for path in to.glob("*.py") if path.is_file())
    names = [usual(path.stem) for path in files]
    for path, name in zip(files, names):
        target = to / f"{name}.py"
        if (names.count(name) == 1 and len(os.fsencode(target.name)) <= archive.MAX_NAME
                and not target.exists()):  # some disks know no capitals
            shutil.copyfile(path, target)
    return notes


def _copy_beside(problems: Sequence[Path], roots: Sequence[Path], to: Path) -> list[str]:
    """Copy what lies beside the problems, or above them in what was handed in, and say what stays
    behind. Of two files of one name the one that is nearest to a problem counts."""
    found: dict[str, Path] = {}
    notes, size = [], 0
    for folder in dict.fromkeys(top for problem in problems for top in problem.parents
                                if any(top.is_relative_to(root) for root in roots)):
        with contextlib.suppress(OSError):
            for entry in _inside(folder):
                path = Path(entry)
                if entry.name.casefold() == "results" and entry.is_dir(follow_symlinks=False):
                    inside = " or ".join(f"{problem.name}/" for problem in problems)
                    notes.append(f"{_label(path, *roots)}/: it belongs inside {inside}, left out")
                if path.suffix.lower() in BESIDE and entry.is_file(follow_symlinks=False):
                    text = path.suffix.lower() == ".md"
                    found.setdefault(usual(path.stem) + ".md" if text else path.name, path)
    for name, path in found.items():
        try:
            size += path.stat().st_size
            if size <= MAX_BESIDE:
                shutil.copyfile(path, to / name)
                continue
            why = f"beyond {MAX_BESIDE // 2**20} MiB beside the problems"
        except OSError:
            why = "cannot be read"
        notes.append(f"{_label(path, *roots)}: {why}, left out")
    return notes
