"""Dishonest submissions gain nothing, see nothing, hurt no other check and leave nothing behind.

What each of them tries is in `attacks/`.
"""

import os
import re
import stat

import numpy as np
import pytest
import torch

from autograder.assignment import ASSIGNMENT
from autograder.engine.check import Question, call
from autograder.engine.results import GRADER_BROKE, MAX_OUTPUT, NOT_RUN
from autograder.engine.sandbox import pool as workers
from autograder.engine.sandbox.folders import remove
from autograder.engine.submission import Submission, take_in
from tests.grading import sampled

from .attacks import IN_CODE, IN_FILES, WEIGHTS
from .attacks.weights import MODEL, state
from .conftest import fork_only, stolen, unique
from .submissions import NEIGHBOUR, SPY, TARGETS, Attack, build

ATTACKS = IN_CODE + IN_FILES
BOX = np.array([[0, 0, 4, 2]], dtype=np.float32)
HEATMAP = np.array([[[[0, 1], [0, 0]]]], dtype=np.float32)

pytestmark = fork_only


def test_every_row_has_its_attacks():
    names = [(attack.row, attack.name) for attack in ATTACKS]
    names += [(12, weights.name) for weights in WEIGHTS]
    assert {row for row, _ in names} == set(range(1, 26))
    assert len(names) == len(set(names)) >= 200


@pytest.mark.parametrize("attack", sampled(ATTACKS, 7),
                         ids=lambda attack: f"{attack.row} {attack.name}")
def test_attack(attack, carry_out, twins, active, hidden_numbers, nothing_left):
    if attack.stopped_by and not active & set(attack.stopped_by):
        pytest.skip(f"this machine lacks {' and '.join(attack.stopped_by)}")
    run, twin = carry_out(attack), twins[attack.honest]

    wanted = [TARGETS[0], NEIGHBOUR] if attack.once or attack.slow else [*TARGETS, NEIGHBOUR]
    assert [test["number"] for test in run.results["tests"]] == wanted
    assert run.rows(NEIGHBOUR) == twin.rows(NEIGHBOUR)
    for row in run.grade.rows:
        assert row.verdict not in (GRADER_BROKE, NOT_RUN), row
        assert row.score <= twin.score(row.check.number), row
        if attack.unchanged:
            assert row.score == twin.score(row.check.number), row
    assert not run.grade.grader_broke

    assert stolen(run.text) == []
    assert not set(re.findall(r"\d+\.\d+", run.text)) & hidden_numbers
    for test in run.results["tests"]:
        assert len(test["output"]) <= MAX_OUTPUT
    assert len(run.text) < 50_000
    assert all(c.isprintable() or c == "\n" for c in run.text)
    assert run.seconds < 60
    nothing_left()


def test_the_results_stay_a_file(carry_out, scene):
    carry_out(Attack("honest", 0, "", honest=True))
    status = (scene.room / "results" / "results.json").lstat()
    assert stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid()


# --- weights ---------------------------------------------------------------------------------

LOAD = Question("problem1", "keypoint_predictions",
                {"model": "model.Tiny", "file": "best_model.pth",
                 "images": np.zeros((1, 2, 2), np.uint8)},
                results=("best_model.pth",), cpu_seconds=10)


@pytest.fixture
def load(scene, warm):
    """`load(write)`: what the grader says about a submission with these weights."""
    def ask(write) -> tuple[workers.Answer, Submission]:
        folder = unique("weights-", scene.room)
        build(Attack("weights", 12, "", honest=True), folder, scene.constants())
        (folder / "problem1" / "model.py").write_text(MODEL)
        write(folder / "problem1" / "results" / "best_model.pth")
        root = unique("taken-", scene.room / "tmp")
        inquiry = warm.about(take_in(folder, root, ASSIGNMENT.problems))
        answer = inquiry.ask(LOAD, "1.13", 0).result()
        neighbour = call("problem2", "evaluate.extract_keypoints_from_heatmaps", HEATMAP)
        honest = inquiry.ask(neighbour, "2.5", 0)
        assert honest.result().value.tolist() == [[[1, 0]]]
        assert not list(scene.room.rglob("unpickled"))
        remove(folder)
        remove(root)
        return answer

    return ask


def test_good_weights_are_loaded(load):
    answer = load(lambda path: torch.save(state(), path))
    assert (answer.status, answer.value["trained"].shape) == ("ok", (1, 1, 2))


@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda weights: weights.name)
def test_weights(weights, load, nothing_left):
    answer = load(weights.write)
    assert answer.status in ("error", "died", "timeout")
    if answer.status == "error":
        assert len(answer.error["message"]) <= 500
        assert weights.says in answer.error["message"]
        assert stolen(repr(answer)) == []
    else:
        assert not weights.says
    nothing_left()


# --- the tests themselves ----------------------------------------------------------------------


@pytest.mark.proof
def test_without_the_lock_down_the_secrets_are_found(scene):
    """The attacks are real ones: where nothing stops them they succeed."""
    names = {"reads hidden data", "uses the solution", "reads the home", "signals the grader",
             "reads the references", "imports the references",
             "memory of the grader", "environments of all processes", "limits the grader",
             "listens", "connects", "odd sockets", "connects to a local socket",
             "connects to a socket that is a file", "passes notes in keys", "files in memory",
             "watches others' files", "timer bomb",
             "lists parent folders", "one huge file", "thread bomb"}
    folder = unique("unlocked-", scene.room)
    found = {}
    with workers.Workers(ASSIGNMENT, slots=1, isolate=False) as pool:
        for attack in IN_CODE:
            if attack.name in names:
                root = unique("one-", folder)
                build(attack, root, {**scene.constants(), "PUBLIC": {}})
                question = call("problem1", "utils.encode_boxes", BOX, BOX + 1)
                answer = pool.about(Submission(root, ())).ask(question, "1.4", 0).result()
                found[attack.name] = bool(stolen(repr(answer)))
                if attack.name == "uses the solution":
                    found[attack.name] = answer.value.tolist() != [[0, 0, 0, 0]]
    remove(folder)
    while scene.visited():
        pass  # so that nobody is blamed for it later on
    assert set(found) == names and all(found.values()), found


# --- what one tier may tell the other ----------------------------------------------------------


def test_hidden_checks_tell_public_ones_nothing(scene, carry_out, hidden_numbers):
    """Side by side, a check that knows hidden inputs writes them into the name of its process.

    The names carry the mark of this scene: another one may run this very test beside it.
    """
    attack = Attack("names its process", 16, "", SPY, '''
name = MARK[-4:].encode() + b" "
if total(args) not in PUBLIC:
    for value in args[0].flatten()[:2].tolist() * 50:
        libc.prctl(15, name + f"{value:.6g}".encode(), 0, 0, 0)
        time.sleep(0.01)
else:
    for _ in range(100):
        for pid in processes():
            if read(f"/proc/{pid}/comm").startswith(name):
                raise ValueError("heard " + read(f"/proc/{pid}/comm").decode())
        time.sleep(0.01)
''')
    with workers.Workers(ASSIGNMENT, slots=2) as pool:
        run = carry_out(attack, pool)
    assert "heard" not in run.text
    assert not set(re.findall(r"\d+\.\d+", run.text)) & hidden_numbers
