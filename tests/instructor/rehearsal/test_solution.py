"""The upload on a rehearsal of the platform, without the checks of trained networks."""

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.instructor.rehearsal.rehearse import rehearse
from tests.bench.grading import TARGETS
from tests.grading import SOLUTION, needs_training

from .conftest import platform as on_a_platform


@on_a_platform
@pytest.mark.proof
@pytest.mark.timeout(900)
def test_the_solution_loses_nothing_but_what_it_did_not_hand_in(upload, tmp_path):
    report = rehearse(upload, SOLUTION, functional=True, cpus=1, folder=tmp_path)
    assert report.problems == []
    lost = {test["number"] for test in report.results["tests"] if test["score"] < test["max_score"]}
    assert lost == {check.number for check in ASSIGNMENT.checks if needs_training(check)}
    assert report.score == sum(test["score"] for test in report.results["tests"])
    assert report.files == [], "nothing is left for whoever comes next"
    assert report.peak_pss < TARGETS["peak_pss"]
    log = (report.folder / "setup.log").read_text()
    assert "check of P1.collate passes" in log
