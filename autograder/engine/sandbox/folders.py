"""The folders in which checks work: copied from the submission, removed whatever is in them."""

import contextlib
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import is_results, usual

if TYPE_CHECKING:  # the process that waits outside the server's namespaces loads little
    from ..submission import Submission

FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


def private_copy(submission: "Submission", problem: str, results: tuple[str, ...],
                 to: Path, code: bool = True) -> Path:
    """Copy one problem's code into the new folder `to/problem` for one check to work in.

    Only the named files of `results/` come along: weights are large and most checks need none. Its
    folders are there, and empty.

    Args:
        problem: name of its folder; results: names of files, without a folder.
        code: False leaves everything out but these files.
    """
    target, source = to / problem, submission.root / problem

    def leave_out(folder: str, names: list[str]) -> list[str]:
        at = Path(folder)
        if at.parent == source and is_results(at.name):
            return [name for name in names if name not in results or (at / name).is_dir()]
        return []

    if code and source.is_dir():
        shutil.copytree(source, target, ignore=leave_out, copy_function=shutil.copyfile)
    if (target / "results").is_file():
        (target / "results").unlink()
    (target / "results").mkdir(parents=True, exist_ok=True)
    for path in filter(Path.is_dir, source.glob("results/*") if code else ()):
        (target / "results" / path.name).mkdir(exist_ok=True)
    for name in results:
        own = source / "results" / name
        if not (target / "results" / name).exists() and (
                other := own if own.is_file() else meant(source, name)):
            shutil.copyfile(other, target / "results" / name)
    return target


def meant(problem: Path, name: str) -> Path | None:
    """The file that alone can be meant by a name in `results/`: best_model.pt, Results/, or beside
    that folder."""
    found = [path for path in (*problem.glob("*/*"), problem / name) if path.is_file()
             and (path.parent == problem or is_results(path.parent.name))
             and usual(path.stem) == usual(Path(name).stem)]
    return found[0] if len(found) == 1 else None


def remove(path: Path) -> None:
    """Remove a file or folder that student code has made, once nothing runs in it any more.

    A folder may be deeper than paths, recursion and open descriptors go, and closed to its owner:
    each is opened up and moved to the top before it is emptied. What cannot be removed stays.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
        elif os.name == "nt":
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.chmod(0o700)
            top = os.open(path, FOLDER)
            try:
                _empty(top)
            finally:
                os.close(top)
            path.rmdir()


def _empty(top: int) -> None:
    """Empty the folder with this descriptor."""
    prefix, count, folders = secrets.token_hex(8), 0, ["."]
    while folders:
        name = folders.pop()
        with contextlib.suppress(OSError):
            folder = os.open(name, FOLDER, dir_fd=top)
            for entry in list(os.scandir(folder)):
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        os.chmod(entry.name, 0o700, dir_fd=folder)
                        count += 1
                        folders.append(f"{prefix}-{count}")
                        os.rename(entry.name, folders[-1], src_dir_fd=folder, dst_dir_fd=top)
                    else:
                        os.unlink(entry.name, dir_fd=folder)
            os.close(folder)
            os.rmdir(name, dir_fd=top)  # the top itself does not go in this way
