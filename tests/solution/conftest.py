"""The solution's modules as fixtures, and data to train on.

Both problems have a `dataset.py`, a `model.py` and so on; neither can see the other's modules.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from datasets import store
from datasets.recipe import Recipe
from handout.problems import load

SOLUTION = Path(__file__).resolve().parents[2] / "solution"


def load_problem(name: str) -> SimpleNamespace:
    """All modules of a problem, freshly imported: `load_problem("problem2").model.HeatmapNet`."""
    return load(SOLUTION / name)


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


@pytest.fixture(scope="session")
def shapes(tmp_path_factory) -> Path:
    """The detection data of 4 training and 2 validation images."""
    return _data(tmp_path_factory, train=4, val=2) / "detection"


@pytest.fixture(scope="session")
def figures(tmp_path_factory) -> Path:
    """The keypoint data of 8 training and 5 validation images."""
    return _data(tmp_path_factory, train=8, val=5) / "keypoints"


def _data(tmp_path_factory, train: int, val: int) -> Path:
    folder = tmp_path_factory.mktemp("datasets")
    store.generate(Recipe(seed=642, train=train, val=val), folder)
    return folder
