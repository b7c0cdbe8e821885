"""Wrong code that people write loses the points of the sentence it breaks, on hidden inputs too.

The bank of known mistakes has the more frequent ones; these have no name in a message.
"""

import pytest

from tests.grading import copy_solution, failed, functional, patch, sampled

from .wrong import VARIANTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hidden(hidden_for):
    tasks = {numbers.split()[0].rpartition(".")[0] for _, numbers, *_ in VARIANTS.values()}
    return hidden_for(functional(*tasks))


@pytest.mark.parametrize("name", sampled([*VARIANTS], 3))
def test_a_wrong_variant_loses_its_own_points(name, hidden, grade_checks, tmp_path):
    _, numbers, file, old, new = VARIANTS[name]
    patch(copy_solution(tmp_path, file.split("/")[0]), file, (old, new))
    own = functional(numbers.split()[0].rpartition(".")[0])
    assert failed(grade_checks(tmp_path, own, sets=[hidden])) == set(numbers.split())
