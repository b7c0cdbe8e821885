"""Wrong code that people write loses the points of the sentence it breaks, on hidden inputs too.

The bank of known mistakes has the more frequent ones; these have no name in a message.
"""

import functools

import pytest

from tests.grading import copy_solution, failed, functional, patch, sampled

from .wrong import VARIANTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hidden(hidden_for):
    """`hidden(numbers)`: hidden references of these checks, made once for each task."""
    return functools.cache(lambda *numbers: hidden_for(numbers))


@pytest.mark.parametrize("name", sampled([*VARIANTS], 48))
def test_a_wrong_variant_loses_its_own_points(name, hidden, grade_checks, tmp_path):
    _, numbers, file, old, new = VARIANTS[name]
    patch(copy_solution(tmp_path, file.split("/")[0]), file, (old, new))
    own = functional(numbers.split()[0].rpartition(".")[0])
    assert failed(grade_checks(tmp_path, own, sets=[hidden(*own)])) == set(numbers.split())
