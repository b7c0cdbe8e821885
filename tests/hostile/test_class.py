"""A class: what one submission does changes nothing for the one that is graded beside it."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.check import call
from autograder.engine.sandbox import pool as workers
from autograder.engine.submission import Submission

from .conftest import fork_only, unique
from .submissions import NEIGHBOUR, SPY, TARGETS, Attack, build

pytestmark = fork_only
BOX = np.array([[0, 0, 4, 2]], dtype=np.float32)
FORKS = """
for _ in range(40):
    try:
        if os.fork() == 0:
            break
    except OSError:
        pass
"""
GREEDY = [
    Attack("processors", 22, "", SPY, FORKS + """
attempt(os.sched_setaffinity, 0, range(os.cpu_count()))
while True:
    pass
"""),
    Attack("memory", 22, "", SPY, FORKS + """
hold = bytearray(64 << 20)
while True:
    hold[::4096] = bytes(len(hold[::4096]))
"""),
    Attack("disk", 22, "", SPY, FORKS + """
while True:
    Path(f"full-{os.getpid()}").write_bytes(bytes(1 << 24))
    os.sync()
"""),
    Attack("output", 22, "", SPY, FORKS + """
while True:
    os.write(1, b"x" * 10**6)
    send(b"y" * 10**6)
"""),
    Attack("signals", 22, "", SPY, """
while True:
    for pid in range(2, 1 << 16):
        attempt(os.kill, pid, signal.SIGKILL) if pid != os.getpid() else None
    attempt(os.kill, -1, signal.SIGKILL)
""", stopped_by=("own uid", "PID namespace", "Landlock 6")),
]


@pytest.fixture(scope="module")
def side_by_side(scene):
    with scene.entered(), workers.Workers(ASSIGNMENT, slots=2) as pool:
        yield pool


@pytest.mark.parametrize("greedy", [
    pytest.param(attack, marks=[pytest.mark.proof] * (attack is not GREEDY[0]), id=attack.name)
    for attack in GREEDY])
def test_a_greedy_submission_costs_its_neighbour_nothing(
        greedy, scene, side_by_side, carry_out, twins, active):
    if greedy.stopped_by and not active & set(greedy.stopped_by):
        pytest.skip(f"this machine lacks {' and '.join(greedy.stopped_by)}")
    folder = build(greedy, unique("greedy-", scene.room), scene.constants())
    question = replace(call("problem1", "utils.encode_boxes", BOX, BOX), cpu_seconds=2)
    done, seen = threading.Event(), []

    def ask() -> None:
        while not done.is_set():  # each time afresh: nobody calls a third time what has hung
            inquiry = side_by_side.about(Submission(folder, ()))
            seen.append(inquiry.ask(question, "1.4", 0).result().status)

    other = threading.Thread(target=ask)
    other.start()
    try:
        runs = [carry_out(Attack("honest", 0, "", honest=True), side_by_side) for _ in range(2)]
    finally:
        done.set()
        other.join()
    for run in runs:
        assert run.rows(*TARGETS, NEIGHBOUR) == twins[True].rows(*TARGETS, NEIGHBOUR)
        assert not run.grade.grader_broke and run.seconds < 30
    assert seen and "ok" not in seen
    assert scene.processes(side_by_side) == [] and scene.bystander.poll() is None
