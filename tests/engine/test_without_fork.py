"""A grade on a machine as most students have it, without fork and what Linux has beside it."""

import os
import subprocess
import sys

import pytest

from tests.grading import ROOT, copy_solution, patch

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
