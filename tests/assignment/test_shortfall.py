"""What is said of accuracy that is missing names the work that it went missing in.

Faults are put into the reading of the trained reference's own maps on images made for grading, so
that nothing has to be trained.
"""

import numpy as np
import pytest
import torch

from autograder.assignment import measure, shortfall
from autograder.assignment.checks.accuracy import CANDIDATES
from autograder.assignment.probes.accuracy import _batches, _candidates
from datasets import draw
from tests.grading import SOLUTION
from tests.solution.conftest import load_problem

IMAGES = 24


@pytest.fixture(scope="module")
def scene():
    """Raw candidates per image, and the truth."""
    problem1 = load_problem("problem1")
    samples = draw("standard", "detection", "grading", 5, IMAGES)
    net = problem1.model.MultiScaleDetector().eval()
    net.load_state_dict(torch.load(SOLUTION / "problem1/results/best_model.pth"))
    images, raw = torch.as_tensor(np.stack([sample.image for sample in samples])), []
    with torch.no_grad():
        for batch in _batches(images, 4):
            raw += _candidates(net(batch), CANDIDATES)
    return ([{name: value.numpy() for name, value in image.items()} for image in raw],
            [{"boxes": s.boxes, "labels": s.labels} for s in samples])


def rows(change):
    """Maps that a network with a fault gives: `change(rows [n, 8])` of each image."""
    def fault(image, anchors):
        return measure.decode({**image, "rows": change(image["rows"].copy())}, anchors)
    return fault


def found(change):
    """Detections that decoding with a fault gives."""
    def fault(image, anchors):
        detections = measure.decode(image, anchors)
        return {**detections, **change(**detections)}
    return fault


def no_nms(image, anchors):
    """Every candidate is a detection."""
    one_by_one = [measure.decode({name: value[i:i + 1] for name, value in image.items()}, anchors)
                  for i in range(100) if i < len(image["rows"])]
    return {name: np.concatenate([one[name] for one in one_by_one])
            for name in ("boxes", "scores", "labels")}


def scaled(values, by):
    values[:, by[0]] *= by[1]
    return values


def logits(values, add):
    values[:, 5:] += add
    return values


def sides(boxes, by):
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * by
    return np.concatenate([middle - half, middle + half], axis=1)


def one_class(boxes, scores, labels, **_):
    """Detections of one class alone, without the others."""
    keep = labels == 0
    return {"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]}


def everywhere(boxes, scores, labels, **_):
    """A sure detection in each of 16 places, whatever is there."""
    corners = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).reshape(-1, 2) * 50.0
    return {"boxes": np.concatenate([boxes, np.hstack([corners, corners + 4])]),
            "scores": np.concatenate([scores, np.ones(16)]),
            "labels": np.concatenate([labels, np.arange(16) % 3])}


FAULTS = {
    "no NMS": (no_nms, shortfall.DOUBLE),
    "the highest logit is not the class": (rows(lambda v: logits(v, [0, 0, 30])), shortfall.CLASS),
    "labels run the other way": (found(lambda labels, **_: {"labels": 2 - labels}),
                                 shortfall.CLASS),
    "classes without their logits": (rows(lambda v: scaled(v, ([5, 6, 7], 0.0))), shortfall.CLASS),
    "sizes without offsets": (rows(lambda v: scaled(v, ([2, 3], -1.0))), shortfall.PLACE),
    "sizes doubled": (found(lambda boxes, **_: {"boxes": sides(boxes, 1.6)}), shortfall.PLACE),
    "sizes halved": (found(lambda boxes, **_: {"boxes": sides(boxes, 0.6)}), shortfall.PLACE),
    "boxes moved": (found(lambda boxes, **_: {"boxes": boxes + 12}), shortfall.PLACE),
    "variances": (rows(lambda v: scaled(v, ([0, 1, 2, 3], 3.0))), shortfall.PLACE),
    "one detection an image": (found(lambda **d: {k: v[:1] for k, v in d.items()}),
                               shortfall.MISSED),
    "only sure ones": (found(lambda **d: {k: v[d["scores"] > 0.97] for k, v in d.items()}),
                       shortfall.MISSED),
    "one class alone": (found(one_class), shortfall.MISSED),
    "background is sure": (found(everywhere), shortfall.NOTHING),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_largest_part_is_that_of_the_fault(scene, name):
    raw, truth = scene
    fault, part = FAULTS[name]
    found = [fault(image, measure.assignment_anchors()) for image in raw]
    parts = shortfall.map_parts(found, truth)
    assert next(iter(parts)) == part, parts
    assert shortfall.of_map(found, truth).startswith(
        f"What would raise it, each mended alone or by longer training: {part} +")


def test_nobody_is_sent_to_nms_which_has_been_at_work_on_what_is_measured():
    assert "1.9" not in shortfall.DOUBLE and "NMS has to keep" in shortfall.DOUBLE


def test_nothing_is_said_of_what_is_right(scene):
    truth = [{**true, "scores": np.ones(len(true["labels"]))} for true in scene[1]]
    assert shortfall.of_map(truth, truth) == ""
    pose = np.random.default_rng(1).uniform(0, 1, (9, 5, 2))
    assert shortfall.of_pck(pose, pose, 0.05) == ""


def test_no_kind_of_error_is_blamed_where_little_was_learned(scene):
    truths, rng = scene[1], np.random.default_rng(0)
    chance = [{"boxes": np.sort(rng.uniform(0, 224, (9, 2, 2)), axis=1).reshape(9, 4),
               "labels": rng.integers(0, 3, 9), "scores": rng.uniform(0, 1, 9)} for _ in truths]
    assert shortfall.of_map(chance, truths) == shortfall.LITTLE
    poses = rng.uniform(0, 128, (2, 40, 5, 2))
    assert shortfall.of_pck(*poses, 0.05) == shortfall.LITTLE


def test_keypoints_that_are_swapped_near_and_far():
    truth = np.tile([[30.0, 0], [0, 30], [60, 30], [10, 80], [50, 80]], (4, 1, 1))  # 100 across
    found = truth.copy()
    found[0] = found[0, [0, 2, 1, 3, 4]]  # the hands of one figure, 2 of 20
    found[1, 0] += [0, 8]  # 1 of 20, between 5 and 10 pixels away
    found[2:, 3] = [1000, np.nan]  # 2 of 20
    assert shortfall.of_pck(found, truth, 0.05) == (
        "Of all predicted keypoints 10 % lie where another keypoint is (left and right?), 5 % are "
        "off by less than twice the limit, 10 % are further away.")


@pytest.mark.parametrize(("change", "says"), [
    (lambda truth: np.broadcast_to(truth.mean(axis=0), truth.shape), "nearly the same for every"),
    (lambda truth: truth[..., ::-1], "Read as y before x, 100 % would be right"),
    (lambda truth: truth.transpose(0, 2, 1).reshape(truth.shape),
     "Read as all x before all y, 100 % would be right"),
])
def test_keypoints_in_another_order_or_alike(change, says):
    truth = np.random.default_rng(0).uniform(0, 128, (40, 5, 2))
    assert says in shortfall.of_pck(change(truth), truth, 0.05)
