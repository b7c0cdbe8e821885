"""The solution's modules as fixtures.

Both problems have a `dataset.py`, a `model.py` and so on; neither can see the other's modules.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from handout.problems import load

SOLUTION = Path(__file__).resolve().parents[2] / "solution"


def load_problem(name: str, root: Path = SOLUTION) -> SimpleNamespace:
    """All modules of `root/name`, freshly imported: `load_problem("problem2").model.HeatmapNet`."""
    return load(root / name)


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
