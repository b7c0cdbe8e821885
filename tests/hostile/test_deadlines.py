"""Deadlines and budgets hold, with every row there, whatever the code does."""

import os
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine import grade as grading
from autograder.engine.check import call
from autograder.engine.messages import no_answer
from autograder.engine.sandbox import channel
from autograder.engine.sandbox import pool as workers
from autograder.engine.submission import Submission

from .conftest import fork_only, unique
from .submissions import NEIGHBOUR, TARGETS, Attack, build

pytestmark = fork_only

CODE = """
import os, signal, struct, time

def ignores():
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass

def writes():
    for number in range(1000):
        with open(f"file-{number}", "wb") as file:
            file.write(bytes(1 << 20))
        time.sleep(0.01)

def nests():
    for number in range(20):
        os.mkdir(f"d{number}")
        for inner in range(100):
            os.mkdir(f"d{number}/{inner}")
    time.sleep(600)

def hogs():
    for _ in range(4):
        if os.fork() == 0:
            kept = bytearray(100 << 20)
            time.sleep(600)
    time.sleep(600)

def shares():
    kept = bytearray(100 << 20)
    for _ in range(12):
        if os.fork() == 0:
            time.sleep(600)
    time.sleep(2)
    return len(kept)

def deletes():
    held = []
    for number in range(8):
        held.append(os.open("large", os.O_CREAT | os.O_RDWR))
        os.unlink("large")
        os.posix_fallocate(held[-1], 0, 5 << 20)
    time.sleep(600)

def waits():
    time.sleep(600)

def looks_blocked():
    import ctypes
    # clone, CLONE_VFORK
    if ctypes.CDLL(None).syscall(56, 0x4000 | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        time.sleep(600)

def replies_and_stays():
    import threading
    threading.Thread(target=time.sleep, args=(600,)).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return 1

class Stays:
    def __del__(self):
        time.sleep(600)

def stays():
    globals()["kept"] = Stays()
    return 1

def replies_and_waits():
    value = b'[{"dict":[["value",1]]},[]]'
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack("<8sIQ", b"GRADEW2\\n", len(value), 0) + value)
        except OSError:
            pass
    time.sleep(600)

def waits_and_replies():
    time.sleep(1.4)
    return 1

def drips():
    end = time.monotonic() + 600
    while time.monotonic() < end:
        time.sleep(0.3)
        sum(range(100_000))

def far():
    for _ in range(40):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    time.sleep(600)

def says_time_is_up():
    class TimeUp(BaseException):
        pass
    raise TimeUp

def one():
    return 1
"""


@pytest.fixture
def ask(scene, warm):
    """`ask(function, cpu_seconds)`: the answer of a function above."""
    folder = scene.room / "deadlines" / "problem1"
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("utils.py").write_text(CODE)
    inquiry = warm.about(Submission(folder.parent, ()))

    def run(name: str, cpu_seconds: int = 20) -> workers.Answer:
        question = replace(call("problem1", f"utils.{name}"), cpu_seconds=cpu_seconds)
        return inquiry.ask(question, "1.2", 0).result()

    return run


def test_the_hard_limit_on_time_is_called_so(ask, nothing_left):
    """A loop that ignores the soft limit is killed by the hard one: too late, not too large."""
    answer = ask("ignores", 1)
    assert answer.status == "timeout" and answer.cpu_seconds < 4
    assert no_answer(answer, replace(call("problem1", "utils.ignores"), cpu_seconds=1)).startswith(
        "Your code did not finish within 1 CPU seconds")
    nothing_left()


def test_what_a_check_may_write_is_bounded_while_it_runs(ask, nothing_left, monkeypatch):
    monkeypatch.setattr(channel, "MAX_DISK", 20 << 20)
    answer = ask("writes")
    assert (answer.status, answer.detail) == ("died", "it wrote more than 20 MiB of files")
    nothing_left()
    assert ask("one").value == 1


def test_how_many_files_a_check_may_make_is_bounded(ask, nothing_left, monkeypatch):
    monkeypatch.setattr(channel, "MAX_ENTRIES", 1500)
    answer = ask("nests")
    assert (answer.status, answer.detail) == (
        "died", "it made more than 1,500 files and folders")
    nothing_left()


def test_the_memory_of_all_processes_of_a_check_is_bounded(ask, warm, nothing_left, monkeypatch):
    """Many small ones would else use up what others need, who are then killed instead."""
    if not warm.places.uids and warm.layers()["PID namespace"]:
        pytest.skip("nothing tells whose processes are the check's")
    monkeypatch.setattr(channel, "MAX_MEMORY", 300 << 20)
    answer = ask("hogs")
    assert (answer.status, answer.detail, answer.killed) == (
        "died", "its processes used more than 300 MiB of memory together", False)
    nothing_left()
    assert ask("one").value == 1


def test_memory_that_processes_share_counts_once(ask, warm, nothing_left, monkeypatch):
    if warm.layers()["PID namespace"]:
        pytest.skip("a container hides how much is shared")
    monkeypatch.setattr(channel, "MAX_MEMORY", 500 << 20)
    assert ask("shares").value == 100 << 20
    nothing_left()


def test_files_that_are_deleted_and_still_open_count(ask, warm, nothing_left, monkeypatch):
    if warm.layers()["PID namespace"]:
        pytest.skip("a container hides what is open")
    monkeypatch.setattr(channel, "MAX_DISK", 20 << 20)
    answer = ask("deletes")
    assert (answer.status, answer.detail) == ("died", "it wrote more than 20 MiB of files")
    nothing_left()


def test_a_full_disk_ends_a_check(ask, monkeypatch):
    """What is deleted and still open is in no folder; the disk as a whole shows it."""
    free = iter([10 << 30] + [0] * 100)
    monkeypatch.setattr(channel.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    answer = ask("waits")
    assert (answer.status, answer.detail) == ("died", "the disk was full")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the number of a system call is used")
def test_who_waits_for_a_child_of_vfork_wants_no_processor(ask, warm, monkeypatch):
    """Its state is that of a process that waits for a disk; it must not be asked again alone."""
    if not warm.places.uids and warm.layers()["PID namespace"]:
        pytest.skip("nothing tells whose processes are the check's")
    monkeypatch.setattr(channel, "MOST_IDLE", 1.0)
    monkeypatch.setattr(channel, "MOST_BLOCKED", 2.0)
    answer = ask("looks_blocked")
    assert (answer.status, answer.starved) == ("waited", False)


def test_what_stays_after_its_reply_is_ended(ask, nothing_left):
    for name in ("replies_and_stays", "stays"):
        answer = ask(name)
        assert (answer.status, answer.value) == ("ok", 1)
        nothing_left()


def test_nothing_waits_for_what_has_replied(ask, nothing_left):
    begin = time.monotonic()
    assert [ask("replies_and_waits").value for _ in range(3)] == [1, 1, 1]
    assert time.monotonic() - begin < 3
    nothing_left()


def test_who_uses_hardly_any_processor_time_waits(ask, warm, monkeypatch):
    if not warm.places.uids and warm.layers()["PID namespace"]:
        pytest.skip("nothing tells whose processes are the check's")
    monkeypatch.setattr(channel, "MOST_IDLE", 1.5)
    assert ask("drips").status == "waited"


def test_waiting_adds_up_over_the_questions_of_a_problem(ask, warm, monkeypatch):
    if not warm.places.uids and warm.layers()["PID namespace"]:
        pytest.skip("nothing tells whose processes are the check's")
    monkeypatch.setattr(channel, "GLANCE", 0.1)
    monkeypatch.setattr(channel, "MOST_WAITED", 2.0)
    monkeypatch.setattr(channel, "LEAST_IDLE", 0.2)
    said = [ask("waits_and_replies") for _ in range(6)]
    assert said[0].value == 1 and said[0].idle > 0.5
    told = [answer.status for answer in said]
    assert told.count("waited") == 2 and told == sorted(told, key=["ok", "waited", "hung"].index)


def test_no_folder_is_too_far_down_to_be_counted(ask, nothing_left):
    answer = ask("far")
    assert (answer.status, answer.detail) == (
        "died", "it made a folder whose path is longer than the system takes")
    nothing_left()


def test_only_who_has_used_up_its_time_is_told_so(ask):
    answer = ask("says_time_is_up")
    assert (answer.status, answer.error["type"]) == ("error", "TimeUp")


@pytest.mark.proof
def test_the_budget_ends_the_run_with_every_row(scene, warm, references, monkeypatch):
    """One problem hangs for ever; the run does not, says so in each row, and judges the other."""
    monkeypatch.setattr(channel, "MOST_IDLE", 600.0)  # so that the budget is what ends it
    folder = build(Attack("hangs", 14, "", call="import time\ntime.sleep(10**6)"),
                   unique("budget-", scene.room), scene.constants())
    options = grading.Options(only=(*TARGETS, NEIGHBOUR), budget=12)
    outcome = grading.grade(ASSIGNMENT, folder, options, references=references, workers=warm)
    assert [row.check.number for row in outcome.rows] == [*TARGETS, NEIGHBOUR]
    assert outcome.not_run == [*TARGETS] and not outcome.grader_broke
    assert outcome.score == outcome.rows[-1].check.points  # nothing is known of the others
    assert outcome.seconds < 60
