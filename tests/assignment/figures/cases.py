"""Wrong answers of every kind, their figures, and a grade made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.check import Judgement
from autograder.engine.compare import Wrong
from autograder.engine.judging import Outcome
from autograder.engine.messages import explain
from autograder.engine.pages.canvas import Figure
from autograder.engine.pages.figures import figure_of
from autograder.engine.results import FAILED, PASSED, Grade, Row
from tests.grading import answered

CHECKS = ASSIGNMENT.by_number


@dataclass(frozen=True)
class Case:
    """A check, an answer to it, and what the figure shows.

    Args:
        answer: makes it from what is expected and the question.
        panels: what the words of each panel begin with, in order; regular expressions.
        caption: a part of the caption.
        right: whether the check passes with this answer.
    """

    number: str
    answer: Callable[[Any, Any], Any]
    panels: tuple[str, ...]
    caption: str
    right: bool = False


def _targets(change):
    """A change of the targets of all items of a dataset."""
    return lambda e, q: {**e, "items": [(image, change(target)) for image, target in e["items"]]}


def _images(change):
    return lambda e, q: {**e, "items": [(change(image), target) for image, target in e["items"]]}


def _claim_lost(e, q):
    """A positive anchor as background, as if no object claimed it."""
    labels, boxes, positive, negative = (value.copy() for value in e)
    i = np.flatnonzero(positive)[0]
    labels[i], boxes[i], positive[i], negative[i] = 0, 0, False, True
    return labels, boxes, positive, negative


def _scale_major(e, q):
    """All cells of one scale before the next scale."""
    scales, = q.inputs["args"][1]
    return [e[0].reshape(-1, len(scales), 4).swapaxes(0, 1).reshape(-1, 4)]


def _gradients(e, q):
    """The second map has a positive that it should not have."""
    changed = [gradient.copy() for gradient in e["gradients"]]
    changed[1][0, 5, 1, 2] = 0.7
    return {**e, "gradients": changed}


def _found(e, q):
    """Every object but one, and a detection too many in another image."""
    found = [{"boxes": t["boxes"].astype(np.float32), "labels": t["labels"].astype(np.int64),
              "scores": np.linspace(0.9, 0.6, len(t["labels"]), dtype=np.float32),
              "maps": np.zeros(len(t["labels"]), np.int64)}
             for t in q.truth]
    first = int(np.argmax([len(t["labels"]) for t in q.truth]))
    found[first] = {name: value[1:] for name, value in found[first].items()}
    nothing = {"rows": np.zeros((0, 8), np.float32), "anchors": np.zeros(0, np.int64)}
    return {"decoded": found, "decoding_error": None, "raw": [nothing] * len(found),
            "fresh": [nothing] * 8, "claims": []}


def _points(e, q):
    moved = q.truth + np.linspace(0, 0.2, len(q.truth))[:, None, None]
    return {"trained": moved.astype(np.float32), "fresh": q.truth[:q.inputs["fresh"]] * 0,
            "claims": []}


def _log(epochs):
    falling = [float(v) for v in np.geomspace(1, 0.1, epochs)]
    return lambda e, q: {"curves": [falling, falling[::-1]] * (len(q.inputs["curves"]) // 2),
                         "networks": []}


CASES = [
    Case("1.1.1", _images(lambda image: image * 255),
         ("item 0: the image, expected", "item 0: the image, yours"), "The first item"),
    Case("1.1.2", _targets(lambda t: {**t, "boxes": t["boxes"] * 2}),
         (r"item 0: (\d) boxes expected, \1 came back", "item 1: ", "item 2: "),
         "on their images"),
    Case("1.2.2", _scale_major, (r"map 0 of (\d) x \1 cells: anchors of row 0, column 0",),
         "rows of the list"),
    Case("1.2.3", lambda e, q: [a[:, [1, 0, 3, 2]] for a in e],
         ("map 0 of", "map 1 of"), "cells of the map"),
    Case("1.3.1", lambda e, q: e * 0.75,
         tuple(rf"iou\[0, {i}\] is [.\d]+, yours: 0\.\d" for i in range(3)),
         "Pairs of boxes whose IoU differs"),
    Case("1.3.2", lambda e, q: e.T,
         (r"expected: IoU of all pairs, \d x \d", r"yours: IoU of all pairs, \d x \d"),
         "IoU of every"),
    Case("1.3.8", lambda e, q: [e[0] * 0 + 1, e[1]],
         (r"expected: IoU of all pairs, \d x \d", r"yours: IoU of all pairs, \d x \d"),
         "IoU of every"),
    Case("1.4.2", lambda e, q: e * 10, ("row 0: anchor", "row 1: anchor", "row 2: anchor"),
         "Where your offsets lead"),
    Case("1.4.3", lambda e, q: np.concatenate([e[:1] + [5, 0, 5, 0], e[1:]]), ("row 0: anchor",),
         "decoded from offsets"),
    Case("1.5.5", _claim_lost,
         (r"anchor \d, expected: positive, label \d", r"anchor \d, yours: negative, label 0"),
         "anchors came back otherwise; drawn"),
    Case("1.5.10", lambda e, q: (e[0], e[1], ~e[2], ~e[3]),
         ("anchor 0, expected: ", "anchor 0, yours: ", "anchor 1, expected: ", "anchor 1, yours: "),
         "the first two are drawn"),
    Case("1.6.1", lambda e, q: q.inputs["neg_mask"],
         (r"\d+ negatives should be mined, \d+ anchors are",), "by falling loss"),
    Case("1.7.7", _gradients,
         ("expected: gradient at the class logits of map 1, image 0", "yours: gradient at"),
         "Cells that stay dark"),
    Case("1.9.1", lambda e, q: e[:1], (r"expected: [\d, ]+ kept", r"yours: .*kept"),
         "From best to worst: "),
    Case("1.19.3", lambda e, q: [[{k: v[:2] for k, v in e[0][0].items()}, e[0][1]], e[1]],
         (r"image 0, expected: [789] detections", "image 0, yours: 2 detections"),
         "score and class"),
    Case("1.10.2", lambda e, q: 0.5,
         (r"precision-recall curve with the area 0\.\d+; yours is 0\.500",), "filled area"),
    Case("1.11.1", lambda e, q: {**e, "states": e["states"][:1] * 6},
         ("error per epoch: expected",), "stand-in network"),
    Case("1.12.1", lambda e, q: {**e, "counts": e["counts"].T + 1},
         ("expected: true positives by map and class, 3 x 3", "yours: true positives"), "by map"),
    Case("1.13.2", _log(10), ("losses of 10 and 10 epochs",), "validation loss", right=True),
    Case("1.14.1", _found,
         ("precision-recall curves of circles, squares and triangles; mAP@0.5 0.99",
          "grading image", "grading image", "grading image"), "70 images made for grading",
         right=True),
    Case("1.15.1", lambda e, q: [share / 2 for share in e],
         ("expected: share of objects by map", "yours: share"), "by map and class"),
    Case("1.16.1", lambda e, q: [{**call, "maps": {
        name: 1 - value for name, value in call["maps"].items()}} for call in e],
         (r"expected: map of trunk\.\d+", r"yours: map of trunk\.\d+"), "Layer trunk."),
    Case("1.17.1", lambda e, q: (e[0] + 1, e[1]), ("expected: objects found", "yours: objects"),
         "by map and bin"),
    Case("2.1.1", _images(lambda image: 1 - image),
         ("item 0: the image, expected", "item 0: the image, yours"), "The first image"),
    Case("2.1.2", _targets(lambda t: t[::-1]), ("item 0: keypoints expected and yours",),
         "The first target that differs"),
    Case("2.1.3", _targets(lambda t: t[:, ::-1]),
         ("expected: heatmap of item 0, channel", "yours: heatmap of", "values along row"),
         "values along row"),
    Case("2.2.3", lambda e, q: e * 1.02,
         ("expected: heatmap", "yours: heatmap", "yours - expected, up to 0.0"),
         "the difference has its own"),
    Case("2.5.1", lambda e, q: e[:, ::-1, ::-1],
         (r"image 0, keypoint 0: maximum at \[",) + ("image 0, keypoint",) * 2, "maximum"),
    Case("2.6.1", lambda e, q: dict.fromkeys(e, 0.5),
         ("true and predicted keypoints", r"PCK at 0\.\d+: 0\.\d00 expected, 0\.500 yours; "),
         "circle for every threshold"),
    Case("2.6.3", lambda e, q: {limit: v / 2 for limit, v in e.items()}, (r"PCK at 0\.\d+: ",),
         "PCK at the thresholds"),
    Case("2.10.3", _log(3),
         ("losses of 3 and 3 epochs heatmap", "losses of 3 and 3 epochs regression"),
         "training log", right=True),
    Case("2.12.1", lambda e, q: e[..., ::-1], ("image 0, keypoint 0: maximum",) + ("image 0",) * 2,
         "maximum"),
    Case("2.11.1", _points,
         ("PCK curve: ", "head 0.", "grading image 0, smallest error", "grading image 109, middle",
          "grading image 199, largest error"), "200 images made for grading", right=True),
]


def outcome(references, number: str, value: Any, right: bool = False, **more) -> Outcome:
    """What a check made of a value; `more` are fields of the outcome that are otherwise."""
    error = None if right else Wrong("made up")
    fields = {"tier": "public", "answer": answered(value), "error": error, **more}
    check = CHECKS[number]
    return Outcome(check, reference=references.by_number[number], judgement=Judgement(check),
                   **fields)


def figure_for(made: Outcome) -> Figure | None:
    """Its figure in this assignment."""
    return figure_of(made, ASSIGNMENT)


@pytest.fixture(scope="session")
def outcomes(public):
    """The outcome of every case, by check number."""
    made = {}
    for case in CASES:
        reference = public.by_number[case.number]
        made[case.number] = outcome(
            public, case.number, case.answer(reference.expected, reference.question), case.right)
    return made


@pytest.fixture(scope="session")
def figures(outcomes):
    """The figure of every case, by check number."""
    return {number: figure_for(made) for number, made in outcomes.items()}


@pytest.fixture(scope="session")
def grade(outcomes, public):
    """A grade of all the cases; two further checks passed, one of them with something to say."""
    rules, rows = ASSIGNMENT.rules, []
    for number, made in outcomes.items():
        row = Row(CHECKS[number], outcome=made)
        message = "Passed." if made.passed else explain(
            "something differs.", made.check, rules[made.check.rule], made.reference.question,
            ASSIGNMENT)
        row.record("public", PASSED if made.passed else FAILED,
                   made.check.points if made.passed else 0.0, message)
        rows.append(row)
    for number, message in (("1.8.1", "Passed."), ("1.13.1", "Points given although it is so.")):
        rows.append(Row(CHECKS[number]))
        rows[-1].record("public", PASSED, CHECKS[number].points, message)
    return Grade(ASSIGNMENT, rows, ["problem2/ has a large file"], public.made, seconds=12.3)
