"""Where a command keeps its temporary files: in one folder, which goes in any case."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .sandbox.folders import remove

# Waits until the command has ended, even by SIGKILL, and removes what it had no time to remove. Its
# own processes end when they notice, and may have written more meanwhile.
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
OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # as `start_new_session`, on Windows


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """Keep all temporary files of this process in one new folder until the end."""
    before = tempfile.tempdir
    folder = Path(tempfile.mkdtemp(prefix="run-"))
    folder.chmod(0o711)  # checks run as other users, each in a folder of its own inside
    watch = subprocess.Popen([sys.executable, "-I", "-S", "-c", WATCH, folder],
                             stdin=subprocess.PIPE, start_new_session=True,
                             creationflags=OWN_GROUP)
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        remove(folder)
        watch.communicate()
