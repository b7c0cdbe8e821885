"""`run_autograder`: a valid results.json whatever was uploaded and whatever breaks."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.results import GRADER_BROKE, SUBMISSION_BROKE, Before
from autograder.gradescope import selfcheck
from autograder.gradescope.run import about, before, cpus
from autograder.gradescope.selfcheck import BrokenImage, judge

root_only = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0,
                               reason="the platform grades as root, on Linux")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the platform runs Linux")
METADATA = {
    "id": 42, "created_at": "2025-10-01T21:14:33.812345-07:00",
    "assignment": {"total_points": "90.0"}, "previous_submissions": [{}, {"results": {"tests": [
        {"number": check.number, "score": 0.0} for check in ASSIGNMENT.checks]}}],
    "users": [{"name": "Ada", "email": "ada@example.org", "id": 1}],
}


def verdicts(results: dict) -> set[str]:
    return {test["extra_data"]["verdict"] for test in results["tests"]}


def numbers(results: dict) -> list[str]:
    return [test["number"] for test in results["tests"]]


EVERY_CHECK = [check.number for check in ASSIGNMENT.checks]

# --- what students upload --------------------------------------------------------------------


@pytest.mark.proof
@root_only
def test_a_fork_of_the_starter_with_much_else_in_it(platform):
    """Two folders down, 200 MB, other files, a forbidden import, one function written, and a zip
    file in the place of a problem.
    """
    starter = "homework1-main/starter"
    shutil.copytree(platform.source / "starter", platform.root / "submission" / starter)
    dataset = f"{starter}/problem1/dataset.py"
    text = (platform.root / "submission" / dataset).read_text(encoding="utf-8")
    platform.submit({
        dataset: text + selfcheck.GIVEN, "homework1-main/README.md": "# Mine",
        "homework1-main/autograder/results.py": "raise SystemExit('not the kit')",
        f"{starter}/problem2/plots.py": "import numpy\nimport cv2\n",
        f"{starter}/problem1/results/all.bin": os.urandom(2**20) * 200})
    folder = platform.root / "submission" / starter / "problem2"
    shutil.make_archive(str(folder), "zip", folder)
    shutil.rmtree(folder)
    (platform.root / "submission_metadata.json").write_text(json.dumps(METADATA))
    results, log = platform.run()
    judge(results, with_leaderboard=True)  # what setup.sh asks of an image
    assert results["output"].startswith("Since the last grade: +")
    assert numbers(results) == EVERY_CHECK
    assert "problem2/plots.py, line 2: imports cv2" in results["output"]
    assert results["leaderboard"] == [
        {"name": "Detector mAP@0.5", "value": 0.0, "order": "desc"},
        {"name": "HeatmapNet PCK@.05", "value": 0.0, "order": "desc"}]
    first, second = log.splitlines()[:2]
    assert first == "submission 42 of 2025-10-01T21:14:33.812345-07:00, 2 before it"
    assert second.startswith("WARNING: the assignment has 90.0 points on Gradescope, and the "
                             f"checks give {ASSIGNMENT.points.total:g}")
    assert "Ada" not in log and "ada@" not in log
    assert "own uid            stops:" in log  # the layers are for instructors
    assert "uid" not in results["output"]


@pytest.mark.parametrize(("files", "found"), [
    ({}, "there is no problem1/ and no problem2/ in it: it is empty."),
    ({"utils.py": "", "model\x1b[31m.py": "", "data/x.txt": ""}, "there is no problem1/ and no "
     "problem2/ in it, but model?[31m.py, utils.py, data/x.txt."),
    ({"work.zip": "PK"}, "work.zip: the zip file cannot be unpacked: File is not a zip file."),
], ids=["empty", "loose", "broken"])
def test_an_upload_without_problems_in_it(platform, files, found):
    platform.submit(files)
    results, log = platform.run()
    assert results["score"] == 0 and verdicts(results) == {SUBMISSION_BROKE}
    assert results["output"].startswith(f"Nothing to grade in your upload: {found} Upload prob")
    assert not results["extra_data"]["grader_broke"] and numbers(results) == EVERY_CHECK
    assert "BROKE" not in log and "Traceback" not in log


# --- what can break --------------------------------------------------------------------------


def assert_broke(results: dict, log: str, code: int = 1) -> None:
    assert results["extra_data"]["grader_broke"] is True and numbers(results) == EVERY_CHECK
    assert verdicts(results) == {GRADER_BROKE} and results["score"] == 0
    assert "not your fault" in results["output"]
    assert log.splitlines()[-1].startswith(f"THE GRADER BROKE (exit code {code})")


def test_damaged_references_are_the_graders_fault(platform):
    platform.submit({"problem1/utils.py": ""})
    path = platform.source / "autograder/assignment/references/hidden.npz"
    path.write_bytes(path.read_bytes()[:1000])
    results, log = platform.run()
    assert_broke(results, log)
    assert "BadReferences: the hidden references in" in log
    assert "hidden references" not in json.dumps(results)


def test_a_python_that_does_not_start_is_the_graders_fault(platform):
    platform.submit({"problem1/utils.py": ""})
    (platform.source / "venv").unlink()
    results, log = platform.run()
    assert_broke(results, log, code=127)


def test_a_platform_that_delivers_nothing_is_not_the_students_fault(platform):
    results, log = platform.run()
    assert_broke(results, log)
    assert "the platform put nothing at" in log


def test_the_end_of_the_time_finds_results(platform):
    platform.submit({"problem1/utils.py": ""})
    script = platform.source / "run_autograder"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("TIMEOUT=600\n", "TIMEOUT=30.1\n").replace(
        "$((TIMEOUT - 30))", "0.1"), encoding="utf-8")
    results, log = platform.run()
    assert_broke(results, log, code=124)


@pytest.mark.proof
@root_only
def test_a_run_out_of_time_says_so(platform):
    """Checks that the budget leaves no time for have a row that says why."""
    platform.submit({"problem1/utils.py": "", "problem2/model.py": ""})
    script = platform.source / "run_autograder"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace('--timeout "$TIMEOUT"', "--timeout 0.001"), encoding="utf-8")
    results, log = platform.run()
    assert "BROKE" in log  # the instructor is told
    assert numbers(results) == EVERY_CHECK and results["score"] == 0
    assert results["extra_data"]["not_run"] == len(EVERY_CHECK)
    assert {test["output"] for test in results["tests"]} == {
        "Not run: the time of the whole grading run was used up before this check."}


# --- the parts -------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "[]", '{"id": 1}', '{"assignment": 3}', "\0"])
def test_metadata_that_cannot_be_read_are_no_obstacle(tmp_path, content):
    path = tmp_path / "submission_metadata.json"
    path.write_text(content)
    line, = about(path, 100)
    assert line.startswith("submission_metadata.json cannot be read (")
    assert line.endswith("grading needs nothing in it")


def test_points_that_agree_are_not_worth_a_word(tmp_path):
    path = tmp_path / "submission_metadata.json"
    path.write_text(json.dumps(METADATA))
    assert len(about(path, 90)) == 1
    assert about(path, 91)[1].endswith("and the checks give 91")
    assert len(about(path, 80, 10)) == 1
    assert about(path, 80, 20)[1].endswith("and the checks give 80, a person 20 more")


def test_what_earlier_submissions_say(tmp_path):
    def test(number, score, **more):
        return {"number": number, "score": score, **more}

    def earlier(*submissions):
        path = tmp_path / "metadata.json"
        path.write_text(json.dumps({"previous_submissions": submissions}))
        return before(path)

    lost = test("1.5.1", 0.0, status="failed", output="Wrong.")
    stub = test("1.6.1", 0.0, status="failed", output="Not written yet: Task 1.6")
    broke = test("1.7.1", 0.0, status="failed", extra_data={"verdict": GRADER_BROKE})
    first = {"results": {"tests": [lost, test("1.5.2", 0.0, status="failed"), stub, broke]}}
    last = {"results": {"tests": [lost, stub, test("1.9.1", 1.0, status="passed")]}}
    made = earlier(first, {"results": None}, last)
    assert made.failed == {"1.5": 2}
    assert made.scores == {"1.5.1": 0.0, "1.6.1": 0.0, "1.9.1": 1.0}
    assert earlier(first, {}) == Before({}, {"1.5": 1})
    assert before(tmp_path / "none") == earlier() == Before()


@pytest.mark.parametrize(("group", "limits", "count"), [
    ("0::/\n", {"": "50000 100000"}, 1),
    ("0::/\n", {"": "200000 100000"}, min(2, os.cpu_count())),
    ("0::/a/b\n", {"a": "150000 100000", "a/b": "max 100000"}, 1),
    ("12:cpu:/docker/x\n0::/\n", {}, 1),
    ("12:cpu:/docker/x\n", {}, 1),
    ("0::/\n", {"": "odd"}, 1),
], ids=["smallest", "two", "parent", "hybrid", "version 1", "odd"])
def test_checks_run_side_by_side_as_far_as_the_container_goes(tmp_path, group, limits, count):
    (tmp_path / "cgroup").write_text(group)
    for folder, text in limits.items():
        (tmp_path / "top" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / folder / "cpu.max").write_text(f"{text}\n")
    assert cpus(tmp_path / "cgroup", tmp_path / "top") == count


def test_an_image_that_does_not_grade_is_told():
    def image(**changes) -> dict:
        tests = [{"number": "1.1.7", "max_score": 0.5, "status": "passed", "output": "Passed.",
                  "extra_data": {"rule": selfcheck.RULE}},
                 {"number": "1.2.1", "max_score": 2, "status": "failed", "output": "Not written.",
                  "extra_data": {"rule": "P1.anchors"}}]
        return {"score": 0.5, "extra_data": {"grader_broke": False, "not_run": 0},
                "tests": tests, **changes}

    judge(image(), False)
    for wrong, reason in (
            (image(extra_data={"grader_broke": True, "not_run": 0}), "the grader broke"),
            (image(extra_data={"grader_broke": False, "not_run": 1}), "the grader broke"),
            (image(score=0), "the score is 0 instead of 0.5"),
            (image(leaderboard=[]), "the leaderboard is missing"),
            (image(tests=[{**image()["tests"][1], "status": "passed"}]), "check 1.2.1 passed")):
        with pytest.raises(BrokenImage, match=reason):
            judge(wrong, False)


def test_setup_fails_loudly(platform):
    """An image in which Python has no packages: the build ends with an error that says where."""
    (platform.source / "venv").unlink()
    folder = platform.root / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    build = subprocess.run(["bash", str(platform.source / "setup.sh")], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           env={**os.environ, "AUTOGRADER_VENV": str(folder)})
    assert build.returncode != 0
    last = build.stdout.splitlines()[-1]
    assert "FAILED at: " in last
    if os.geteuid() == 0:
        assert "FAILED at: grade the starter with one function written" in last
