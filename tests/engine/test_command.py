"""`python -m autograder`: what it prints and how it exits."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import handout
from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.engine import command
from autograder.engine import grade as grading
from tests.grading import (
    ROOT,
    SOLUTION,
    STARTER,
    copy_solution,
    fork_only,
    patch,
    worth,
    write_files,
)

IOU = ASSIGNMENT.tasks["1.3"]


def refusal(capsys, *arguments) -> str:
    """Run a command that must fail with code 2; return its error line."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as exit_:  # argparse
        code = exit_.code
    assert code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [line for line in printed.err.replace("\r", "\n").splitlines() if "error:" in line]
    assert len(lines) == 1 and "Traceback" not in printed.err
    assert printed.err.splitlines()[-1].endswith(lines[0])
    return lines[0].split("error: ", 1)[1]


def test_a_package_that_a_command_lacks_is_named(capsys, monkeypatch, tmp_path):
    for name in ("handout.chromium", "playwright", "playwright.sync_api"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(handout, "chromium", raising=False)
    monkeypatch.setitem(sys.modules, "playwright", None)
    assert "requirements-dev.txt" in refusal(capsys, "release", "--out", tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--only 7", "there is no task or check 7: name a problem (1), a task (1.1) or a check "
                     "(1.1.1)"),
        ("--only 1.99", "there is no task or check 1.99: name a problem ("),
        ("--only 1.3 1.99", "there is no task or check 1.99: name a problem ("),
        ("--only 1.3 ..", ".. stands behind --only, where tasks stand: name it before"),
        ("--only IoU", "there is no task or check IoU: name a problem ("),
        ("--tier hidden", "argument --tier: invalid choice: 'hidden'"),
        ("--jobs 0", "argument --jobs: must be a whole number from 1, got 0"),
        ("--threads -2", "argument --threads: must be a whole number from 1, got -2"),
        ("--budget soon", "argument --budget: must be a whole number from 1, got soon"),
        ("--workers thread", "argument --workers: invalid choice: 'thread'"),
        ("--json nowhere/results.json", "the folder of nowhere/results.json does not exist"),
        ("--shuffle", "unrecognized arguments: --shuffle"),
    ],
)
def test_bad_options_give_one_line_and_code_2(capsys, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    assert refusal(capsys, "grade", SOLUTION, *arguments.split()).startswith(reason)
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_is_not_graded_says_so(capsys, monkeypatch):
    monkeypatch.setattr(type(ASSIGNMENT), "selections", lambda _: {"1.3"})
    assert refusal(capsys, "grade", SOLUTION, "--only", "2.7") == (
        "no check grades task 2.7: its rules are in rules.md")


def test_a_command_is_required(capsys):
    assert refusal(capsys) == "the following arguments are required: COMMAND"


def test_a_submission_that_is_none(capsys, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    write_files(tmp_path, {"other/src/model.py": ""})
    for name, reason in (
            ("nowhere", f"{tmp_path}/nowhere does not exist"),
            ("file", f"{tmp_path}/file is neither a folder nor a zip or tar.gz file: `make zip` "
                     "makes one"),
            ("empty", "there is no problem1/ and no problem2/ in it: it is empty"),
            ("other", "there is no problem1/ and no problem2/ in it, but src/model.py")):
        assert refusal(capsys, "grade", tmp_path / name) == reason
        assert refusal(capsys, "zip", tmp_path / name) == reason


def test_a_summary_per_task(capsys, tmp_path, borrowed):
    copy_solution(tmp_path, "problem1")
    patch(tmp_path, "problem1/utils.py", (".clamp(min=0).prod", ".prod"))
    assert main(["grade", str(tmp_path), "--only", "1.3"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    of = worth("1.3")
    words = lines[0].split()
    assert words == ["LOST", "1.3", *IOU.title.split(), words[-4], "/", of, IOU.file]
    apart = ASSIGNMENT.by_number["1.3.3"]
    assert f"     1.3.3  {apart.sentence}  [0 / {apart.points:g}]" in lines
    assert any(" should be 0, but is 225." in line for line in lines)
    assert any(line.strip().startswith("Asked: compute_iou(torch.tensor([[") for line in lines)
    assert any(line.strip().startswith("Rule P1.iou.disjoint: ") for line in lines)
    assert "note: problem2/ is missing" in lines
    assert lines[-1].startswith(f"Total {words[-4]} / {of}   (")
    assert max(map(len, lines)) <= 100
    count = len(ASSIGNMENT.selected("1.3"))
    assert printed.err.splitlines()[0] == (
        f"grading {tmp_path}: {count} checks, after some seconds to load torch")


@pytest.mark.proof
@pytest.mark.slow
def test_what_the_own_work_has_been_graded_before(tmp_path, monkeypatch, capsys, borrowed):
    """The kit keeps it in a file, for its own starter alone, whichever command ran last."""
    def watch(assignment, folders, options, told, judged, begun):
        judged(grading.grade(assignment, folders, options), None)
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.engine.watch.watch", watch)
    monkeypatch.setattr(command, "KIT", tmp_path)
    monkeypatch.setattr(command, "OWN", tmp_path / "starter")
    kept, look = tmp_path / ".grade-public.json", f"Where to look: {ASSIGNMENT.hints['1.3'][:30]}"
    write_files(tmp_path, {"starter/problem1/utils.py": "def compute_iou(a, b):\n    return a\n",
                           ".grade-public.json": "{"})
    told = []
    for _ in range(2):
        assert main(["grade", "--only", "1.3"]) == 0
        told.append(capsys.readouterr().out)
    assert look not in told[0] and look in told[1] and "Since the last grade" not in told[1]
    copy_solution(tmp_path / "other", "problem1").joinpath("problem1/utils.py").replace(
        tmp_path / "starter/problem1/utils.py")
    before = kept.read_text()
    assert main(["grade", str(tmp_path / "starter/problem1"), "--only", "1.3"]) == 0
    assert kept.read_text() == before and "Since" not in capsys.readouterr().out
    told = []
    for name in ("watch", "grade"):
        assert main([name, "--only", "1.3"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0].splitlines()[-1].startswith(
        f"Since the last grade of each check: +{worth('1.3')} for 1.3.1")
    assert look not in told[0] and "Since" not in told[1]


def test_checks_that_broke_in_the_same_way_stand_together(capsys, tmp_path, borrowed):
    write_files(tmp_path, {"problem1/utils.py": "def compute_iou(a, b):\n    return a @ b\n"})
    assert main(["grade", str(tmp_path), "--only", "1.3.1", "1.4", "1.5.5", "1.5.6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [re.match(r" {5}(.*)  \[0 / ", line)[1] for line in lines if "[0 / " in line][1:] == [
        "1.4.1, 1.4.2", "1.4.3, 1.4.4", "1.5.5, 1.5.6"]
    assert "            problem1/utils.py has no encode_boxes." in lines
    assert not any("right values" in line for line in lines), "nor is a place for them"


def test_one_check(capsys, borrowed):
    assert main(["grade", str(SOLUTION), "--only", "1.3.2"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith(f"ok   1.3  {IOU.title}  ")


@fork_only
def test_as_a_module_from_another_folder(tmp_path):
    """The way students call it; the starter is the submission that is graded by default."""
    run = subprocess.run(
        [sys.executable, "-m", "autograder", "grade", "--only", "1.3.1"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert f"grading {STARTER}" in run.stderr
    lines = run.stdout.splitlines()
    assert re.match(rf"todo 1.3  {IOU.title} +0 / ", lines[0])
    assert lines[-1].startswith("Total 0 / 0.5   (0.5 not done yet, ")
    assert "            Not written yet: Task 1.3 compute_iou: see handout, rule P1.iou." in lines
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", [
    pytest.param("ascii", marks=pytest.mark.slow), "cp1252",
    pytest.param("cp932", marks=pytest.mark.proof)])
def test_what_a_pipe_cannot_take_does_not_cost_the_summary(tmp_path, encoding):
    write_files(tmp_path, {"problem1/utils.py": (
        "def compute_iou(a, b):\n"
        "    raise ValueError('gr\u00f6\u00dfer \u2192 \u65e5 \U0001f600')\n")})
    run = subprocess.run(
        [sys.executable, "-m", "autograder", "grade", str(tmp_path), "--only", "1.3.1"], cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True)
    assert run.returncode == 0, run.stderr
    assert b"ValueError: gr" in run.stdout and f"Total 0 / {worth('1.3.1')}".encode() in run.stdout


def test_an_interruption_is_no_traceback(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.engine.grade.take_in", interrupted)
    assert main(["grade", str(SOLUTION)]) == 130
    assert capsys.readouterr().err.splitlines()[-1].endswith("interrupted")


@pytest.mark.slow
def test_several_tasks_and_rules_at_once(tmp_path, capsys):
    folder = write_files(tmp_path / "work", {"problem1/utils.py": "x = 1\n"})
    assert main(["grade", str(folder), "--only", "1.3.1,1.4.1, P1.iou.tiny", "1.4.2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("LOST")] == [
        ["LOST", "1.3"], ["LOST", "1.4"]]
    assert "What costs most of the 2 points that are missing:" in lines
    assert lines[-1].startswith("Total 0 / ")


@fork_only
@pytest.mark.timeout(60)
def test_a_killed_command_leaves_nothing(tmp_path):
    waits = {"problem1/utils.py": "import time\ntime.sleep(600)\n"}
    temporary = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))  # its path is short
    temporary.chmod(0o711)
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", "grade", write_files(tmp_path, waits),
         "--only", "1.3"], cwd=ROOT, env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(temporary.rglob("check-*")):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    while any(temporary.iterdir()):
        time.sleep(0.05)
    shutil.rmtree(temporary)
