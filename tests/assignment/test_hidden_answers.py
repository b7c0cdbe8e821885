"""What is right on public inputs is wrong on hidden ones: nobody earns points by repeating it."""

from typing import Any

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.judging import accepts, is_fair
from autograder.instructor import building
from tests.grading import SOLUTION

pytestmark = pytest.mark.slow

SEEDS = (1, 2)
MOST = 8  # points of checks whose answer is the same on all inputs
# The answer to a measured check is predictions on other images; the solution's are not stored.
CHECKS = [check for check in ASSIGNMENT.checks if check.measured is None]


@pytest.fixture(scope="module")
def hidden(warm):
    """Hidden references of all these checks, one set per seed."""
    numbers = [check.number for check in CHECKS]
    return [building.build(ASSIGNMENT, SOLUTION, "hidden", seed, {"profile": "standard"},
                           only=numbers, workers=warm) for seed in SEEDS]


def _accepted(check, public, hidden) -> list[bool]:
    """Whether the public answer passes on the hidden inputs of each seed."""
    answer, references = public.by_number[check.number].expected, [
        references.by_number[check.number] for references in hidden]
    assert all(is_fair(check, reference) for reference in references), check.number
    return [accepts(check, reference, answer, reference.expected) for reference in references]


@pytest.mark.proof
def test_public_answers_are_wrong_on_hidden_inputs(public, hidden):
    accepted = {check: _accepted(check, public, hidden) for check in CHECKS}
    for check, passed in accepted.items():
        if any(passed):
            print(f"{check.number:<8}{check.points:>4g}  {sum(passed)} of {len(SEEDS)}  "
                  f"{check.constant or 'no reason on record'}")
    # By chance a public answer may pass for one seed, as it may for few of the points.
    assert [check.number for check, passed in accepted.items()
            if not check.constant and all(passed)] == [], "equal, without a reason"
    assert all(sum(check.points for check, passed in accepted.items() if passed[seed]) <= MOST
               for seed in range(len(SEEDS)))
    assert [check.number for check, passed in accepted.items()
            if check.constant and not all(passed)] == [], "a reason, but the answers differ"


def test_few_points_have_the_same_answer_on_all_inputs():
    assert sum(check.points for check in CHECKS if check.constant) <= MOST


def _hollow(value: Any) -> Any:
    """A value of the same kind that says nothing: zeros, or no entries."""
    if isinstance(value, np.ndarray):
        return np.zeros_like(value)
    if isinstance(value, dict):
        return {**value, "items": []} if "items" in value else {
            key: _hollow(entry) for key, entry in value.items()}
    return type(value)()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.number)
def test_a_hollow_answer_is_wrong(check, public):
    reference = public.by_number[check.number]
    assert not accepts(check, reference, _hollow(reference.expected), reference.expected)
