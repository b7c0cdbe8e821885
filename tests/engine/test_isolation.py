"""The processes themselves: nothing reaches the next check, and nothing is left behind."""

import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import psutil
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.checks.asking import call1
from autograder.engine.messages import no_answer
from autograder.engine.sandbox import pool as workers
from autograder.engine.sandbox import whereabouts
from autograder.engine.submission import Submission
from tests.grading import fork_only, write_files

OWN_DATASETS = "def own():\n    import datasets\n    return datasets.ANSWER\n"
DATASETS = {"problem1/datasets.py": "ANSWER = 42\n"}

# --- nothing reaches the next check ------------------------------------------------------------


def test_patched_libraries_and_globals_are_gone_in_the_next_check(answers):
    text = ("import builtins, numpy, os, random, sys, torch\n"
            "STATE = []\n"
            "def f():\n"
            "    STATE.append(1)\n"
            "    torch.zeros = torch.ones = numpy.zeros = lambda *a: 'patched'\n"
            "    builtins.print = None\n"
            "    random.random = lambda: 0.5\n"
            "    sys.modules['left_behind'] = sys\n"
            "    os.environ['LEFT_BEHIND'] = '1'\n"
            "    torch.set_default_dtype(torch.float64)\n"
            "    torch.nn.Module.forward = None\n"
            "    return torch.ones(2)\n"
            "def g():\n"
            "    return [STATE, torch.ones(2), numpy.zeros(1), 'left_behind' in sys.modules,\n"
            "            'LEFT_BEHIND' in os.environ, torch.zeros(1).dtype == torch.float32,\n"
            "            torch.is_grad_enabled(), torch.nn.Module.forward is None,\n"
            "            print is None]\n")
    changed, after = answers(text, "utils.f", "utils.g")
    assert changed.value == "patched"
    state, ones, zeros, *flags = after.value
    assert state == [] and ones.tolist() == [1, 1] and zeros.tolist() == [0]
    assert flags == [False, False, True, True, False, False]


def test_files_are_gone_in_the_next_check(answers):
    text = ("import os, tempfile\n"
            "from pathlib import Path\n"
            "def f():\n"
            "    Path('left').write_text('x')\n"
            "    Path('utils.py').write_text('def g(): return 7')\n"
            "    Path(tempfile.gettempdir(), 'left').write_text('x')\n"
            "    return sorted(os.listdir('.'))\n"
            "def g():\n"
            "    return [os.path.basename(os.getcwd()), sorted(os.listdir('.')),\n"
            "            os.listdir(tempfile.gettempdir())]\n")
    wrote, after = answers(text, "utils.f", "utils.g")
    assert wrote.value == ["left", "results", "utils.py"]
    name, files, above = after.value
    assert (name, files, {*above} - {whereabouts.NAME}) == (
        "problem1", ["results", "utils.py"], {"problem1"})


def test_random_numbers_are_seeded_by_the_check(answers):
    text = ("import random, numpy, torch\n"
            "def f():\n"
            "    return [random.random(), numpy.random.rand(), torch.rand(1).item()]\n")
    first, again = answers(text, "utils.f", "utils.f")
    other, = answers(text, "utils.f", seed=8)
    assert first.value == again.value
    assert all(a != b for a, b in zip(first.value, other.value, strict=True))


def test_what_a_check_is_given_is_its_own(answers):
    """A question that changes its argument changes a copy, not what the next check gets."""
    question = call1("utils.f", np.zeros(3))
    text = "def f(x):\n    x += 1\n    return x\n"
    first, again = answers(text, question, question)
    assert first.value.tolist() == again.value.tolist() == [1, 1, 1]
    assert question.inputs["args"][0].tolist() == [0, 0, 0]


def test_a_submission_may_have_modules_with_the_names_of_the_kits_own(warm, made_up):
    inquiry = warm.about(made_up({"problem1/utils.py": OWN_DATASETS, **DATASETS}))
    assert inquiry.ask(call1("utils.own"), "1.2", 0).result().value == 42


@fork_only
def test_the_environment_tells_nothing(answers, monkeypatch):
    text = "import os\ndef f():\n    return dict(os.environ)\n"
    answer, = answers(text, "utils.f")
    assert answer.value["CUDA_VISIBLE_DEVICES"] == "" and answer.value["OMP_NUM_THREADS"] == "1"
    assert not {"PYTHONPATH", "PYTEST_CURRENT_TEST", "USER", "SSH_AUTH_SOCK"} & set(answer.value)


# --- the pool itself ---------------------------------------------------------------------------


@fork_only
def test_slots_answer_side_by_side_and_everything_is_gone_afterwards(made_up, own_temp):
    """Two slots; processes that a check leaves behind, and all files, are gone in the end."""
    submission = made_up({"problem1/utils.py": (
        "import os, subprocess, sys, threading, time\n"
        "def f(i):\n    return i\n"
        "def child():\n"
        "    return subprocess.Popen(['sleep', '600']).pid and 'started'\n"
        "def thread():\n"
        "    threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "    return 'started'\n"
        "def loop():\n    while True: pass\n")})
    before = set(psutil.Process().children(recursive=True))
    with workers.Workers(ASSIGNMENT, slots=2, kind="fork") as pool:
        pool.layers()
        server = set(psutil.Process().children(recursive=True)) - before
        inquiry = pool.about(submission)
        futures = [inquiry.ask(call1("utils.f", i), "1.2", 0) for i in range(8)]
        left = [inquiry.ask(call1(f"utils.{name}"), "1.2", 0) for name in ("child", "thread")]
        late = inquiry.ask(replace(call1("utils.loop"), cpu_seconds=1), "1.2", 0)
        assert [future.result().value for future in futures] == list(range(8))
        assert [future.result().value for future in left] == ["started"] * 2
        assert late.result().status == "timeout"
        # No child of a check that has ended.
        assert set(psutil.Process().children(recursive=True)) - before == server
    assert pool.backend.process.returncode == 0  # it has gone by itself, having ended its children
    assert not [process for process in server if process.is_running()]
    assert not [p for p in psutil.process_iter() if p.pid in _sleepers()]
    assert list(own_temp.iterdir()) == []


def _sleepers() -> set[int]:
    """Processes that run `sleep 600`."""
    found = set()
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["cmdline"] == ["sleep", "600"] and process.info["status"] != "zombie":
            found.add(process.pid)
    return found


@fork_only
def test_a_budget_ends_the_run(warm, made_up):
    text = "import time\ndef f():\n    time.sleep(600)\ndef g():\n    return 1\n"
    inquiry = warm.about(made_up({"problem1/utils.py": text}), budget=0.5)
    cut, none = inquiry.ask(call1("utils.f"), "1.2", 0), inquiry.ask(call1("utils.g"), "1.2", 0)
    assert (cut.result().status, none.result().status) == ("budget", "budget")
    assert no_answer(none.result(), call1("utils.g")) == (
        "Not run: the time of the whole grading run was used up before this check.")


@fork_only
def test_a_server_that_is_gone_is_the_graders_fault(made_up, own_temp):
    with workers.Workers(ASSIGNMENT, slots=1) as pool:
        inquiry = pool.about(made_up({"problem1/utils.py": "def f(): return 1\n"}))
        assert inquiry.ask(call1("utils.f"), "1.2", 0).result().value == 1
        os.kill(pool.backend.process.pid, signal.SIGKILL)
        pool.backend.process.wait()
        with pytest.raises((workers.WorkersBroke, OSError)):
            inquiry.ask(call1("utils.f"), "1.2", 0).result()
    assert list(own_temp.iterdir()) == []


def test_a_folder_that_is_removed_is_the_graders_fault(made_up):
    with workers.Workers(ASSIGNMENT, slots=1) as pool:
        inquiry = pool.about(made_up({"problem1/utils.py": "def f(): return 1\n"}))
        shutil.rmtree(pool.folder)
        with pytest.raises(workers.WorkersBroke, match="something has removed"):
            inquiry.ask(call1("utils.f"), "1.2", 0).result()


# --- spawned workers ---------------------------------------------------------------------------

SPAWNED = """
import os, stat, sys, time, torch

STATE = []

def f(x):
    STATE.append(1)
    return [x * 2, len(STATE), os.getpid()]

def patch():
    torch.ones = None
    print("x" * 100_000)
    return os.getpid()

def is_patched():
    return [torch.ones is None, os.getpid()]

def bad():
    return 1 / 0

def draw():
    import matplotlib.pyplot as plt
    plt.plot([1, 2])
    return len(plt.gca().lines)

def leave():
    os._exit(0)

def sleep():
    time.sleep(600)

def forge():
    from autograder.engine.sandbox import wire
    for number in range(100):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, wire.pack({"value": "forged"}))
        except OSError:
            pass
    return "honest"
"""


@pytest.mark.proof
@pytest.mark.slow
def test_spawned_workers(tmp_path, own_temp):
    """The same protocol where fork is missing: a process goes on until code leaves something."""
    write_files(tmp_path, {"problem1/utils.py": SPAWNED + OWN_DATASETS, **DATASETS})
    before = set(psutil.Process().children(recursive=True))
    with workers.Workers(ASSIGNMENT, slots=1, kind="spawn") as pool:
        inquiry = pool.about(Submission(tmp_path, ()))

        def ask(name, *args, task="1.2", **changes):
            return inquiry.ask(replace(call1(f"utils.{name}", *args), **changes), task, 7).result()

        doubled, state, process = ask("f", np.arange(3)).value
        assert doubled.tolist() == [0, 2, 4] and state == 1
        again, state, same_process = ask("f", np.arange(3)).value
        assert state == 1 and same_process == process  # modules are imported afresh
        assert ask("f", np.arange(3), task="1.1").value[2] == process
        assert ask("draw").value == ask("draw", task="1.1").value == 1
        failure = ask("bad")
        assert no_answer(failure, call1("utils.bad")) == (
            "Your code raised ZeroDivisionError: division by zero in problem1/utils.py, line 19: "
            "`return 1 / 0`.")
        assert ask("patch").value == process and ask("own").value == 42

        patched, new_process = ask("is_patched", task="1.3").value
        assert not patched and new_process != process

        gone = ask("leave", task="1.3")
        assert (gone.status, gone.detail) == ("died", "it ended the process (os._exit or the like)")
        assert ask("forge", task="1.3").status == "garbage"  # the true reply came after it
        assert ask("f", np.arange(3), task="1.3").value[0].tolist() == [0, 2, 4]

        assert ask("sleep", task="1.3", cpu_seconds=1).status == "timeout"
        ask("f", np.arange(3), task="1.4")
        assert len(set(psutil.Process().children(recursive=True)) - before) == 3  # and a spare one
    assert not set(psutil.Process().children(recursive=True)) - before
    assert list(own_temp.iterdir()) == []
