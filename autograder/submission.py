"""Take in a submission: find its problems and copy what grading needs, regular files only."""

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

PROBLEMS = ("problem1", "problem2")
MAX_FILES = 2000
MAX_BYTES = 500 * 2**20
MAX_DEPTH = 8
SKIPPED = {".git", ".venv", "venv", "__pycache__", ".ipynb_checkpoints", "node_modules"}


class NoSubmission(ValueError):
    """There is nothing to grade; the message is one line for the person at the terminal."""


@dataclass(frozen=True)
class Submission:
    """A private snapshot of a submission.

    Args:
        root: folder of the snapshot, with `problem1/` and `problem2/` where they were found.
        notes: one sentence for everything that was left behind.
    """

    root: Path
    notes: tuple[str, ...]


def find_problems(source: Path) -> dict[str, Path]:
    """`problem1` and `problem2` in a submission, at its top or nested (the shallowest counts)."""
    found: dict[str, Path] = {}
    level = [source]
    for _ in range(4):
        below = []
        for folder in level:
            try:
                entries = sorted(folder.iterdir())
            except OSError:
                continue
            for entry in entries:
                if entry.is_symlink() or not entry.is_dir() or entry.name in SKIPPED:
                    continue
                if entry.name in PROBLEMS:
                    found.setdefault(entry.name, entry)
                else:
                    below.append(entry)
        if len(found) == len(PROBLEMS):
            break
        level = below[:200]
    return found


def take_in(source: Path, root: Path) -> Submission:
    """Copy the problems of `source` into the existing folder `root`.

    Symlinks, devices, FIFOs and everything beyond the bounds stay behind, with a note.

    Raises:
        NoSubmission: `source` is no folder, or holds neither problem.
    """
    if not source.is_dir():
        raise NoSubmission(f"{source} is not a folder: name the folder that holds problem1/")
    problems = find_problems(source)
    if not problems:
        raise NoSubmission(f"{source} has neither problem1/ nor problem2/ in it")
    notes = [f"{name}/ is missing" for name in PROBLEMS if name not in problems]
    count = size = 0
    for name, folder in problems.items():
        for directory, subdirectories, files in os.walk(folder):
            here = Path(directory)
            inside = here.relative_to(folder)
            subdirectories[:] = sorted(d for d in subdirectories if d not in SKIPPED)
            if len(inside.parts) >= MAX_DEPTH:
                notes.append(
                    f"{name}/{inside.as_posix()}: deeper than {MAX_DEPTH} folders, left out")
                subdirectories[:] = []
                continue
            for subdirectory in list(subdirectories):
                if (here / subdirectory).is_symlink():
                    notes.append(f"{name}/{(inside / subdirectory).as_posix()}: a link, left out")
                    subdirectories.remove(subdirectory)
            (root / name / inside).mkdir(parents=True, exist_ok=True)
            for file in sorted(files):
                path = here / file
                label = f"{name}/{(inside / file).as_posix()}"
                status = path.lstat()
                if not stat.S_ISREG(status.st_mode):
                    notes.append(f"{label}: not a regular file, left out")
                    continue
                count, size = count + 1, size + status.st_size
                if count > MAX_FILES or size > MAX_BYTES:
                    notes.append(f"{label} and what follows: beyond {MAX_FILES} files or "
                                 f"{MAX_BYTES // 2**20} MiB, left out")
                    return Submission(root, tuple(notes))
                shutil.copyfile(path, root / name / inside / file)
    return Submission(root, tuple(notes))


def private_copy(submission: Submission, problem: str, results: tuple[str, ...], to: Path) -> Path:
    """Copy one problem's code into the new folder `to/problem` for one check to work in.

    Only the named files of `results/` come along: weights are large and most checks need none.
    """
    target = to / problem
    source = submission.root / problem

    def leave_out(folder: str, names: list[str]) -> list[str]:
        if Path(folder) == source / "results":
            return [name for name in names if name not in results]
        return []

    if source.is_dir():
        shutil.copytree(source, target, ignore=leave_out)
    (target / "results").mkdir(parents=True, exist_ok=True)
    return target
