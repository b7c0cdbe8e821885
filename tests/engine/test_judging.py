"""Answers that are made to keep the grader busy: it reads them in a process that may be lost."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.compare import Wrong
from autograder.engine.judging import Judge, NoAnswer, same
from autograder.engine.results import SUBMISSION_BROKE
from autograder.engine.sandbox import wire
from autograder.engine.sandbox.bounded import Bounded, Fault, OutOfBounds
from autograder.engine.sandbox.channel import Answer
from tests.grading import answered, copy_solution, fork_only, patch, write_files

HERE = __name__


@pytest.fixture
def bounded(tmp_path):
    processes = Bounded("tests.toy", tmp_path, cpu_seconds=1)
    yield processes
    processes.close()


def test_the_same_numbers_of_another_kind_are_another_answer():
    numbers = np.arange(3)
    assert same({"x": numbers}, {"x": numbers.astype(np.int32)})
    assert not same({"x": numbers}, {"x": numbers.astype(float)})


def whoami() -> int:
    return os.getpid()


def burn() -> int:
    end = time.process_time() + 0.4
    while time.process_time() < end:
        pass
    return os.getpid()


def spin() -> None:
    while True:
        pass


def fill() -> int:
    return len(bytearray(2**32))


def write() -> None:
    with open("left", "w", encoding="utf-8") as file:
        file.write("x")


def fault() -> None:
    raise KeyError("no such thing")


def test_a_process_serves_many_calls_and_none_of_them_is_the_grader(bounded):
    first, second = (bounded.call(f"{HERE}.whoami") for _ in range(2))
    assert first == second != os.getpid()


@fork_only  # elsewhere nothing but the deadline ends it
@pytest.mark.parametrize("function", ["spin", "fill"])
def test_a_call_that_takes_too_much_is_lost_and_the_next_one_runs(bounded, function):
    before = bounded.call(f"{HERE}.whoami")
    with pytest.raises(OutOfBounds):
        bounded.call(f"{HERE}.{function}")
    assert bounded.call(f"{HERE}.whoami") not in (before, os.getpid())


@fork_only
def test_time_is_counted_for_each_call(bounded):
    assert len({bounded.call(f"{HERE}.burn") for _ in range(4)}) == 1  # 1.6 CPU seconds in all


@fork_only
def test_nothing_is_written(bounded, tmp_path):
    with pytest.raises(Fault, match="Error"):
        bounded.call(f"{HERE}.write")
    assert not sum(path.stat().st_size for path in tmp_path.glob("left"))


def test_a_fault_of_the_kit_is_told_apart(bounded):
    with pytest.raises(Fault, match="KeyError: 'no such thing'"):
        bounded.call(f"{HERE}.fault")
    assert bounded.call(f"{HERE}.whoami")


@pytest.fixture
def judge(warm, public):
    """`judge(number, answer)`: the outcome of a check, judged in another process."""
    def run(number: str, answer: Answer):
        return Judge(ASSIGNMENT, warm.bounded).judge(
            ASSIGNMENT.by_number[number], "public", public.by_number[number], answer)

    return run


def colliding(count: int) -> list[int]:
    """Keys of a dict that all have one hash."""
    return [k * (2**61 - 1) for k in range(count)]


def test_right_and_wrong_answers_are_told_apart(judge, public):
    right = public.by_number["1.3.1"].expected
    assert judge("1.3.1", answered(right)).passed
    wrong = judge("1.3.1", answered(right + 0.5))
    assert type(wrong.error) is Wrong and "should be" in str(wrong.error)
    assert isinstance(judge("1.3.1", Answer("timeout")).error, NoAnswer)


@pytest.mark.parametrize("content", [
    pytest.param(b"", id="nothing"),
    pytest.param(b"x" * 2**20, id="noise"),
    pytest.param(b"[" * 2**20, id="deep"),
    pytest.param(b"[" + b"9" * (2**20 - 2) + b"]", id="a long number"),
    pytest.param(str([{"dict": [[k, 0] for k in colliding(30_000)]}, []]).replace(
        "'", '"').encode(), id="colliding keys"),
    pytest.param(str([{"dict": [["value", [{"dict": [[k, 0] for k in colliding(500)]}] * 40]]},
                      []]).replace("'", '"').encode(), id="many dicts of colliding keys"),
    pytest.param(b'[{"dict": [["value", [' + b"[]," * 300_000 + b"[]]]]}, []]", id="unpacks"),
])
def test_a_reply_that_is_made_to_be_slow_fails_its_check(judge, content):
    frame = wire.HEADER.pack(wire.MAGIC, len(content), 0) + content
    outcome = judge("1.3.1", Answer("ok", frame))
    assert isinstance(outcome.error, Wrong) and not outcome.passed


@fork_only
def test_an_answer_larger_than_any_right_one_is_not_read(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem1")
    patch(root, "problem1/utils.py", (
        "    top_left = ",
        "    if len(boxes1) == 1: return torch.zeros(5000, 5000)\n    top_left = "))
    made = grade_checks(root, ["1.3.1", "1.3.2"])
    told = [row.message.splitlines()[0] for row in made.rows if row.verdict == SUBMISSION_BROKE]
    assert told == ["Your code answered with 100.0 MB, which is more than any right answer to this "
                    "check has in tensors; in lists the same numbers take more."]


@pytest.mark.slow
def test_the_seed_is_that_of_the_run_and_not_of_the_check(tmp_path, grade_checks, public):
    """One number for all checks and tiers, another for other code."""
    def seeds(text: str) -> set[str]:
        root = write_files(tmp_path / str(len(text)), {"problem1/utils.py": text})
        made = grade_checks(root, ["1.3.1", "1.3.2", "1.4.1"],
                            sets=[public, replace(public, tier="hidden")])
        return {said.split("seed ")[1].split()[0] for row in made.rows
                for _, _, said in row.tiers.values() if "seed " in said}

    text = ("import torch\ndef compute_iou(a, b):\n"
            "    raise ValueError(f'seed {torch.initial_seed()} .')\n"
            "encode_boxes = compute_iou\n")
    first, again, other = seeds(text), seeds(text), seeds(text + "# other\n")
    assert len(first) == len(other) == 1 and first == again != other
