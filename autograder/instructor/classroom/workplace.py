"""Where a run works: alone on its folder of grades, with temporary files that go in any case."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...engine.sandbox.folders import remove

LOCK = ".lock"
# Waits until the run has ended, even by SIGKILL, and removes what it had no time to remove. Graders
# end when they notice, and may have written more meanwhile.
WATCH = """
import shutil, sys, time
from pathlib import Path
sys.stdin.read()
for _ in range(60):
    if not Path(sys.argv[1]).exists():
        break
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    time.sleep(1)
"""


@contextlib.contextmanager
def workplace(grades: Path) -> Iterator[None]:
    """Hold a folder of grades, and keep all temporary files of this process in one folder.

    Raises:
        ValueError: another run holds it.
    """
    before = tempfile.tempdir
    with held(grades):
        folder = Path(tempfile.mkdtemp(prefix="class-"))
        folder.chmod(0o711)  # checks run as other users, each in a folder of its own inside
        watch = subprocess.Popen([sys.executable, "-c", WATCH, folder], stdin=subprocess.PIPE,
                                 start_new_session=True)
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before
            remove(folder)
            watch.communicate()


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
