"""Tasks 1.2, 1.3, 1.4 and 1.9: anchors, IoU, box coding and NMS.

Most random boxes lie on a small integer grid: they touch, coincide and tie, and exact fractions
say what is right.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask


@st.composite
def grid_boxes(draw, max_size=6, min_size=0, min_side=0):
    """Float32 boxes `[N, 4]` with whole coordinates, some of them without area."""
    corner, side = st.integers(0, 6), st.integers(min_side, 5)
    rows = draw(st.lists(st.tuples(corner, corner, side, side), min_size=min_size,
                         max_size=max_size))
    return boxes_of([(x, y, x + width, y + height) for x, y, width, height in rows])


def boxes_of(rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def exact_iou(a, b):
    """IoU of two boxes with whole coordinates, as a fraction."""
    ax1, ay1, ax2, ay2, bx1, by1, bx2, by2 = (int(v) for v in [*a, *b])
    width, height = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
    intersection = max(width, 0) * max(height, 0)
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - intersection
    return Fraction(intersection, union) if union else Fraction(0)


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
def test_anchors_agree_with_loops(problem1, maps, image_size):
    sizes = [(height, width) for height, width, _ in maps]
    scales = [of_map for *_, of_map in maps]
    result = problem1.utils.generate_anchors(sizes, scales, image_size)
    expected = anchors_by_loops(sizes, scales, image_size)
    assert isinstance(result, list) and len(result) == len(maps)
    for anchors, rows in zip(result, expected, strict=True):
        assert anchors.dtype == torch.float32
        np.testing.assert_allclose(anchors.numpy(), rows, atol=1e-4)


def test_anchors_of_the_assignment(problem1):
    utils = problem1.utils
    anchors = utils.generate_anchors([(56, 56), (28, 28), (14, 14)],
                                     [[16, 24, 32], [48, 64, 96], [96, 128, 192]])
    assert [a.shape for a in anchors] == [(9408, 4), (2352, 4), (588, 4)]
    # A cell of the first map has 224 / 56 = 4 pixels: centres at 2, 6, 10, ...; row 1, column 2
    # is cell 58. Its second anchor has a side of 24 and is not clipped at the border.
    assert anchors[0][58 * 3 + 1].tolist() == [-2.0, -6.0, 22.0, 18.0]
    assert anchors[2][-1].tolist() == [120.0, 120.0, 312.0, 312.0]  # 216 - 96 and 216 + 96
    constants = utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES, 224)
    assert all(torch.equal(a, b) for a, b in zip(anchors, constants, strict=True))


# --- IoU -----------------------------------------------------------------------------------


@given(boxes1=grid_boxes(), boxes2=grid_boxes())
@settings(deadline=None, max_examples=60)
def test_iou_is_exact_on_a_grid(problem1, boxes1, boxes2):
    iou = problem1.utils.compute_iou(boxes1, boxes2)
    assert iou.shape == (len(boxes1), len(boxes2))
    for row, a in zip(iou.tolist(), boxes1.tolist(), strict=True):
        assert row == [np.float32(float(exact_iou(a, b))) for b in boxes2.tolist()]


@given(boxes1=grid_boxes(), boxes2=grid_boxes(), dx=st.integers(-99, 99), dy=st.integers(-99, 99))
@settings(deadline=None, max_examples=40)
def test_iou_is_symmetric_bounded_and_ignores_position(problem1, boxes1, boxes2, dx, dy):
    compute_iou = problem1.utils.compute_iou
    iou = compute_iou(boxes1, boxes2)
    assert torch.equal(compute_iou(boxes2, boxes1), iou.T)
    assert ((iou >= 0) & (iou <= 1)).all()
    shift = torch.tensor([dx, dy, dx, dy])
    assert torch.equal(compute_iou(boxes1 + shift, boxes2 + shift), iou)


@st.composite
def float_boxes(draw, limit=1e6):
    """Boxes `[5, 4]` of any position, with sides of .01 and more."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    centre = rng.uniform(-1, 1, (5, 2)) * 10 ** rng.uniform(0, math.log10(limit / 2))
    side = 10 ** rng.uniform(-2, math.log10(limit), (5, 2))
    corners = np.concatenate([centre - side / 2, centre + side / 2], axis=1)
    boxes = torch.tensor(corners, dtype=torch.float32)
    return boxes[(boxes[:, 2:] - boxes[:, :2] >= 0.01).all(dim=1)]  # rounding may have eaten some


@given(boxes1=float_boxes(), boxes2=float_boxes())
@settings(deadline=None, max_examples=60)
def test_iou_of_any_size_agrees_with_double_precision(problem1, boxes1, boxes2):
    """Also between the boxes themselves and their neighbours shifted by a third of a side."""
    third = (boxes1[:, 2:] - boxes1[:, :2]) / 3
    boxes2 = torch.cat([boxes2, boxes1, boxes1 + third.repeat(1, 2)])
    iou = problem1.utils.compute_iou(boxes1, boxes2)
    a, b = boxes1.double()[:, None], boxes2.double()[None]
    overlap = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    intersection = overlap[..., 0].clamp(min=0) * overlap[..., 1].clamp(min=0)
    area_a, area_b = ((c[..., 2] - c[..., 0]) * (c[..., 3] - c[..., 1]) for c in (a, b))
    expected = intersection / (area_a + area_b - intersection)
    torch.testing.assert_close(iou.double(), expected, rtol=1e-4, atol=0)
    assert (iou[:, len(boxes2) - 2 * len(boxes1):].diagonal() == 1).all()


def test_iou_by_hand(problem1):
    compute_iou = problem1.utils.compute_iou
    assert compute_iou(boxes_of([0, 0, 2, 2]), boxes_of([1, 0, 3, 2])).tolist() == [
        [pytest.approx(1 / 3)]]  # overlap 2, union 6
    touching, apart = [2, 0, 4, 2], [5, 5, 7, 7]  # apart is negative in width and in height
    assert compute_iou(boxes_of([0, 0, 2, 2]), boxes_of([touching, apart])).tolist() == [[0, 0]]
    point = boxes_of([3, 3, 3, 3])
    assert compute_iou(point, point).item() == 0  # the union is empty
    tiny = boxes_of([[10, 10, 10.01, 10.01], [10, 10, 10.01, 10.005]])
    assert compute_iou(tiny[:1], tiny[1:]).item() == pytest.approx(0.5, rel=1e-3)
    far = boxes_of([[-1e6, -1e6, 1e6, 1e6], [0, -1e6, 1e6, 1e6]])
    assert compute_iou(far[:1], far[1:]).item() == pytest.approx(0.5)


@pytest.mark.parametrize("counts", [(0, 3), (2, 0), (0, 0)])
def test_iou_without_boxes(problem1, counts):
    n, m = counts
    assert problem1.utils.compute_iou(torch.rand(n, 4), torch.rand(m, 4)).shape == (n, m)


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


def test_coding_by_hand(problem1):
    anchor, box = boxes_of([0, 0, 20, 10]), boxes_of([15, 10, 25, 30])
    # Centres (10, 5) and (20, 20): 10 / 20 and 15 / 10. Sides 20 x 10 and 10 x 20.
    expected = torch.tensor([[0.5, 1.5, math.log(0.5), math.log(2)]])
    encoded = problem1.utils.encode_boxes(box, anchor)
    torch.testing.assert_close(encoded, expected)
    torch.testing.assert_close(problem1.utils.decode_boxes(expected, anchor), box)


@given(boxes=grid_boxes(8, 8, min_side=1), anchors=grid_boxes(8, 8, min_side=1))
@settings(deadline=None, max_examples=40)
def test_decoding_undoes_encoding_and_the_reverse(problem1, boxes, anchors):
    encode, decode = problem1.utils.encode_boxes, problem1.utils.decode_boxes
    deltas = encode(boxes, anchors)
    torch.testing.assert_close(decode(deltas, anchors), boxes, rtol=0, atol=1e-4)
    again = encode(decode(deltas, anchors), anchors)
    torch.testing.assert_close(again, deltas, rtol=1e-4, atol=1e-4)


@given(anchors=grid_boxes(min_side=1))
@settings(deadline=None, max_examples=20)
def test_no_offset_is_the_anchor(problem1, anchors):
    nothing = torch.zeros_like(anchors)
    assert torch.equal(problem1.utils.encode_boxes(anchors, anchors), nothing)
    assert torch.equal(problem1.utils.decode_boxes(nothing, anchors), anchors)


@given(boxes=grid_boxes(5, 5, min_side=1), anchors=grid_boxes(5, 5, min_side=1),
       power=st.integers(-3, 6))
@settings(deadline=None, max_examples=20)
def test_offsets_ignore_the_scale_of_the_picture(problem1, boxes, anchors, power):
    encode = problem1.utils.encode_boxes
    torch.testing.assert_close(encode(boxes * 2.0**power, anchors * 2.0**power),
                               encode(boxes, anchors))


# --- NMS -----------------------------------------------------------------------------------


def nms_by_loops(boxes, scores, threshold):
    order = sorted(range(len(boxes)), key=lambda index: (-scores[index], index))
    kept = []
    for index in order:
        if all(exact_iou(boxes[index], boxes[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


@given(boxes=grid_boxes(max_size=10), data=st.data(),
       threshold=st.sampled_from([Fraction(0), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2),
                                  Fraction(1)]))
@settings(deadline=None, max_examples=120)
def test_nms_agrees_with_loops(problem1, boxes, threshold, data):
    score = st.integers(0, 3).map(lambda value: value / 4)  # few values: many ties
    scores = data.draw(st.lists(score, min_size=len(boxes), max_size=len(boxes)))
    kept = problem1.utils.nms(boxes, torch.tensor(scores), float(threshold))
    assert kept.dtype == torch.int64
    assert kept.tolist() == nms_by_loops(boxes.tolist(), scores, threshold)


def test_nms_of_many_boxes(problem1):
    rng = np.random.default_rng(8)
    corner, side = rng.integers(0, 60, (300, 2)), rng.integers(1, 40, (300, 2))
    boxes = np.concatenate([corner, corner + side], axis=1).tolist()
    scores = (rng.integers(0, 64, 300) / 64).tolist()
    for threshold in (Fraction(1, 4), Fraction(1, 2)):
        kept = problem1.utils.nms(boxes_of(boxes), torch.tensor(scores), float(threshold))
        expected = nms_by_loops(boxes, scores, threshold)
        assert kept.tolist() == expected and 10 < len(expected) < 290


def test_nms_keeps_an_overlap_equal_to_the_threshold(problem1):
    boxes = boxes_of([[0, 0, 2, 1], [0, 0, 1, 1], [0, 0, 2, 2]])  # IoU with the first: 1/2, 1/2
    nms = problem1.utils.nms
    assert nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist() == [0, 1, 2]
    assert nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.49).tolist() == [0]


def test_a_suppressed_box_suppresses_nothing(problem1):
    """A chain: 0 covers 1, 1 covers 2, but 0 and 2 do not meet."""
    chain = boxes_of([[0, 0, 4, 4], [2, 0, 6, 4], [4, 0, 8, 4]])  # neighbours have IoU 8/24
    assert problem1.utils.nms(chain, torch.tensor([0.9, 0.8, 0.7]), 0.25).tolist() == [0, 2]


def test_nms_of_nothing(problem1):
    kept = problem1.utils.nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert kept.shape == (0,) and kept.dtype == torch.int64


# --- all of them ---------------------------------------------------------------------------


def test_arguments_are_not_changed(problem1):
    utils = problem1.utils
    boxes, scores = torch.rand(6, 4).cumsum(dim=1), torch.rand(6)
    before = boxes.clone(), scores.clone()
    utils.compute_iou(boxes, boxes)
    utils.decode_boxes(utils.encode_boxes(boxes, boxes), boxes)
    utils.nms(boxes, scores, 0.3)
    utils.match_anchors_to_targets(boxes, boxes, torch.arange(6))
    assert torch.equal(boxes, before[0]) and torch.equal(scores, before[1])
