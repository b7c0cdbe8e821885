"""The folders that a command writes to: made where they are missing, and held alone."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

LOCK = ".lock"


def made(folder: Path) -> None:
    """Make a folder where it is missing; ValueError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} is a file" if folder.exists() else
                         f"{folder} cannot be made: {error.strerror}") from None


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Let no other run write to a folder, which is made where it is missing.

    Raises:
        ValueError: another run holds it.
    """
    made(folder)
    with (folder / LOCK).open("w") as lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows, where nothing is graded side by side either
            pass
        except OSError:
            raise ValueError(f"another run writes to {folder}: wait for its end, or name another "
                             "folder") from None
        yield
