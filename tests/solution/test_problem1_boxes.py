"""Tasks 1.2 to 1.5 and 1.9 against loops: anchors, IoU, box coding, matching and NMS.

The graded checks compare with the solution's own answers. That these are right is said here, over
random inputs, by code that shares nothing with the solution.
"""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from tests.solution.loops import SEEDS, boxes_of, centred, grid_boxes, iou_of

POSITIVE, IGNORED, NEGATIVE = "positive", "ignored", "negative"

# --- anchors -------------------------------------------------------------------------------


def anchors_by_loops(map_sizes, scales_of_maps, image_size):
    maps = []
    for (height, width), scales in zip(map_sizes, scales_of_maps, strict=True):
        rows = []
        for i in range(height):
            for j in range(width):
                for scale in scales:
                    x, y = (j + 0.5) * image_size / width, (i + 0.5) * image_size / height
                    rows.append((x - scale / 2, y - scale / 2, x + scale / 2, y + scale / 2))
        maps.append(np.array(rows))
    return maps


MAPS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.lists(st.floats(1, 300), min_size=1,
                                                             max_size=4)),
    min_size=1, max_size=3)


@given(maps=MAPS, image_size=st.sampled_from([224, 100, 32]))
@settings(deadline=None, max_examples=40)
def test_anchors(problem1, maps, image_size):
    sizes = [(height, width) for height, width, _ in maps]
    scales = [of_map for *_, of_map in maps]
    result = problem1.utils.generate_anchors(sizes, scales, image_size)
    expected = anchors_by_loops(sizes, scales, image_size)
    assert isinstance(result, list) and len(result) == len(maps)
    for anchors, rows in zip(result, expected, strict=True):
        assert anchors.dtype == torch.float32
        np.testing.assert_allclose(anchors.numpy(), rows, atol=1e-4)


# --- IoU -----------------------------------------------------------------------------------


@given(boxes1=grid_boxes(), boxes2=grid_boxes())
@settings(deadline=None, max_examples=60)
def test_iou_is_exact_on_a_grid(problem1, boxes1, boxes2):
    iou = problem1.utils.compute_iou(boxes_of(boxes1), boxes_of(boxes2))
    assert iou.shape == (len(boxes1), len(boxes2))
    assert iou.tolist() == [[np.float32(iou_of(a, b)) for b in boxes2] for a in boxes1]


def boxes_of_any_size(rng, limit=1e6):
    """Boxes `[5, 4]` of any position, with sides of .01 and more."""
    centre = rng.uniform(-1, 1, (5, 2)) * 10 ** rng.uniform(0, math.log10(limit / 2))
    side = 10 ** rng.uniform(-2, math.log10(limit), (5, 2))
    corners = np.concatenate([centre - side / 2, centre + side / 2], axis=1)
    boxes = torch.tensor(corners, dtype=torch.float32)
    return boxes[(boxes[:, 2:] - boxes[:, :2] >= 0.01).all(dim=1)]  # rounding may have eaten some


@given(seed=SEEDS)
@settings(deadline=None, max_examples=60)
def test_iou_of_any_size(problem1, seed):
    """Also between the boxes themselves, and with neighbours shifted by a third of a side."""
    rng = np.random.default_rng(seed)
    boxes1, others = boxes_of_any_size(rng), boxes_of_any_size(rng)
    third = (boxes1[:, 2:] - boxes1[:, :2]) / 3
    boxes2 = torch.cat([others, boxes1, boxes1 + third.repeat(1, 2)])
    iou = problem1.utils.compute_iou(boxes1, boxes2).numpy()
    expected = [[iou_of(a, b) for b in boxes2.tolist()] for a in boxes1.tolist()]
    np.testing.assert_allclose(iou, np.array(expected).reshape(iou.shape), rtol=1e-4, atol=0)


def test_iou_agrees_with_pycocotools(problem1):
    rng = np.random.default_rng(5)
    corner, side = rng.uniform(0, 80, (2, 40, 2)), rng.uniform(1, 90, (2, 40, 2))
    boxes = torch.tensor(np.concatenate([corner, corner + side], axis=-1), dtype=torch.float32)
    xywh = [np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], axis=1).astype(np.float64)
            for b in boxes.numpy()]
    expected = coco_mask.iou(*xywh, [0] * 40)
    assert (expected > 0.3).sum() > 50 and (expected == 0).sum() > 50
    iou = problem1.utils.compute_iou(*boxes).numpy()
    np.testing.assert_allclose(iou, expected, atol=1e-5)


# --- coding --------------------------------------------------------------------------------


@given(pairs=st.lists(st.tuples(grid_boxes(1, 1, 1), grid_boxes(1, 1, 1)), min_size=1, max_size=8))
@settings(deadline=None, max_examples=40)
def test_coding(problem1, pairs):
    rows, anchors = ([row for row, in side] for side in zip(*pairs, strict=True))
    expected = []
    for row, anchor in zip(rows, anchors, strict=True):
        (x, y, w, h), (ax, ay, aw, ah) = centred(row), centred(anchor)
        expected.append(((x - ax) / aw, (y - ay) / ah, math.log(w / aw), math.log(h / ah)))
    deltas = problem1.utils.encode_boxes(boxes_of(rows), boxes_of(anchors))
    torch.testing.assert_close(deltas, boxes_of(expected), rtol=1e-5, atol=1e-5)
    decoded = problem1.utils.decode_boxes(deltas, boxes_of(anchors))
    torch.testing.assert_close(decoded, boxes_of(rows), rtol=0, atol=1e-4)


# --- matching ------------------------------------------------------------------------------


def match_by_loops(anchors, targets, positive, negative):
    """One `(state, owners)` per anchor.

    `owners` lists the objects that the rules allow: one, unless an anchor that nobody claims has
    the same best IoU with several.
    """
    claims = {}
    for gt, target in enumerate(targets):
        ious = [iou_of(anchor, target) for anchor in anchors]
        if max(ious) > 0:
            claims.setdefault(ious.index(max(ious)), []).append(gt)

    result = []
    for index, anchor in enumerate(anchors):
        ious = [iou_of(anchor, target) for target in targets]
        if index in claims:
            result.append((POSITIVE, [max(claims[index], key=lambda gt: (ious[gt], -gt))]))
        elif targets and max(ious) >= positive:
            result.append((POSITIVE, [gt for gt, iou in enumerate(ious) if iou == max(ious)]))
        elif targets and max(ious) >= negative:
            result.append((IGNORED, []))
        else:
            result.append((NEGATIVE, []))
    return result


@given(anchors=grid_boxes(1, 9), targets=grid_boxes(), data=st.data(), thresholds=st.sampled_from(
    [(1 / 2, 3 / 10), (1 / 2, 1 / 2), (2 / 3, 1 / 4), (1, 1 / 9)]))
@settings(deadline=None, max_examples=200)
def test_matching(problem1, anchors, targets, thresholds, data):
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(targets), max_size=len(targets)))
    matched_labels, matched_boxes, pos_mask, neg_mask = problem1.utils.match_anchors_to_targets(
        boxes_of(anchors), boxes_of(targets), torch.tensor(labels, dtype=torch.int64), *thresholds)
    assert matched_labels.dtype == torch.int64 and matched_boxes.dtype == torch.float32
    assert pos_mask.dtype == neg_mask.dtype == torch.bool
    expected = match_by_loops(anchors, targets, *thresholds)
    assert pos_mask.tolist() == [state == POSITIVE for state, _ in expected]
    assert neg_mask.tolist() == [state == NEGATIVE for state, _ in expected]
    for label, box, (_, owners) in zip(matched_labels.tolist(), matched_boxes.tolist(), expected,
                                       strict=True):
        allowed = [(labels[gt] + 1, list(targets[gt])) for gt in owners] or [(0, [0, 0, 0, 0])]
        assert (label, box) in allowed


# --- NMS -----------------------------------------------------------------------------------


@given(boxes=grid_boxes(max_size=10), data=st.data(),
       threshold=st.sampled_from([0, 1 / 4, 1 / 3, 1 / 2, 1]))
@settings(deadline=None, max_examples=120)
def test_nms(problem1, boxes, threshold, data):
    score = st.integers(0, 3).map(lambda value: value / 4)  # few values: many ties
    scores = data.draw(st.lists(score, min_size=len(boxes), max_size=len(boxes)))
    kept = problem1.utils.nms(boxes_of(boxes), torch.tensor(scores), threshold)
    expected = []
    for index in sorted(range(len(boxes)), key=lambda index: (-scores[index], index)):
        if all(iou_of(boxes[index], boxes[other]) <= threshold for other in expected):
            expected.append(index)
    assert kept.dtype == torch.int64 and kept.tolist() == expected


def test_a_box_of_nan_is_no_reason_to_drop_others(problem1):
    boxes = torch.tensor([[torch.nan] * 4, [0, 0, 10, 10], [50, 50, 60, 60]])
    assert problem1.utils.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist() == [0, 1, 2]


def test_labels_of_any_whole_type_come_back_as_int64(problem1):
    box = torch.tensor([[0.0, 0, 10, 10]])
    labels, *_ = problem1.utils.match_anchors_to_targets(box, box, torch.tensor([1]).int())
    assert (labels.dtype, labels.tolist()) == (torch.int64, [2])
