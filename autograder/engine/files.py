"""Write a file so that a reader finds the old content or the new one, and know one by its name."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # errors of a disk that has no room left
PARTIAL = ".partial"  # ending of a file that is being written; none stays after an error


def usual(stem: str) -> str:
    """The name of a file that a system has changed: `utils` for `Utils`, `utils (1)`, `utils copy`.
    """
    return re.sub(r"( ?\(\d\)|( -)? copy)$", "", stem.casefold())


def is_results(name: str) -> bool:
    """Whether it is the name of the folder of results, as students and systems write it."""
    return name.casefold() == "results"


def write_whole(path: Path, content: str | bytes | Callable[[BinaryIO], object],
                mode: int | None = None) -> None:
    """Replace the file at `path`, whose folder is made where it is missing.

    Args:
        content: text (UTF-8, lines end with a line feed on every system), bytes, or a function
            that writes to the open file.
        mode: of the new file; None for what the system gives a new file.

    Raises:
        OSError: it cannot be written; what was there before stays.
    """
    partial = path.with_name(path.name + PARTIAL)
    path.parent.mkdir(exist_ok=True, parents=True)
    try:
        with partial.open("wb") as file:
            if mode is not None:
                partial.chmod(mode)
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL:
            error.filename = str(path)
        raise
