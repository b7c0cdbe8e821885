"""Time that is up ends a check; where it was then is told, and no code can forge more than that."""

import os
import signal
import sys
import tracemalloc
from dataclasses import replace

import pytest

from autograder.assignment.checks.asking import call1
from autograder.engine.messages import no_answer
from tests.grading import fork_only

if sys.platform == "win32":
    pytest.skip("there are no such signals", allow_module_level=True)

from autograder.engine.sandbox import forked, whereabouts
from autograder.engine.sandbox import pool as workers

LIMITED = replace(call1("utils.f"), cpu_seconds=1)


@fork_only
def test_who_is_late_without_having_had_its_time_is_told_apart(answers, monkeypatch):
    """Who wanted more than it got, that is: not who slept, and not who used it up."""
    monkeypatch.setattr(workers, "PATIENCE", 0.05)
    seen, once = [], workers.Inquiry._once

    def watched(*args, **options):
        seen.append(once(*args, **options))
        return seen[-1]

    monkeypatch.setattr(workers.Inquiry, "_once", watched)
    text = "import time\ndef f():\n    while True: pass\ndef g():\n    time.sleep(600)\n"
    late, slept = answers(text, "utils.f", "utils.g")  # one of the 20 CPU seconds that it may have
    assert (late.status, slept.status) == ("timeout", "timeout")
    assert [answer.starved for answer in seen] == [True, True, False]


@fork_only
@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True:\n        try:\n            while 1: pass\n        except BaseException: pass",
    ],
    ids=["plain", "catches everything"],
)
def test_an_endless_loop_runs_out_of_time(answers, body):
    late, after = answers(f"def f():\n    {body}\ndef g():\n    return 1\n", LIMITED, "utils.g")
    assert late.status == "timeout"  # by its CPU time, or by the clock where others use the CPU
    # Where its time went is told unless the clock has ended it, or the code itself.
    assert no_answer(late, LIMITED).startswith(
        "Your code did not finish within 1 CPU seconds (utils.f)")
    assert after.value == 1


@fork_only
def test_a_loop_that_ignores_its_time_limit_is_killed(answers):
    text = ("import signal\ndef f():\n    signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
            "    while True: pass\n")
    answer, = answers(text, LIMITED)
    assert answer.status == "timeout" and answer.cpu_seconds < 4


@fork_only
def test_sleep_runs_out_of_time_as_well(answers, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.3)
    answer, = answers("import time\ndef f():\n    time.sleep(600)\n", LIMITED)
    assert answer.status == "timeout"


@fork_only
def test_a_loop_is_told_beside_the_place_where_time_was_up(answers):
    late, = answers("def f():\n    while True:\n        g()\ndef g():\n    while True:\n"
                    "        pass\n", LIMITED)
    assert no_answer(late, LIMITED).endswith("`, called from line 3: `g()`.")


@fork_only
@pytest.mark.parametrize(("text", "says"), [
    ("def f():\n    return g()\ndef g():\n    sum(range(10**14))\n",
     "line 4: `sum(range(10**14))`, called from line 2: `return g()`."),
    ("def f():\n    pass\nsum(range(10**14))\n",
     "line 3: `sum(range(10**14))`; what a file does when it is imported belongs below "
     '`if __name__ == "__main__":`.'),
    ("def f():\n    pass\nclass Net:\n    sum(range(10**14))\n",
     "line 3: `class Net:`, in line 4: `sum(range(10**14))`; what a file does when it is imported "
     'belongs below `if __name__ == "__main__":`.'),
], ids=["call", "import", "class"])
def test_the_line_is_known_of_compiled_code_that_never_ends(answers, text, says):
    answer, = answers(text, LIMITED)
    assert answer.status == "timeout"
    asked = "" if "imported" in says else " (utils.f)"
    assert no_answer(answer, LIMITED) == (f"Your code did not finish within 1 CPU seconds{asked} "
                                         f"in problem1/utils.py, {says}")


@pytest.mark.parametrize("text", ["", "nonsense", 'File "', "\0" * 10**5, (
    'Stack (most recent call first):\n  File "/etc/passwd", line 1 in f\n'), (
    'Stack (most recent call first):\n  File "{folder}/../../etc/passwd", line 1 in f\n')],
    ids=["empty", "nonsense", "cut off", "long", "elsewhere", "above"])
def test_a_file_that_names_none_of_the_submission_says_nothing(tmp_path, text):
    (tmp_path / whereabouts.NAME).write_text(text.replace("{folder}", str(tmp_path)))
    assert whereabouts.read(tmp_path, tmp_path) is None


@pytest.mark.parametrize("name", ["large.txt", "no\0name.py"])
def test_a_named_file_is_read_in_part_whatever_its_size_and_name(tmp_path, name):
    """Student code may name any file of the submission, and names that no file can have."""
    (tmp_path / "large.txt").write_text("a\n" * 2**20 + "last")
    (tmp_path / whereabouts.NAME).write_text(
        f'(most recent call first):\n  File "{tmp_path}/{name}", line {2**20 - 99_999} in f\n')
    tracemalloc.start()
    assert whereabouts.read(tmp_path, tmp_path)["code"] == ""
    assert tracemalloc.get_traced_memory()[1] < 60e6
    tracemalloc.stop()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd"),
                                  lambda path: None], ids=["fifo", "folder", "link", "nothing"])
def test_what_is_no_file_says_nothing(tmp_path, make):
    make(tmp_path / whereabouts.NAME)
    assert whereabouts.read(tmp_path, tmp_path) is None


@pytest.mark.parametrize(("number", "cpu", "used_up"), [
    ("SIGXCPU", 0.1, True), ("SIGKILL", 20.9, True), ("SIGKILL", 18.6, True),
    ("SIGKILL", 12.0, False), ("SIGSEGV", 20.9, False), (None, 20.9, False)])
def test_who_is_killed_for_its_time_is_told_from_who_is_killed_for_memory(number, cpu, used_up):
    """The kernel counts fewer seconds in the end than for its limit: 18.6 of 20 were seen."""
    assert forked.used_up(number and getattr(signal, number), cpu, 20) is used_up
