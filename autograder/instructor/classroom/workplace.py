"""Where a run works: alone on its folder of grades, with temporary files that go in any case."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ...engine.sandbox.folders import remove
from .book import OtherBook

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
        OtherBook: another run holds it.
    """
    grades.mkdir(parents=True, exist_ok=True)
    before = tempfile.tempdir
    with (grades / LOCK).open("w") as lock:
        _hold(lock, grades)
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


def _hold(lock: IO[str], grades: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows, where nothing is graded side by side either
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OtherBook(f"another run writes to {grades}: wait for its end, or name another folder"
                        ) from None
