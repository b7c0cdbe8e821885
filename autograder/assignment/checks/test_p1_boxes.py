"""Tasks 1.2 to 1.4: anchors, IoU, box coding."""

import numpy as np

from datasets.constants import ANCHOR_SCALES, MAP_SIZES

from ...engine.check import calls, check, pure
from ...engine.compare import array, close, sequence
from .asking import call1
from .inputs import boxes, rows, shift

ANCHORS, IOU = "utils.generate_anchors", "utils.compute_iou"


def _anchors(answer, expected, question):
    """Compare lists of anchors; a wrong row is named by its cell and scale."""
    sizes, all_scales = question.inputs["args"][:2]
    got = sequence(answer, len(expected), "the list of anchors, one entry per map,")
    for index, (anchors, want) in enumerate(zip(got, expected)):
        (_, width), scales = sizes[index], all_scales[index]

        def where(position, width=width, scales=scales):
            cell, scale = divmod(position[0], len(scales))
            row, column = divmod(cell, width)
            edge = ("x1", "y1", "x2", "y2")[position[1]]
            return f"{edge} of row {row}, column {column}, scale {scales[scale]}"

        close(anchors, want, f"anchors[{index}]", atol=1e-3, where=where)


@check("1.2.1", "P1.anchors.box", lambda rng: call1(
    # one cell of 64 pixels: the centre is (32, 32), a scale of 20 spans 22..42
    ANCHORS, [(1, 1)], [[int(rng.integers(5, 15)) * 2]], 64))
def test_one_cell(answer, expected, question):
    """The anchor of a single cell is a square of side `scale` around the middle of the image."""
    _anchors(answer, expected, question)


@check("1.2.2", "P1.anchors.order", lambda rng: call1(
    ANCHORS, [(3, 3)], [[int(s) for s in np.sort(rng.choice(np.arange(4, 30, 2), 3, False))]], 96))
def test_order(answer, expected, question):
    """Rows run cell by cell, row-major, and all scales of a cell come before the next cell."""
    _anchors(answer, expected, question)


@check("1.2.3", "P1.anchors.maps", lambda rng: call1(
    # 100 / 3 is no whole number: a step that is rounded shows
    ANCHORS, [(2, int(rng.integers(4, 7))), (int(rng.integers(4, 6)), 3)],
    [[8, 12], [20, 30]], 100))
def test_maps_that_are_not_square(answer, expected, question):
    """On a map of H rows and W columns, x steps by image_size / W and y by image_size / H."""
    _anchors(answer, expected, question)


@check("1.2.4", "P1.anchors.scales", lambda rng: call1(
    ANCHORS, [(4, 4), (2, 2), (1, 1)],
    [[int(rng.integers(4, 9))], [16, 20, 24, 28], [40, 52]], 64))
def test_unequal_numbers_of_scales(answer, expected, question):
    """Each map may have its own number of scales."""
    _anchors(answer, expected, question)


@check("1.2.5", "P1.anchors.unclipped", lambda rng: call1(
    ANCHORS, [(2, 2)], [[int(rng.integers(50, 90))]], 64))
def test_anchors_are_not_clipped(answer, expected, question):
    """Anchors may reach beyond the image; their size and centre stay."""
    _anchors(answer, expected, question)


@check("1.2.6", "P1.anchors.default", lambda rng: call1(
    ANCHORS, [(side, side) for side in MAP_SIZES], [list(scales) for scales in ANCHOR_SCALES]))
def test_anchors_of_the_assignment(answer, expected, question):
    """The assignment's three maps give float32 anchors [9408, 4], [2352, 4] and [588, 4]."""
    for index, (got, want) in enumerate(
            zip(sequence(answer, 3, "the list of anchors, one entry per map,"), expected)):
        array(got, f"anchors[{index}]", want.shape, "float32")
    _anchors(answer, expected, question)


def _pair(rng):
    # two 10 x 10 boxes, the second 5 to the right: 50 / (100 + 100 - 50) = 1/3; and one inside
    # the first with half its sides: 25 / 100; and the first itself: 1
    others = rows((5, 0, 15, 10), (0, 0, 5, 5), (0, 0, 10, 10))
    moved = shift(np.concatenate([rows((0, 0, 10, 10)), others]), rng)
    return call1(IOU, moved[:1], moved[1:])


@check("1.3.1", "P1.iou.value", _pair)
def test_iou_by_hand(answer, expected):
    """IoU is the overlap over the union: 1/3, 1/4 and 1 for three boxes one can work out."""
    close(answer, expected, "iou")


@check("1.3.2", "P1.iou.pairs", lambda rng: pure(call1(IOU, boxes(rng, 5), boxes(rng, 7))))
def test_iou_of_all_pairs(answer, expected):
    """Five boxes against seven give iou[5, 7], row i for box i of the first argument."""
    close(answer, expected, "iou")


@check("1.3.3", "P1.iou.disjoint", lambda rng: (lambda moved: call1(
    IOU, moved[:1], moved[1:]))(shift(
    # right of it, diagonal to it (two negative sides must not make an area), touching, corner
    rows((0, 0, 10, 10), (20, 0, 30, 10), (25, 25, 30, 35), (10, 0, 20, 10), (10, 10, 15, 15)),
    rng)))
def test_iou_of_boxes_apart(answer, expected):
    """Boxes that lie apart or only touch have IoU 0."""
    close(answer, expected, "iou")


@check("1.3.4", "P1.iou.empty-union", lambda rng: (lambda moved: call1(
    IOU, moved[:2], moved))(shift(
    rows((5, 5, 5, 5), (7, 2, 7, 9), (0, 0, 10, 10)), rng)))
def test_iou_of_boxes_without_area(answer, expected):
    """Where the union has no area the IoU is 0, not nan."""
    close(answer, expected, "iou")


@check("1.3.5", "P1.iou.tiny", lambda rng: (lambda side: call1(
    IOU, rows((0, 0, side, side)),
    rows((side / 2, 0, side * 3 / 2, side), (0, 0, side, side / 4))))(rng.uniform(0.01, 0.02)))
def test_iou_of_tiny_boxes(answer, expected):
    """Boxes with sides of .01 have exact values like large ones: no epsilon shows in the result."""
    close(answer, expected, "iou", atol=0)


@check("1.3.6", "P1.iou.large", lambda rng: call1(
    IOU, rows((0, 0, 1e6, 1e6), (999000, 999000, 1e6, 1e6)),
    rows((0, 0, 5e5 + 1000 * float(rng.integers(1, 99)), 1e6), (999500, 999000, 1e6, 1e6))))
def test_iou_of_large_coordinates(answer, expected):
    """Coordinates up to a million give finite and right values."""
    close(answer, expected, "iou")


@check("1.3.7", "P1.iou.empty-input", lambda rng: calls(
    "problem1", IOU, [boxes(rng, 0), boxes(rng, 3)], [boxes(rng, 2), boxes(rng, 0)]))
def test_iou_without_boxes(answer, expected):
    """No boxes on one side give an empty [0, M] or [N, 0]."""
    for got, want, name in zip(answer, expected, ("iou of [0, 4] and [3, 4]",
                                                  "iou of [2, 4] and [0, 4]")):
        close(got, want, name)


@check("1.3.8", "P1.iou.dtypes", lambda rng: (lambda a, b: calls(
    "problem1", IOU, [a.astype(np.int64), b.astype(np.int64)],
    [a.astype(np.float64), b.astype(np.float64)]))(
        np.round(boxes(rng, 3)), np.round(boxes(rng, 4))))
def test_iou_of_other_types(answer, expected):
    """Boxes of whole-number or float64 type give the same values."""
    for got, want, name in zip(answer, expected, ("iou of int64 boxes", "iou of float64 boxes")):
        close(got, want, name)


@check("1.4.1", "P1.coding.encode", lambda rng: (lambda moved: call1(
    "utils.encode_boxes", moved[:2], moved[2:]))(shift(
        # anchor 20 x 20 around (10, 10); box 40 x 10 around (15, 10): 5/20, 0, log 2, log 1/2;
        # and a box that equals its anchor: zeros
        rows((-5, 5, 35, 15), (4, 6, 12, 20), (0, 0, 20, 20), (4, 6, 12, 20)), rng)))
def test_encode_by_hand(answer, expected):
    """Offsets are centre distance over anchor size and the log of the size ratio."""
    close(answer, expected, "deltas")


@check("1.4.2", "P1.coding.encode", lambda rng: pure(
    call1("utils.encode_boxes", boxes(rng, 40), boxes(rng, 40))))
def test_encode_many(answer, expected):
    """Box i is encoded against anchor i, for boxes and anchors of any width and height."""
    close(answer, expected, "deltas")


@check("1.4.3", "P1.coding.decode", lambda rng: (lambda anchors: call1(
    "utils.decode_boxes",
    # a quarter to the right, twice as wide, half as high; and nothing at all
    rows((0.25, 0, np.log(2), np.log(0.5)), (0, 0, 0, 0)), anchors))(
        shift(rows((0, 0, 20, 20), (4, 6, 12, 20)), rng)))
def test_decode_by_hand(answer, expected):
    """Decoding undoes encoding: zero deltas give the anchor itself."""
    close(answer, expected, "boxes", atol=1e-3)


@check("1.4.4", "P1.coding.decode", lambda rng: pure(call1(
    "utils.decode_boxes", rng.normal(0, 0.7, (40, 4)).astype(np.float32), boxes(rng, 40))))
def test_decode_many(answer, expected):
    """Decoded boxes are not clipped, and no variances are applied."""
    close(answer, expected, "boxes", atol=1e-3)
