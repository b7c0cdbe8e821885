"""Correct solutions in other styles than the reference lose nothing."""

import pytest

from autograder.assignment.tasks import TASKS
from autograder.engine.results import FAILED
from tests.grading import copy_solution, failed, functional, patch, sampled

from .choices import CHOICES
from .styles import STYLES, write


@pytest.mark.proof
@pytest.mark.parametrize("style", STYLES)
def test_another_correct_solution(style, tmp_path, grade_checks):
    grade = grade_checks(write(style, tmp_path), functional(*STYLES[style].split()))
    lost = {row.check.number: row.message for row in grade.rows if row.verdict != "passed"}
    assert lost == {}
    assert grade.score == grade.possible and FAILED not in {row.verdict for row in grade.rows}


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled([*CHOICES], 45))
def test_odd_choices_lose_nothing(name, tmp_path, grade_checks, public, hidden_for):
    copy_solution(tmp_path)
    for file, old, new in CHOICES[name].values():
        patch(tmp_path, file, (old, new))
    files = {file for file, *_ in CHOICES[name].values()}
    own = functional(*(task.number for task in TASKS.values() if files & {*task.files}))
    assert failed(grade_checks(tmp_path, own, sets=[public, hidden_for(own)])) == set()
