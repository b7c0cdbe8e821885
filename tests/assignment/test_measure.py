"""How the grader measures networks: its own AP, PCK and decoding agree with the solution's."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.assignment import ASSIGNMENT, measure
from autograder.assignment.checks.accuracy import CANDIDATES
from autograder.assignment.checks.inputs import plant, quiet_map
from autograder.assignment.measure import mean_pose_pck, pck
from autograder.assignment.probes.accuracy import _candidates, _peaks
from autograder.engine.check import Question
from autograder.engine.compare import Wrong
from autograder.instructor.new_term.facts import ACCURACIES, ROOM, room
from tests.grading import told
from tests.solution.conftest import load_problem

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def problem1():
    return load_problem("problem1")


@pytest.fixture(scope="module")
def problem2():
    return load_problem("problem2")


def random_boxes(rng, count: int) -> np.ndarray:
    """Boxes on a coarse grid, which overlap, coincide and tie often."""
    corner, side = rng.integers(0, 8, (count, 2)), rng.integers(0, 6, (count, 2))
    return np.concatenate([corner, corner + side], axis=1).astype(np.float64) * 4


def scene(rng, images=4):
    """Detections and ground truth of a few images, with tied scores and empty images."""
    detections, truths = [], []
    for _ in range(images):
        found, there = rng.integers(0, 7), rng.integers(0, 5)
        detections.append({"boxes": random_boxes(rng, found),
                           "scores": rng.integers(1, 6, found) / 8,
                           "labels": rng.integers(0, 3, found)})
        truths.append({"boxes": random_boxes(rng, there), "labels": rng.integers(0, 3, there)})
    return detections, truths


def tensors(items):
    return [{key: torch.as_tensor(value) for key, value in item.items()} for item in items]


@given(seed=seeds)
@settings(deadline=None, max_examples=60)
def test_iou_agrees(problem1, seed):
    rng = np.random.default_rng(seed)
    boxes1, boxes2 = random_boxes(rng, rng.integers(0, 6)), random_boxes(rng, rng.integers(0, 6))
    theirs = problem1.utils.compute_iou(torch.as_tensor(boxes1), torch.as_tensor(boxes2))
    np.testing.assert_allclose(measure.iou_matrix(boxes1, boxes2), theirs.numpy(), atol=1e-12)


@given(seed=seeds, threshold=st.sampled_from([0.25, 0.5, 0.75]))
@settings(deadline=None, max_examples=80)
def test_average_precision_agrees(problem1, seed, threshold):
    detections, truths = scene(np.random.default_rng(seed))
    theirs = problem1.evaluate.compute_ap(
        tensors(detections), [torch.as_tensor(t["boxes"]) for t in truths], threshold)
    ours = measure.average_precision(
        [(d["boxes"], d["scores"]) for d in detections], [t["boxes"] for t in truths], threshold)
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)


@given(seed=seeds)
@settings(deadline=None, max_examples=40)
def test_map_agrees(problem1, seed):
    detections, truths = scene(np.random.default_rng(seed), images=6)
    aps = problem1.evaluate.ap_per_class(tensors(detections), tensors(truths))
    known = [ap for ap in aps if not math.isnan(ap)]
    if known:
        ours = measure.mean_average_precision(detections, truths)
        assert ours == pytest.approx(sum(known) / len(known), abs=1e-9)


@given(seed=seeds)
@settings(deadline=None, max_examples=40)
def test_ap_over_thresholds_is_the_mean_of_those_at_each(seed):
    detections, truths = scene(np.random.default_rng(seed), images=6)
    if any(len(truth["labels"]) for truth in truths):
        each = [measure.mean_average_precision(detections, truths, [t]) for t in measure.COCO]
        over = measure.mean_average_precision(detections, truths, measure.COCO)
        assert over == pytest.approx(np.mean(each), abs=1e-9)


def test_average_precision_by_hand():
    """Hit, miss, hit of two objects: 1/2 * 1 + 1/2 * 2/3."""
    boxes = np.array([[0, 0, 4, 4], [9, 9, 10, 10], [20, 0, 24, 4]], float)
    found, truth = [(boxes, np.array([0.9, 0.8, 0.7]))], [boxes[[0, 2]]]
    assert measure.average_precision(found, truth) == pytest.approx(5 / 6)
    nothing = [(np.zeros((0, 4)), np.zeros(0))]
    assert measure.average_precision(nothing, truth) == 0
    assert math.isnan(measure.average_precision(nothing, [np.zeros((0, 4))]))


def test_anchors_are_those_of_the_assignment(problem1):
    utils = problem1.utils
    theirs = torch.cat(utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES))
    np.testing.assert_array_equal(measure.assignment_anchors(), theirs.numpy())


@pytest.mark.parametrize("seed", range(6))
def test_decoding_agrees(problem1, seed):
    """Raw maps through the probe and the grader give what `decode_predictions` gives."""
    rng = np.random.default_rng(seed)
    maps = [quiet_map(2, 3, side) for side in measure.MAP_SIZES]
    for image in range(2):
        for _ in range(120):
            index = int(rng.integers(0, 3))
            side = measure.MAP_SIZES[index]
            row, column = rng.integers(side // 3, side // 2, 2)  # close together: much overlaps
            plant(maps[index], image, int(rng.integers(0, 3)), row, column,
                  tuple(rng.normal(0, 0.3, 4)), float(rng.normal(0, 2)), tuple(rng.normal(0, 2, 3)))
    maps = [torch.as_tensor(m) for m in maps]
    utils = problem1.utils
    anchors = utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES)
    theirs = problem1.evaluate.decode_predictions(maps, anchors)
    for image, detections in zip(_candidates(maps, CANDIDATES), theirs, strict=True):
        assert len(image["rows"]) < CANDIDATES
        ours = measure.decode({key: value.numpy() for key, value in image.items()},
                              measure.assignment_anchors())
        assert len(ours["scores"]) > 20
        np.testing.assert_array_equal(ours["labels"], detections["labels"].numpy())
        np.testing.assert_allclose(ours["scores"], detections["scores"].numpy(), rtol=1e-5)
        np.testing.assert_allclose(ours["boxes"], detections["boxes"].numpy(), rtol=1e-4, atol=1e-2)


def test_decoding_survives_any_numbers():
    """Exponents and logits beyond any float, and no candidates at all."""
    anchors = measure.assignment_anchors()
    rows = np.array([[0, 0, 1e30, -1e30, 1e30, 1e30, -1e30, 0], [1e30, 0, 0, 0, -1e4, 0, 0, 0]],
                    np.float32)
    decoded = measure.decode({"rows": rows, "anchors": np.array([0, 1])}, anchors)
    assert np.isfinite(decoded["scores"]).all() and decoded["scores"][0] == 1
    nothing = measure.decode({"rows": np.zeros((0, 8), np.float32),
                              "anchors": np.zeros(0, np.int64)}, anchors)
    assert nothing["boxes"].shape == (0, 4) and len(nothing["scores"]) == 0


def flood(**changes):
    """An answer to the question about two images, of which one part is another."""
    image = {"rows": np.zeros((1, 8), np.float32), "anchors": np.zeros(1, np.int64)}
    found = {"boxes": np.zeros((1, 4)), "scores": np.zeros(1), "labels": np.zeros(1),
             "maps": np.zeros(1)}
    return {"raw": [image] * 2, "fresh": [image], "decoded": [found] * 2, "anchors": None,
            **changes}


ROWS = {"rows": np.zeros((301, 8)), "anchors": np.zeros(301, int)}
WIDE = {"rows": np.zeros((1, 10**6)), "anchors": np.zeros(1, int)}
SHORT = {"rows": np.zeros((3, 8)), "anchors": np.zeros(1, int)}
MANY = {"boxes": np.zeros((101, 4)), "scores": np.zeros(101), "labels": np.zeros(101),
        "maps": np.zeros(101)}


@pytest.mark.parametrize("changes", [
    {"raw": [flood()["raw"][0]] * 130_000}, {"raw": []}, {"fresh": flood()["raw"]},
    {"raw": [ROWS, ROWS]}, {"raw": [WIDE, WIDE]}, {"raw": [SHORT, SHORT]},
    {"decoded": [MANY, MANY]}, {"decoded": []}, {"decoded": flood()["decoded"] * 3}])
def test_nothing_is_decoded_that_was_not_asked_for(monkeypatch, changes):
    calls = []
    monkeypatch.setattr(measure, "decode", lambda *_: calls.append(1) or MANY)
    truth = [{"boxes": np.zeros((1, 4)), "labels": np.zeros(1)}] * 2
    question = Question("problem1", "detector_detections", {
        "candidates": 300, "detections": 100, "fresh": 1}, truth=truth)
    measure.detected(flood(), question)
    assert len(calls) == 3
    with pytest.raises(Wrong):
        measure.detected(flood(**changes), question)
    assert len(calls) == 3


@given(seed=seeds, threshold=st.sampled_from([0.05, 0.1, 0.25, 0.5]))
@settings(deadline=None, max_examples=60)
def test_pck_agrees(problem2, seed, threshold):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 60, (6, 5, 2)).astype(np.float64)
    predicted = truth + rng.integers(-12, 13, truth.shape)
    predicted[rng.random((6, 5)) < 0.1] = np.nan
    theirs = problem2.evaluate.compute_pck(predicted, truth, [threshold])[threshold]
    assert pck(predicted, truth, threshold) == pytest.approx(theirs, abs=1e-12)


@given(seed=seeds)
@settings(deadline=None, max_examples=30)
def test_peaks_agree(problem2, seed):
    rng = np.random.default_rng(seed)
    heatmaps = torch.as_tensor(rng.integers(-3, 4, (2, 3, 6, 9)).astype(np.float32))
    theirs = problem2.evaluate.extract_keypoints_from_heatmaps(heatmaps)
    assert torch.allclose(_peaks(heatmaps) * torch.tensor([9, 6]), theirs, atol=1e-4)


def test_the_mean_pose_is_measured_with_its_error():
    truth = np.random.default_rng(0).uniform(0, 1, (200, 5, 2))
    mean, error = mean_pose_pck(truth, 0.2)
    repeated = np.broadcast_to(truth.mean(axis=0), truth.shape)
    assert mean == pytest.approx(pck(repeated, truth, 0.2))
    assert 0 < error < 0.05
    same = np.repeat(truth[:1], 10, axis=0)
    assert mean_pose_pck(same, 0.2) == (1.0, 0.0)


def test_checks_that_judge_one_answer_have_one_question(public):
    for check in ASSIGNMENT.checks:
        if check.like:
            first, own = (public.by_number[n].question for n in (check.like, check.number))
            assert told(first) == told(own)
            assert ASSIGNMENT.by_number[check.like].task == check.task


def test_the_stored_terms_leave_room(public):
    """The reference clears its own target, and the target lies well above the floor."""
    for number in ACCURACIES:
        left = room(public.by_number[number].expected)
        assert all(left[name] >= ROOM[name] for name in ROOM), (number, left)
