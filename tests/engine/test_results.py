"""Rows and results.json: planned first, whole at every moment, as Gradescope wants them."""

import json
import math
import os
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.engine import files, results
from autograder.engine.check import Check
from autograder.engine.judging import Judge
from autograder.engine.messages import show_inputs
from autograder.engine.references import TIERS, References
from autograder.engine.results import (
    FAILED,
    GRADER_BROKE,
    NOT_RUN,
    PASSED,
    SUBMISSION_BROKE,
    UNJUDGED,
    Grade,
    Row,
    gradescope,
    write,
)
from autograder.gradescope.run import before as earlier
from autograder.gradescope.run import explain
from tests.grading import (
    HIDDEN_SEED,
    ROOT,
    SOLUTION,
    copy_solution,
    fork_only,
    functional,
    message,
    patch,
)

SCHEMA = json.loads((ROOT / "autograder/instructor/rehearsal/results_schema.json").read_text(
    encoding="utf-8"))


def valid(content: dict) -> dict:
    """Check a results.json against the schema and what a schema cannot say."""
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    tests = content["tests"]
    assert math.isclose(content["score"], sum(test["score"] for test in tests), abs_tol=1e-6)
    for test in tests:
        if test["max_score"]:  # extra points come on top of a maximum of 0
            assert test["score"] <= test["max_score"]
            assert test["status"] == "passed" or test["score"] < test["max_score"]
    graded = [test for test in tests if not test["extra_data"].get("explains")]
    assert len({test["number"] for test in graded}) == len(graded)
    json.dumps(content, allow_nan=False)
    return content


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def a_check(number="1.3.1", points=2.0) -> Check:
    return Check(number, "P1.iou.value", None, None, "IoU is right.",
                 task=ASSIGNMENT.tasks[number.rpartition(".")[0]], points=points)


def recorded(*outcomes, points=2.0, planned=("public",)) -> Row:
    """A row after some outcomes `(tier, verdict, score, message)`."""
    row = Row(a_check(points=points), planned=planned)
    for outcome in outcomes:
        row.record(*outcome)
    return row


# --- rows ------------------------------------------------------------------------------------


RIGHT, WRONG, UNKNOWN = (PASSED, 2.0, "Passed."), (FAILED, 0.0, "iou is 1."), (
    NOT_RUN, 0.0, "Not run: no time.")
ELSEWHERE, SOME, LESS = (FAILED, 0.0, "Not on others."), (FAILED, 1.5, "mAP .6."), (
    FAILED, 1.0, "mAP .5.")
WAITING = NOT_RUN, 0.0, UNJUDGED


@pytest.mark.parametrize(("planned", "outcomes", "expected"), [
    (1, (), WAITING),
    (1, (RIGHT,), RIGHT),
    (2, (RIGHT, RIGHT), RIGHT),
    (2, (RIGHT, ELSEWHERE), ELSEWHERE),
    (2, (WRONG, ELSEWHERE), WRONG),
    (2, (WRONG, RIGHT), WRONG),
    (2, (SOME, LESS), LESS),
    (2, (LESS, SOME), LESS),
    # without one of the tiers there are no points, and nothing is claimed
    (2, (RIGHT,), WAITING),
    (2, (LESS,), WAITING),
    (2, (WRONG,), WRONG),
    (2, (RIGHT, UNKNOWN), UNKNOWN),
    (2, (WRONG, UNKNOWN), WRONG),
])
def test_points_need_every_tier(planned, outcomes, expected):
    tiers = dict(zip(TIERS, outcomes))
    row = recorded(*((tier, *outcome) for tier, outcome in tiers.items()), planned=TIERS[:planned])
    assert (row.verdict, row.score, row.message) == expected and row.tiers == tiers
    test, = valid(gradescope(Grade(ASSIGNMENT, [row])))["tests"]
    assert (test["score"], test["max_score"]) == (expected[1], 2.0)
    assert test["status"] == ("passed" if expected is RIGHT else "failed")


def test_the_grade_adds_up_and_groups_by_task():
    rows = [recorded(("public", PASSED, 2.0, "Passed.")), Row(a_check("1.10.1", 1.0)),
            Row(a_check("1.2.1", 0.5))]
    made = Grade(ASSIGNMENT, rows)
    assert (made.score, made.possible) == (2.0, 3.5)
    assert list(made.tasks()) == ["1.3", "1.10", "1.2"]  # as they come


@pytest.mark.parametrize(
    ("verdict", "broke", "not_run"),
    [(PASSED, False, 0), (FAILED, False, 0), (SUBMISSION_BROKE, False, 0), (GRADER_BROKE, True, 0),
     (NOT_RUN, False, 1)],
)
def test_what_is_said_where_a_check_was_not_judged(verdict, broke, not_run):
    grade = Grade(ASSIGNMENT, [Row(a_check(), verdict)])
    content = gradescope(grade)
    more = content["extra_data"]
    assert (more["grader_broke"], more["not_run"]) == (broke, not_run)
    assert ("not your fault" in content["output"]) is broke
    assert ("have not been run" in content["output"]) is bool(not_run)
    assert grade.complete is not (broke or bool(not_run))


# --- the file --------------------------------------------------------------------------------


def test_texts_are_cut_and_hostile_ones_stay_text(tmp_path):
    row = recorded(("public", FAILED, 0.0, "\x1b[2J\ud800</script>" + "x" * 200_000))
    content = valid(gradescope(Grade(ASSIGNMENT, [row], ["note " * 100_000])))
    assert len(content["tests"][0]["output"]) == len(content["output"]) == results.MAX_OUTPUT
    write(Grade(ASSIGNMENT, [row]), tmp_path / "results.json")
    test, = read(tmp_path / "results.json")["tests"]
    assert test["output"].startswith("\x1b[2J\ud800</script>")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    made = Grade(ASSIGNMENT, [recorded(("public", PASSED, 2.0, "Passed."))])
    write(made, path)
    before = path.read_bytes()

    made.rows[0].score = math.nan
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(made, path)
    assert path.read_bytes() == before
    made.rows[0].score = 1.0

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write(made, path)
    assert path.read_bytes() == before


def test_rows_are_planned_first_and_the_file_is_whole_after_every_check(
        tmp_path, grade_checks, monkeypatch):
    copy_solution(tmp_path / "solution", "problem1")
    patch(tmp_path / "solution", "problem1/utils.py", (".clamp(min=0).prod", ".prod"))
    path, wanted = tmp_path / "results.json", functional("1.3", "1.4")
    states, outcomes = [], []
    real_replace = os.replace

    def replace(source, target):
        real_replace(source, target)
        states.append(read(path))

    monkeypatch.setattr(files.os, "replace", replace)

    def progress(row, total):
        assert states[-1] == read(path)
        outcomes.append((row.check.number, total))

    made = grade_checks(tmp_path / "solution", wanted, progress=progress, json=path)

    assert outcomes == [(number, len(wanted)) for number in wanted]
    assert [test["number"] for test in states[0]["tests"]] == wanted
    assert {test["output"] for test in states[0]["tests"]} == {UNJUDGED}
    seen = []
    for state in states:
        verdicts = [test["extra_data"]["verdict"] for test in valid(state)["tests"]]
        seen.append(len(verdicts) - verdicts.count(NOT_RUN))
        assert NOT_RUN not in verdicts[:seen[-1]]
    # Some states change a message alone: once a task has been judged, its mistakes are named.
    assert sorted(seen) == seen and set(seen) == set(range(len(wanted) + 1))
    final = valid(read(path))
    assert final["score"] == made.score and 0 < made.score < made.possible
    assert final["extra_data"]["grader_broke"] is False
    assert final["output"] == "problem2/ is missing"
    broken = next(test for test in final["tests"] if test["number"] == "1.3.3")
    check = ASSIGNMENT.by_number["1.3.3"]
    assert broken["name"] == f"{check.task.title}: {check.sentence}"
    assert broken["tags"] == ["task 1.3", "P1.iou.disjoint"]
    assert broken["output"] == message(made, "1.3.3")
    assert not list(tmp_path.glob("*.partial"))


# --- hidden inputs ---------------------------------------------------------------------------


def test_the_hidden_seed_is_not_in_the_file(tmp_path, grade_checks, public, hidden_for):
    """The hidden inputs can be drawn again by whoever knows their seed."""
    path, wanted = tmp_path / "results.json", functional("1.4")
    made = grade_checks(SOLUTION, wanted, sets=[public, hidden_for(wanted)], json=path)
    assert made.score == made.possible
    assert [verdict for verdict, *_ in made.rows[0].tiers.values()] == [PASSED, PASSED]
    assert str(HIDDEN_SEED) not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "otherwise",
    ["raise ValueError(str(anchors.tolist()))", "return values * 2 + anchors", "return anchors[0]",
     "import os; os._exit(1)"],
    ids=["raises", "is wrong", "has another shape", "ends the process"],
)
def test_hidden_inputs_say_one_constant_sentence(tmp_path, grade_checks, public, hidden_for,
                                                 otherwise):
    """A submission that knows the public inputs by heart learns nothing about the hidden ones."""
    wanted = functional("1.4")
    known = [float(public.by_number[n].question.inputs["args"][1][0, 0]) for n in wanted]
    copy_solution(tmp_path, "problem1")
    for arguments in ("encode_boxes(boxes, anchors)", "decode_boxes(deltas, anchors)"):
        name, rest = arguments.split("(")
        patch(tmp_path, "problem1/utils.py", (
            f"def {arguments}:",
            f"def {name}(values, anchors):\n"
            f"    if float(anchors[0, 0]) in {known}:\n"
            f"        return right_{name}(values, anchors)\n"
            f"    {otherwise}\n\n\n"
            f"def right_{name}({rest}:"))
    made = grade_checks(tmp_path, wanted, sets=[public, hidden_for(wanted)])
    rules = ASSIGNMENT.rules
    assert len(made.rows) == len(wanted) and made.score == 0
    for row in made.rows:
        assert row.tiers["public"][0] == PASSED
        assert row.message == (
            "Right on the public inputs, but not on other inputs of the same kind.\n"
            f"Rule {row.check.rule}: {rules[row.check.rule]}")
    assert made.notes == ["problem2/ is missing"]


def test_what_public_inputs_show_is_said_of_hidden_ones_as_well(
        tmp_path, grade_checks, public, hidden_for):
    copy_solution(tmp_path, "problem1")
    patch(tmp_path, "problem1/utils.py", ("torch.cat([offset, ", "torch.cat([10 * offset, "))
    made = grade_checks(tmp_path, ["1.4.2"], sets=[public, hidden_for(["1.4.2"])])
    alone = grade_checks(tmp_path, ["1.4.2"])
    assert message(made, "1.4.2") == message(alone, "1.4.2")
    assert message(made, "1.4.2").startswith("deltas[")


@pytest.mark.parametrize("visibility", ["after_published", "after_due_date", "never"])
def test_why_hidden_inputs_fail_is_shown_when_the_instructor_says_so(
        tmp_path, grade_checks, public, hidden_for, monkeypatch, visibility):
    """Until then the platform shows rows that say the same whatever went wrong."""
    wanted = ["1.3.2", "1.3.4"]
    copy_solution(tmp_path, "problem1")
    known = [public.by_number[n].question.inputs["args"][0][0].tolist() for n in wanted]
    patch(tmp_path, "problem1/utils.py", (
        "def compute_iou(boxes1, boxes2):",
        f"def compute_iou(boxes1, boxes2):\n    if boxes1[0].tolist() not in {known}:\n"
        "        return torch.full((len(boxes1), len(boxes2)), 0.25)\n"
        "    return right(boxes1, boxes2)\n\n\ndef right(boxes1, boxes2):"))
    hidden = hidden_for(wanted)
    made = grade_checks(tmp_path, wanted, sets=[public, hidden])
    monkeypatch.setitem(ASSIGNMENT.__dict__, "points",
                        replace(ASSIGNMENT.points, explain_hidden=visibility))
    path = tmp_path / "results.json"
    write(made, path)
    before = read(path)
    explain(made, path)
    after = valid(read(path))
    later = [test for test in after["tests"] if test["visibility"] == visibility]
    assert [test for test in after["tests"] if test["visibility"] == "visible"] == before["tests"]
    assert after["score"] == before["score"] == 0
    if visibility == "never":
        assert after == before
        return
    assert [test["number"] for test in later] == wanted
    assert after["output"].startswith(f"Total 0 / {made.possible:g}\n")
    asked = show_inputs(hidden.by_number["1.3.2"].question)
    assert asked not in "".join(test["output"] for test in before["tests"])
    assert " should be " in later[0]["output"] and "but is 0.25" in later[0]["output"]
    assert f"Asked: {asked}" in unescape(later[0]["output"])
    assert "<img src='data:image/svg+xml;base64," in later[0]["output"]
    assert max(len(test["output"]) for test in later) < 100_000
    metadata = tmp_path / "submission_metadata.json"
    metadata.write_text(json.dumps({"previous_submissions": [{"results": after}]}))
    assert earlier(metadata).scores == {"1.3.2": 0.0, "1.3.4": 0.0}


# --- a fault of the kit ----------------------------------------------------------------------


def test_a_check_that_breaks_is_told_apart_and_gives_exit_code_3(
        tmp_path, borrowed, monkeypatch, capsys, public):
    broken = _unjudgeable(public)
    monkeypatch.setattr("autograder.engine.grade.load", lambda *_: broken)
    path = tmp_path / "results.json"
    code = main(["grade", str(SOLUTION), "--only", "1.4.1", "--json", str(path)])
    assert code == 3
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == (
        "error: some checks could not be judged, see above")
    assert "note: check 1.4.1, public inputs: ValueError: " in printed.out
    content = valid(read(path))
    assert content["extra_data"]["grader_broke"] is True
    assert {test["extra_data"]["verdict"] for test in content["tests"]} == {GRADER_BROKE}
    assert {test["output"] for test in content["tests"]} == {
        "The grader itself broke on this check; your instructor has been told."}


@pytest.mark.parametrize(("error", "verdict"), [
    (PermissionError("ma.py"), GRADER_BROKE), (TypeError("no array"), SUBMISSION_BROKE)])
def test_a_machine_that_lacks_a_file_is_not_blamed_on_the_answer(grade_checks, monkeypatch, error,
                                                                 verdict):
    plain = Judge.judge
    monkeypatch.setattr(Judge, "judge", lambda *args: replace(plain(*args), error=error))
    row, = grade_checks(SOLUTION, ["1.4.1"]).rows
    assert row.verdict == verdict


def _unjudgeable(public):
    """References that no answer can be compared with, those of the solution neither."""
    reference = public.by_number["1.4.1"]
    broken = replace(reference, expected=np.full(reference.expected.shape, "12345?"))
    return replace(public, by_number={**public.by_number, "1.4.1": broken})


def test_a_fault_on_hidden_inputs_tells_nothing(grade_checks, public):
    hidden = References("hidden", {}, _unjudgeable(public).by_number)
    made = grade_checks(SOLUTION, ["1.4.1"], sets=[hidden])
    assert made.notes == ["check 1.4.1: ValueError"]


@fork_only
def test_workers_that_do_not_start_are_the_graders_fault(tmp_path, monkeypatch, capsys):
    broken = [sys.executable, "-c", "raise SystemExit('torch is not there')"]
    monkeypatch.setattr("autograder.engine.sandbox.forked.python", lambda statement: broken)
    path = tmp_path / "results.json"
    code = main(["grade", str(SOLUTION), "--only", "1.4.1", "--json", str(path)])
    assert code == 3
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: the grader broke: the worker server ended: torch is not there: "
        "see `python -m autograder doctor`")
    content = valid(read(path))
    assert content["extra_data"]["not_run"] == 1 and "have not been run" in content["output"]
    test, = content["tests"]
    assert (test["number"], test["output"]) == ("1.4.1", UNJUDGED)
