"""The solution's modules as fixtures.

Both problems have a `dataset.py`, a `model.py` and so on, which import each other by these bare
names. `load_problem` imports one problem's folder so that neither can see the other's modules.
"""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

SOLUTION = Path(__file__).resolve().parents[2] / "solution"


def load_problem(name: str, root: Path = SOLUTION) -> SimpleNamespace:
    """All modules of `root/name`, freshly imported: `load_problem("problem2").model.HeatmapNet`.

    `sys.modules` and `sys.path` are left as they were; the modules keep the references to each
    other that their import lines bound, so an import inside a function body is not supported.
    """
    folder = root / name
    names = sorted(path.stem for path in folder.glob("*.py"))
    hidden = {module: sys.modules.pop(module) for module in names if module in sys.modules}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        return SimpleNamespace(**{module: importlib.import_module(module) for module in names})
    finally:
        sys.path.remove(str(folder))
        for module in names:
            sys.modules.pop(module, None)
        sys.modules.update(hidden)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The nets here are small: on a busy machine a second thread costs more than it gives."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def problem1() -> SimpleNamespace:
    return load_problem("problem1")


@pytest.fixture(scope="session")
def problem2() -> SimpleNamespace:
    return load_problem("problem2")
