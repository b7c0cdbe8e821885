"""Whatever a student's function returns, its check passes or says what is wrong."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.compare import Wrong
from autograder.engine.judging import judge
from autograder.engine.sandbox.wire import Foreign
from tests.grading import (
    FUNCTIONAL,
    answered,
    copy_solution,
    failed,
    functional,
    message,
    patch,
)

ODD = [
    None, True, 3, -1.5, float("nan"), "text", "", Foreign("module"), [], (), {}, [None], [1, 2, 3],
    (1.0, 2.0), {"a": 1}, {0.05: None}, [[1, 2], [3]], (None,) * 4, [np.zeros(3), "x"],
    np.zeros(0, np.float32), np.asarray(1, np.float32), np.asarray(np.nan), np.ones(1),
    np.zeros((2, 3), np.float32), np.zeros((2, 3, 4, 5, 6)), np.zeros(3, bool),
    np.full((4, 4), np.nan),
]


def mutations(value: Any) -> Iterator[Any]:
    """Odd values in the place of a right one, and in the place of each of its parts."""
    yield from ODD
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
            for odd in mutations(value[key]):
                yield {**value, key: odd}
    elif isinstance(value, (list, tuple)):
        yield type(value)(value[:-1])
        yield type(value)([*value, *value[:1]])
        for i in {0, len(value) - 1} if len(value) else ():
            for odd in mutations(value[i]):
                yield type(value)([*value[:i], odd, *value[i + 1:]])
    elif isinstance(value, np.ndarray):
        yield value.astype(np.float64) * np.nan
        yield value[None]
        yield value.astype(bool)
        yield value.ravel()[:-1]
        yield value.tolist()


# What the kit's probe puts around the student's value: the path to it, None for all of a list.
PLACES = {
    "call": [()], "collated": [()], "heatmaps": [()], "mining": [()], "calls": [(None,)],
    "annotated_items": [("items", None)], "keypoint_items": [("items", None)],
    "detection_loss": [("losses",)], "train_epoch": [("returned", None)],
    "validate": [("returned",)], "train_keypoints": [("returned",)],
    "trainings": [(None, "returned")],
    "feature_maps": [(None, "maps")],
    "ablation": [("rows",), ("file",)], "failure_cases": [("reports", None)],
    "scale_performance": [("counts",)], "scale_pictures": [(), (None,)], "pictures": [(), (None,)],
    "network": [("values", None, None), ("again", None), ("slopes", None)],
    "network_output": [("values", None, None)],
}


def answers(answer: Any, path: tuple) -> Iterator[Any]:
    """Mutations of what stands at the end of `path` in a right answer."""
    if not path:
        yield from mutations(answer)
        return
    step, *rest = path
    if step is None:
        for i in range(len(answer)):
            for odd in answers(answer[i], tuple(rest)):
                yield [*answer[:i], odd, *answer[i + 1:]]
    elif isinstance(answer, dict):
        for odd in answers(answer[step], tuple(rest)):
            yield {**answer, step: odd}


LARGE = ("1.8.4", "2.9.2")  # answers that take seconds to change everywhere


@pytest.mark.parametrize("number", [
    pytest.param(number, marks=[pytest.mark.proof] * (number in LARGE)) for number in FUNCTIONAL])
def test_an_odd_answer_never_breaks_the_grader(number, public):
    check, reference = ASSIGNMENT.by_number[number], public.by_number[number]
    question = replace(reference.question, inputs=dict(reference.question.inputs))  # unpacked once
    reference = replace(reference, question=question)

    def error(answer: Any) -> Exception | None:
        return judge(check, "public", reference, answered(answer)).error

    assert error(reference.expected) is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in PLACES.get(reference.question.probe, []):
            for odd in answers(reference.expected, path):
                found = error(odd)
                if found is not None:
                    assert isinstance(found, Wrong), repr(odd)
                    assert 10 < len(str(found)) < 600 and "object at 0x" not in str(found)


TOTAL = '            "loss_total": loss_obj + loss_cls + 2 * loss_loc,\n'


@pytest.mark.parametrize(("old", "new", "lost", "says"), [
    ("        return {\n            \"loss_obj\"",
     "        return loss_obj\n        return {\n            \"loss_obj\"",
     "1.7.1 1.7.2 1.7.3 1.7.4 1.7.5 1.7.6 1.7.7",
     "DetectionLoss should return a dict with loss_obj, loss_cls, loss_loc and loss_total, but "
     "returned an object of type Tensor"),
    (TOTAL, "", "1.7.4 1.7.5 1.7.6 1.7.7",
     "the loss dict should have the entry 'loss_total'; it has 'loss_obj', 'loss_cls', "),
    (TOTAL, TOTAL.replace("loss_obj + loss_cls + 2 * loss_loc",
                          "(loss_obj + loss_cls + 2 * loss_loc).item()"), "1.7.5 1.7.6 1.7.7",
     "loss_total should pass a gradient to the "),
], ids=["no dict", "no total", "constant"])
def test_a_loss_of_another_form_says_so(tmp_path, grade_checks, old, new, lost, says):
    root = copy_solution(tmp_path, "problem1")
    patch(root, "problem1/loss.py", (old, new))
    grade = grade_checks(root, functional("1.7"))
    assert failed(grade) == {*lost.split()}
    assert all(says in message(grade, number) for number in lost.split()[-2:])
