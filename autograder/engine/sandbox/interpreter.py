"""How the Python of a worker is started: its command line and its environment."""

import os
import sys
from pathlib import Path

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
    """Command line that runs a statement with the kit importable and nothing else added."""
    # -I: no PYTHON* variables, no user site, no current folder on the path.
    return [sys.executable, "-I", "-B", "-c",
            f"import sys; sys.path.insert(0, {str(KIT)!r}); {statement}"]
