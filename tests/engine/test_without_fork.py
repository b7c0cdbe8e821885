"""A grade on a machine as most students have it, without fork and what Linux has beside it."""

import os
import subprocess
import sys

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.grade import Options, grade
from autograder.engine.references import worker_seed
from autograder.engine.sandbox import spawned
from autograder.engine.sandbox.pool import Workers
from autograder.engine.submission import Submission
from tests.grading import ROOT, copy_solution, failed, message, patch

# Runs before anything else, in the grader and in each of its workers.
LACKING = """
import os, signal, sys
for module, names in {
        os: "fork forkpty geteuid getuid setsid killpg wait4 waitid sched_getaffinity sysconf",
        signal: "SIGXCPU SIGXFSZ SIGCHLD"}.items():
    for name in names.split():
        delattr(module, name)
sys.modules.update(dict.fromkeys(["fcntl", "grp", "pwd", "resource", "pyseccomp"]))
sys.platform = "freebsd"  # takes the ways of Python that Linux and macOS share
"""
GRADER = f"""{LACKING}
from autograder.__main__ import main
from autograder.engine.sandbox import interpreter
plain, lacking = interpreter.python, {LACKING!r}
interpreter.python = lambda statement: plain(lacking + statement)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_grade_without_fork(tmp_path):
    copy_solution(tmp_path)
    patch(tmp_path, "problem1/utils.py", (".clamp(min=0).prod", ".prod"))
    done = subprocess.run(
        [sys.executable, "-c", GRADER, "grade", str(tmp_path), "--only", "1.3,1.5,1.11,2.7"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines if line[:4] in ("LOST", "ok  ")] == [
        ["LOST", "1.3"], ["ok", "1.5"], ["ok", "1.11"], ["ok", "2.7"]], done.stdout
    assert "1.5.1" in done.stdout.split("ok   1.5")[1].split("ok   1.11")[0]  # followed through


@pytest.mark.slow
def test_spawned_workers_follow_through(tmp_path, public, monkeypatch):
    """One process serves several questions: stand-ins of one must not reach the next."""
    root = copy_solution(tmp_path, "problem1")
    patch(root, "problem1/utils.py", (".clamp(min=0).prod", ".clamp(min=0).sum"))
    patch(root, "problem1/evaluate.py",
          ("from utils import compute_iou, decode_boxes, nms\n",
           "from problem1 import utils\nfrom problem1.utils import decode_boxes, nms\n"),
          ("iou = compute_iou(", "iou = utils.compute_iou("))
    started, start = [], spawned.start
    monkeypatch.setattr(spawned, "start", lambda *some: started.append(some) or start(*some))
    with Workers(ASSIGNMENT, slots=1, kind="spawn") as pool:
        options = Options(only=["1.3.1", "1.10.1"])
        made = grade(ASSIGNMENT, root, options, references=[public], workers=pool)
        assert failed(made) == {"1.3.1"}
        assert message(made, "1.10.1").startswith("Points given although ")

        inquiry, reference = pool.about(Submission(root, ())), public.by_number["1.10.1"]

        def ask(earlier):
            seed = worker_seed(public.made)
            return inquiry.ask(reference.question, "1.10", seed, earlier).result()

        wrong, right, again = (ask(earlier) for earlier in (
            None, {"answer": reference.earlier}, None))
        assert wrong.value == again.value != right.value == reference.expected
        assert right.called == ("utils.compute_iou",)
        assert len(started) == 3  # one of the grade, one asked here, and a spare one
