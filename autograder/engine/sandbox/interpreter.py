"""How the Python of a worker is started and ended: its command line, environment and pipes."""

import contextlib
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from ... import KIT


def environment(folder: Path) -> dict[str, str]:
    """The worker's whole environment: nothing of the grader's own leaks in."""
    environment = {
        "PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder),
        "MPLCONFIGDIR": str(folder / "matplotlib"), "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",  # two threads of a check on a busy core ran 3x slower than one
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait for each other by spinning take 4x longer
        "TORCHDYNAMO_DISABLE": "1",  # compiling takes longer than any check has
        "PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1",
    }
    if sys.platform == "win32":
        environment.update({key: os.environ[key] for key in ("SYSTEMROOT", "TEMP", "TMP")
                            if key in os.environ})
    return environment


def python(statement: str) -> list[str]:
    """Command line that runs a statement with the kit importable and nothing else added.

    Importing torch is a third faster without garbage collection, which starts with `imported`.
    """
    # -I: no PYTHON* variables, no user site, no current folder on the path.
    return [sys.executable, "-I", "-B", "-c",
            f"import gc, sys; gc.disable(); sys.path.insert(0, {str(KIT)!r}); {statement}"]


def imported() -> None:
    """Collect garbage from now on, but look at nothing that has been imported."""
    gc.freeze()
    gc.enable()


def start(statement: str, folder: Path) -> subprocess.Popen[bytes]:
    """A process that runs a statement in a folder, with pipes as its stdin and stdout."""
    return subprocess.Popen(
        python(statement), env=environment(folder), cwd=folder,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def streams() -> tuple[BinaryIO, BinaryIO]:
    """What this process was started with as stdin and stdout; nothing that is printed goes there
    from now on, and mixes with replies."""
    streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    return streams


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and close its pipes."""
    process.kill()
    process.wait()
    for stream in filter(None, (process.stdin, process.stdout)):
        with contextlib.suppress(OSError):  # part of a job may not have been sent
            stream.close()
