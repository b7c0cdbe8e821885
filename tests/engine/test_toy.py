"""A second assignment (`tests/toy`) is graded by the engine as it stands."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest

from autograder.engine import grading as grading_module
from autograder.engine import pytest_plugin, references
from autograder.engine.grade import grade
from autograder.engine.grading import Grading
from autograder.engine.pages.grade_page import page
from autograder.engine.points import load_points
from autograder.engine.results import FAILED, PASSED, SUBMISSION_BROKE, gradescope
from autograder.engine.sandbox.pool import Workers
from autograder.engine.terminal import summary
from autograder.instructor import building
from tests.grading import ROOT, failed, message, patch
from tests.toy import ASSIGNMENT as TOY

MEAN, SPREAD = "work/averages.py", "work/spread.py"
WRONG_MEAN = (MEAN, ("len(values)", "(len(values) - 1)"))
SHORTCUT = (SPREAD, ("mean((values - mean(values)) ** 2)", "mean(values ** 2) - mean(values) ** 2"))


@pytest.fixture(scope="module")
def toy_workers():
    with Workers(TOY, slots=1) as workers:
        yield workers


@pytest.fixture(scope="module")
def sets(toy_workers):
    """Public and hidden references, built from the toy's solution."""
    return [building.build(TOY, TOY.solution, tier, 1, {}, workers=toy_workers)
            for tier in references.TIERS]


@pytest.fixture
def submission(tmp_path):
    """`submission((file, (old, new)), ...)`: the folder of a changed solution."""
    def make(*edits: tuple[str, tuple[str, str]]) -> Path:
        shutil.rmtree(tmp_path / "submission", ignore_errors=True)
        shutil.copytree(TOY.solution, tmp_path / "submission")
        for file, edit in edits:
            patch(tmp_path / "submission", file, edit)
        return tmp_path / "submission"

    return make


@pytest.fixture
def graded(toy_workers, sets, submission):
    """`graded(*edits)`: the grade of such a submission, on public and hidden inputs."""
    def make(*edits, assignment=TOY, tiers=2, run=Grading.run):
        return grade(assignment, submission(*edits), references=sets[:tiers], workers=toy_workers,
                     run=run)

    return make


def test_a_right_submission_has_all_points_and_the_extra_ones(graded):
    made = graded()
    assert failed(made) == set() and (made.score, made.possible) == (3.5, 3)
    assert [test["max_score"] for test in gradescope(made)["tests"]] == [1, 2, 0]
    assert [test["score"] for test in gradescope(made)["tests"]] == [1, 2, 0.5]
    lines = summary(made, colour=False).splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["ok", "1.1"], ["ok", "1.2"]]
    assert lines[-1].startswith("Total 3.5 / 3 ")
    assert 'class="bar lost"' not in page(made, "toy")


def test_a_wrong_function_costs_its_own_task(graded):
    made = graded(WRONG_MEAN)
    assert failed(made) == {"1.1.1"}
    assert message(made, "1.1.1").startswith("the mean should be ")
    assert message(made, "1.1.1").endswith(f"Rule T.mean: {TOY.rules['T.mean']}")
    assert message(made, "1.2.1") == (
        "Points given although task 1.1 (Mean) loses points: with the right values of mean your "
        "code for this check is right.")


def test_a_run_of_pytest_gives_the_same_rows(graded):
    """Also where there are hidden inputs, and where a task is judged once more."""
    directly, by_pytest = (graded(WRONG_MEAN, run=run) for run in (Grading.run, pytest_plugin.run))
    assert [(row.check.number, row.tiers, row.message) for row in directly.rows] == [
        (row.check.number, row.tiers, row.message) for row in by_pytest.rows]


def test_a_submission_that_raises(graded):
    made = graded((SPREAD, ("return ", "return values / nothing + ")))
    assert {row.check.number: row.verdict for row in made.rows} == {
        "1.1.1": PASSED, "1.2.1": SUBMISSION_BROKE, "1.2.2": SUBMISSION_BROKE}
    assert message(made, "1.2.1").startswith(
        "Your code raised NameError: name 'nothing' is not defined in work/spread.py, line 7: `")
    text = unescape(page(made, "toy"))
    assert "name 'nothing' is not defined" in text and "1.2 Variance" in text


def test_what_only_hidden_inputs_show(graded, sets):
    public = sets[0].by_number["1.1.1"].question.inputs["args"][0].sum()
    made = graded((MEAN, ("len(values)", f"(6 if values.sum() == {public} else 5)")))
    row = made.rows[0]
    assert [verdict for verdict, *_ in row.tiers.values()] == [PASSED, FAILED]
    assert row.message.startswith("Right on the public inputs, but not on other inputs")


@pytest.mark.parametrize("room", [0, 2**20])
def test_answers_are_kept_only_to_be_shown_and_within_a_bound(graded, monkeypatch, room):
    gradings = []

    def run(grading: Grading) -> None:
        gradings.append(grading)
        grading.run()

    monkeypatch.setattr(grading_module, "SHOWN", room)
    made = graded(WRONG_MEAN, run=run)
    assert failed(made) == failed(graded(WRONG_MEAN))
    assert {bool(row.outcome.answer.frame) for row in made.rows} == {room > 0}
    grading, = gradings
    assert not any(each.answer.frame for each in grading.outcomes.values())
    assert not grading.answers and not grading.asked and made.cpu_seconds > 0


def with_points(tmp_path, *edits: tuple[str, str]):
    """The toy with another points file."""
    shutil.copyfile(TOY.folder / "points.toml", tmp_path / "points.toml")
    patch(tmp_path, "points.toml", *edits)
    assignment = replace(TOY)
    assignment.__dict__["points"] = load_points(tmp_path / "points.toml")
    return assignment


def test_a_check_of_no_points_runs_and_explains(graded, tmp_path):
    free = with_points(tmp_path, ("1.1.1 = 1", "1.1.1 = 0"), ("total = 3", "total = 2"))
    made = graded(WRONG_MEAN, assignment=free)
    assert (made.score, made.possible) == (2.5, 2)
    assert made.rows[0].verdict == FAILED and "the mean should be" in made.rows[0].message
    assert "1.1.1" in summary(made, colour=False)


def test_what_is_switched_off_is_not_asked(graded, tmp_path):
    less = with_points(tmp_path, ("off = []", 'off = ["1.1", "1.2.2"]'), ("total = 3", "total = 2"))
    made = graded(WRONG_MEAN, assignment=less, tiers=1)
    assert [row.check.number for row in made.rows] == ["1.2.1"] and made.possible == 2
    assert {"1", "1.2", "1.2.1"} <= less.selections() and "1.1" not in less.selections()
    assert len(less.every_check) == 3


def test_extra_points_that_are_lost_cost_nothing_else(graded):
    made = graded(SHORTCUT)
    assert failed(made) == {"1.2.2"} and (made.score, made.possible) == (3, 3)
    assert "[0 / 0.5 extra]" in summary(made, colour=False)
    assert "0 / 0.5 extra" in page(made, "toy")


# --- a kit of its own: the engine, and the toy as its assignment -------------------------------


@pytest.fixture
def kit(own_temp, sets):
    """`kit(*arguments)`: run Python in a folder that holds the engine and the toy alone."""
    package = own_temp / "autograder"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "autograder" / "engine", package / "engine", ignore=ignored)
    shutil.copytree(TOY.folder, package / "assignment", ignore=ignored)
    for name in ("__init__.py", "__main__.py"):
        shutil.copyfile(ROOT / "autograder" / name, package / name)
    for tier in sets:
        references.save(tier, package / "assignment" / "references")
    folder = tempfile.mkdtemp(dir=own_temp)

    def run(*arguments: str | Path) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", *map(str, arguments)], cwd=own_temp, capture_output=True,
            text=True, env={**os.environ, "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1"})

    return run


def test_the_command_of_a_kit_with_another_assignment(kit, submission, tmp_path):
    run = kit("autograder", "grade", submission(WRONG_MEAN), "--tier", "all",
              "--html", tmp_path / "page.html")
    assert run.returncode == 0, run.stderr
    assert "Total 2.5 / 3 " in run.stdout and "LOST 1.1  Mean" in run.stdout, run.stdout
    assert "<h1>2.5 / 3" in (tmp_path / "page.html").read_text(encoding="utf-8")
    refused = kit("autograder", "grade", tmp_path / "nowhere")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == f"error: {tmp_path}/nowhere does not exist"


@pytest.mark.slow
def test_pytest_over_the_checks(kit, submission, tmp_path):
    folder, xml = submission(WRONG_MEAN), tmp_path / "junit.xml"
    run = kit("pytest", "autograder/assignment/checks", "--submission", folder, "-v", "--tier",
              "all", "--junitxml", xml)
    assert run.returncode == 1, run.stdout + run.stderr
    for item, points in (("test_mean[public]", "FAILED 0 / 1"),
                         ("test_variance[hidden]", "PASSED 2 / 2"),
                         ("test_variance_of_large_numbers[public]", "PASSED 0.5 / 0.5")):
        assert any(f"::{item} {points} " in line for line in run.stdout.splitlines()), run.stdout
    assert "1.1.1 The mean of six numbers is their sum over six." in run.stdout
    assert "the mean should be " in run.stdout and "Traceback" not in run.stdout
    assert "2.5 / 3 points" in run.stdout.splitlines()
    cases = {case.get("name"): case for case in ElementTree.parse(xml).iter("testcase")}
    assert len(cases) == 6
    lost = cases["test_mean[public]"]
    assert {p.get("name"): p.get("value") for p in lost.iter("property")} == {
        "points": "0 / 1", "check": "1.1.1", "rule": "T.mean",
        "sentence": "The mean of six numbers is their sum over six."}
    assert lost.find("failure").get("message").startswith("the mean should be ")

    first = kit("pytest", "autograder/assignment/checks", "--submission", folder, "-x",
                "-k", "mean or large")
    assert first.returncode == 1 and "1 failed" in first.stdout
    assert "passed" not in first.stdout and "0 / 1 points" in first.stdout.splitlines()


@pytest.mark.parametrize(("arguments", "line"), [
    ((), "ERROR: name the submission to grade: --submission FOLDER"),
    (("--submission", "nowhere"), r"ERROR: /\S+/nowhere does not exist"),
])
def test_pytest_without_a_submission(kit, arguments, line):
    run = kit("pytest", "autograder/assignment/checks", *arguments)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert re.fullmatch(line, (run.stdout + run.stderr).split("\n\n")[0].strip())


def test_what_an_editor_of_checks_gets_wrong_is_told_in_one_line(tmp_path, monkeypatch):
    rules = tmp_path / "rules.md"
    rules.write_text("- **P1.other** text\n")
    with pytest.raises(ValueError, match=r"^rules\.md has no rule \S+, which check 1\.\S+ tests$"):
        replace(TOY, rules_file=rules).every_check  # noqa: B018
    shutil.copytree(ROOT / "tests" / "toy", tmp_path / "broken_toy")
    (tmp_path / "broken_toy" / "checks" / "test_zero.py").write_text("def (\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"^checks/test_zero\.py cannot be imported: SyntaxError"):
        replace(TOY, package="broken_toy").every_check  # noqa: B018
