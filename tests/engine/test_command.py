"""`python -m autograder`: what it prints and how it exits."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.engine import references
from autograder.engine.submission import MAX_DEPTH, find_problems, private_copy, take_in
from tests.grading import ROOT, SOLUTION, STARTER, copy_solution, fork_only, patch, write_files


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


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--only 7", "there is no task or check 7: name a problem (1), a task (1.3) or a check "
                     "(1.3.2)"),
        ("--only 1.99", "there is no task or check 1.99: name a problem (1)"),
        ("--only IoU", "there is no task or check IoU: name a problem (1)"),
        ("--only 2.9", "there is no task or check 2.9: name a problem (1)"),
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


def test_a_command_is_required(capsys):
    assert refusal(capsys) == "the following arguments are required: COMMAND"


def test_a_submission_that_is_none(capsys, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other" / "src").mkdir(parents=True)
    for name in ("nowhere", "file"):
        assert refusal(capsys, "grade", tmp_path / name) == (
            f"{tmp_path / name} is not a folder: name the folder that holds problem1/")
    for name in ("empty", "other"):
        assert refusal(capsys, "grade", tmp_path / name) == (
            f"{tmp_path / name} has neither problem1/ nor problem2/ in it")


def test_references_that_cannot_be_used(capsys, tmp_path, monkeypatch, public):
    remedy = "run `python -m autograder references --tier public`"
    monkeypatch.setattr(references.load, "__defaults__", (tmp_path,))
    assert refusal(capsys, "grade", SOLUTION) == (
        f"there are no public references in {tmp_path}: {remedy}")

    for content, kind in (("not json", "JSONDecodeError"), ("{}", "KeyError"),
                          ('{"made": {}, "arrays": [99999], "checks": {}}', "IndexError"),
                          ('{"made": {}, "arrays": [], "checks": {"1.1.1": {"array": 7}}}',
                           "IndexError"),
                          ('{"made": {}, "arrays": [], "checks": {"1.1.1": {"dict": []}}}',
                           "KeyError")):
        (tmp_path / "public.json").write_text(content)
        (tmp_path / "public.npz").write_bytes((ASSIGNMENT.references / "public.npz").read_bytes())
        assert refusal(capsys, "grade", SOLUTION) == (
            f"the public references in {tmp_path} are damaged ({kind}): {remedy}")
    (tmp_path / "public.json").write_bytes((ASSIGNMENT.references / "public.json").read_bytes())
    whole = (tmp_path / "public.npz").read_bytes()
    (tmp_path / "public.npz").write_bytes(whole[:len(whole) // 2])
    assert "are damaged" in refusal(capsys, "grade", SOLUTION)

    content = json.loads((ASSIGNMENT.references / "public.json").read_text(encoding="utf-8"))
    del content["checks"]["1.3.2"]
    (tmp_path / "public.json").write_text(json.dumps(content))
    (tmp_path / "public.npz").write_bytes(whole)
    assert refusal(capsys, "grade", SOLUTION) == f"the public references lack check 1.3.2: {remedy}"


def test_references_come_back_as_they_were(tmp_path, public):
    paths = references.save(public, tmp_path)
    assert [path.name for path in paths] == ["public.json", "public.npz"]
    assert not list(tmp_path.glob("*.partial"))
    again = references.load("public", tmp_path)
    assert again.made == public.made and list(again.by_number) == list(public.by_number)
    assert paths[0].read_bytes() == references.save(again, tmp_path)[0].read_bytes()
    assert again.by_number["1.3.1"].question.inputs["function"] == "utils.compute_iou"
    assert again.by_number["2.11.1"].question.cpu_seconds == 60


def test_references_of_a_solution_that_fails(capsys, tmp_path, monkeypatch, warm):
    copy_solution(tmp_path)
    patch(tmp_path, "problem1/utils.py", ("import torch\n", "import torch\nimport nothing_here\n"))
    monkeypatch.setattr(references, "Workers", lambda: contextlib.nullcontext(warm))
    every = [check for check in references.ASSIGNMENT.checks if check.task == "1.4"]
    monkeypatch.setattr(references, "all_checks", lambda: every)
    monkeypatch.setattr(references, "FOLDER", tmp_path)
    line = refusal(capsys, "references", "--solution", tmp_path)
    assert line.startswith("check 1.4.1: the solution gave no answer (error): ")
    assert "No module named 'nothing_here'" in line
    assert refusal(capsys, "references", "--seed", "-1") == "--seed must not be negative, got -1"


def test_a_summary_per_task(capsys, tmp_path, borrowed):
    copy_solution(tmp_path, "problem1")
    patch(tmp_path, "problem1/utils.py", (".clamp(min=0).prod", ".prod"))
    assert main(["grade", str(tmp_path), "--only", "1.3"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == ["LOST", "1.3", "IoU", "2.5", "/", "5", "problem1/utils.py"]
    assert "     1.3.3  Boxes that lie apart or only touch have IoU 0.  [0 / 1]" in lines
    assert any(line.strip().startswith("iou[0, 1] should be 0, but is 225") for line in lines)
    assert any(line.strip().startswith("Asked: compute_iou([[") for line in lines)
    assert any(line.strip().startswith("Rule P1.iou.disjoint: ") for line in lines)
    assert "note: problem2/ is missing" in lines
    assert lines[-1].startswith("Total 2.5 / 5   (")
    assert max(map(len, lines)) <= 100
    assert printed.err.splitlines()[0] == f"grading {tmp_path}"


def test_checks_that_broke_in_the_same_way_stand_together(capsys, tmp_path, borrowed):
    write_files(tmp_path, {"problem1/utils.py": "def compute_iou(a, b):\n    return a @ b\n"})
    assert main(["grade", str(tmp_path), "--only", "1.4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "     1.4.1, 1.4.2  [0 / 1.5]" in lines and "     1.4.3, 1.4.4  [0 / 1.5]" in lines
    assert "            problem1/utils.py has no encode_boxes." in lines


def test_one_check(capsys, borrowed):
    assert main(["grade", str(SOLUTION), "--only", "1.3.2"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("ok   1.3  IoU  ")


@fork_only
def test_as_a_module_from_another_folder(tmp_path):
    """The way students call it; the starter is the submission that is graded by default."""
    run = subprocess.run(
        [sys.executable, "-m", "autograder", "grade", "--only", "1.3.1"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert f"grading {STARTER}" in run.stderr
    lines = run.stdout.splitlines()
    assert lines[0].startswith("LOST 1.3  IoU") and "0 / 1 " in lines[0]
    assert "            Not written yet: Task 1.3 compute_iou: see handout, rule P1.iou." in lines
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_is_no_traceback(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.engine.grade.take_in", interrupted)
    assert main(["grade", str(SOLUTION)]) == 130
    assert capsys.readouterr().err.splitlines()[-1].endswith("interrupted")


# --- taking a submission in ------------------------------------------------------------------


def test_problems_are_found_at_any_depth(tmp_path):
    deep = tmp_path / "submission" / "ee641-hw1-name"
    write_files(deep, {"problem1/utils.py": "", "problem2/model.py": ""})
    write_files(tmp_path, {"submission/.git/problem1/utils.py": "", "a/b/c/problem1/old.py": ""})
    assert find_problems(tmp_path) == {name: [deep / name] for name in ("problem1", "problem2")}


def test_only_regular_files_are_taken_in(tmp_path):
    source, root = tmp_path / "source", tmp_path / "root"
    root.mkdir()
    write_files(source, {
        "problem1/utils.py": "x = 1\n", "problem1/results/best_model.pth": "weights",
        "problem1/__pycache__/utils.pyc": "", "problem1/.git/config": "",
        "problem1/" + "/".join("d" * (MAX_DEPTH + 2)) + "/deep.py": "", "secret.txt": "secret"})
    (source / "problem1" / "link.py").symlink_to(source / "secret.txt")
    (source / "problem1" / "folder").symlink_to(source)
    if hasattr(os, "mkfifo"):
        os.mkfifo(source / "problem1" / "pipe")
    taken = take_in(source, root)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files == {"problem1/utils.py", "problem1/results/best_model.pth"}
    assert "problem2/ is missing" in taken.notes
    assert "problem1/link.py: not a regular file, left out" in taken.notes
    assert "problem1/folder: a link, left out" in taken.notes
    assert "problem1/d/d/d/d/d/d/d/d: deeper than 8 folders, left out" in taken.notes


def test_a_flood_of_files_is_cut_with_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.engine.submission.MAX_FILES", 3)
    root = tmp_path / "root"
    root.mkdir()
    write_files(tmp_path / "source", {f"problem1/f{i}.py": "" for i in range(6)})
    taken = take_in(tmp_path / "source", root)
    assert len(list((root / "problem1").iterdir())) == 3
    assert taken.notes[-1] == "problem1/f3.py and what follows: beyond 3 files or 500 MiB, left out"


def test_a_check_gets_only_the_results_it_asks_for(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    write_files(tmp_path / "source", {
        "problem1/utils.py": "", "problem1/results/best_model.pth": "w",
        "problem1/results/training_log.json": "{}", "problem1/results/visualizations/a.png": ""})
    taken = take_in(tmp_path / "source", root)
    folder = private_copy(taken, "problem1", ("training_log.json",), tmp_path / "check-1")
    assert folder == tmp_path / "check-1" / "problem1"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"utils.py", "results/training_log.json"}
    nothing = private_copy(taken, "problem2", (), tmp_path / "check-2")
    assert [path.name for path in nothing.iterdir()] == ["results"]
