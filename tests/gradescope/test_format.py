"""results.json beside what Gradescope's own package writes of the same outcomes.

The kit does not use `gradescope_utils`, which loses rows of tests that are skipped or end early. So
that package can say independently which keys and types the platform reads.
"""

import io
import json
import unittest
from typing import Any

import jsonschema
import pytest
from gradescope_utils.autograder_utils.decorators import (
    leaderboard,
    number,
    tags,
    visibility,
    weight,
)
from gradescope_utils.autograder_utils.json_test_runner import JSONTestRunner

from autograder.assignment import ASSIGNMENT
from autograder.engine.results import FAILED, PASSED, Grade, Row, gradescope
from tests.grading import ROOT

SCHEMA = json.loads(
    (ROOT / "autograder/instructor/rehearsal/results_schema.json").read_text(encoding="utf-8"))
RIGHT, WRONG = ASSIGNMENT.checks[:2]


def graded(check, right: bool):
    """A unittest method with the facts of a check, which passes or fails."""
    def test(self):
        self.assertTrue(right, "iou is 1")

    test.__doc__ = f"{check.task.title}: {check.sentence}"
    for decorate in (weight(check.points), number(check.number), visibility("visible"),
                     tags(f"task {check.task_number}", check.rule)):
        test = decorate(test)
    return test


class Graded(unittest.TestCase):
    __test__ = False  # for the platform's runner, not for pytest

    test_right = graded(RIGHT, True)
    test_wrong = graded(WRONG, False)

    @leaderboard("mAP")
    def test_place(self, set_leaderboard_value=None):
        set_leaderboard_value(0.5)


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    """The file that the platform's package writes."""
    stream = io.StringIO()
    JSONTestRunner(stream, visibility="visible", stdout_visibility="hidden").run(
        unittest.defaultTestLoader.loadTestsFromTestCase(Graded))
    content = json.loads(stream.getvalue())
    # A text there; the platform's documentation has a number, and so have we.
    content["execution_time"] = float(content["execution_time"])
    return content


def kinds(content: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in content.items()}


def test_keys_types_and_values_are_those_of_the_platforms_package(theirs):
    rows = Row(RIGHT), Row(WRONG)
    rows[0].record("public", PASSED, RIGHT.points, "Passed.")
    rows[1].record("public", FAILED, 0.0, "iou is 1")
    ours = gradescope(Grade(ASSIGNMENT, [*rows]))
    assert ours["score"] == theirs["score"] == RIGHT.points
    assert kinds(theirs).items() <= kinds({**ours, "leaderboard": []}).items()
    for mine, other in zip(ours["tests"], theirs["tests"], strict=True):
        assert kinds(other).items() <= kinds(mine).items()
        assert {key: mine[key] for key in other if key != "output"} == {
            key: value for key, value in other.items() if key != "output"}
    assert "iou is 1" in theirs["tests"][1]["output"] and ours["tests"][1]["output"] == "iou is 1"


def test_the_schema_takes_what_the_platforms_package_writes(theirs):
    theirs["tests"][0].setdefault("output", "")  # left out there where nothing was printed
    jsonschema.Draft202012Validator(SCHEMA).validate(theirs)
    assert theirs["leaderboard"] == [{"name": "mAP", "value": 0.5, "order": "desc"}]
