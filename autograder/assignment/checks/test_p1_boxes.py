"""Tasks 1.2 to 1.4: anchors, IoU, box coding."""

import numpy as np

from datasets.constants import ANCHOR_SCALES, IMAGE_SIZE, MAP_SIZES

from ...engine.check import calls, check, pure
from ...engine.compare import Wrong, array, close, in_order, number, sequence
from .asking import call1
from .inputs import beside, boxes, rows, shift, whole

ANCHORS, IOU = "utils.generate_anchors", "utils.compute_iou"


def _maps(answer, expected, dtype=None):
    """Name, anchors and right anchors of every map."""
    got = sequence(answer, len(expected), "the list of anchors, one entry per map,")
    for index, (anchors, want) in enumerate(zip(got, expected)):
        name = f"anchors[{index}]"
        yield name, array(anchors, name, want.shape, dtype).astype(np.float64), want


def _same_rows(got, want, name):
    """Rows agree, whatever their order, of which `P1.anchors.order` speaks."""
    close(in_order(got), in_order(want), f"{name}, sorted", atol=1e-3)


def _sides(boxes):
    return boxes[:, 2:] - boxes[:, :2]


def _scales(rng, count, highest=26):
    scales = np.arange(4, highest + 1, 2)
    return [int(scale) for scale in np.sort(rng.choice(scales, count, False))]


# Three scales wherever 1.2.4 does not ask for other numbers of them.
def _one_cell(rng):
    # One cell of 64 pixels: the centre is (32, 32), a scale of 21 spans 21.5..42.5. From call to
    # call the scales or the size of the image stay: what was kept of the call before shows.
    first, second = ([int(2 * half + 1) for half in np.sort(some) + 5]
                     for some in rng.permutation(26)[:6].reshape(2, 3))
    small, large = 4 * np.sort(rng.permutation(np.arange(16, 51))[:2])
    return calls("problem1", ANCHORS, *([[(1, 1)], [scales], int(size)] for scales, size in (
        (first, small), (first, large), (second, large))))


@check("1.2.1", "P1.anchors.box", _one_cell)
def test_one_cell(answer, expected, question):
    """Anchors of a single cell are squares of side `scale` around the middle of the image."""
    for result, right, (_, (scales,), size) in zip(
            sequence(answer, 3, "the results"), expected, question.inputs["argument_lists"]):
        for name, got, want in _maps(result, right):
            got = got[np.argsort(_sides(got)[:, 0], kind="stable")]  # 1.2.2 asks for the order
            close(got, want, f"{name} of an image of {size} pixels", atol=1e-3,
                  where=lambda p, scales=scales: (f"{('x1', 'y1', 'x2', 'y2')[p[1]]} of row 0, "
                                                  f"column 0, scale {scales[p[0]]}"))


def _square_map(rng):
    side, scales = whole(rng, 2, 11), _scales(rng, 3)
    while scales == sorted(scales):
        scales = rng.permutation(scales).tolist()
    return call1(ANCHORS, [(side, side)], [scales], side * whole(rng, 28, 48))


@check("1.2.2", "P1.anchors.order", _square_map)
def test_order(answer, expected, question):
    """Rows run cell by cell, row-major, and all scales of a cell come before the next cell."""
    (_, width), scales = question.inputs["args"][0][0], question.inputs["args"][1][0]

    def place(position):
        cell, scale = divmod(int(position), len(scales))
        return f"row {cell // width}, column {cell % width}, scale {scales[scale]}"

    def ranks(boxes):  # of centres and sides, from top to bottom, left to right, small to large
        centre, side = boxes[:, :2] + boxes[:, 2:], _sides(boxes)[:, :1]
        return np.stack([np.unique(np.round(column, 2), return_inverse=True)[1] for column in
                         np.concatenate([centre[:, ::-1], side], axis=1).T], axis=1)

    for name, got, want in _maps(answer, expected):
        stands = (ranks(got)[:, None] == ranks(want)[None]).all(axis=2)  # [place, whose anchor]
        reordered = (stands.sum(axis=0) == 1).all() and (stands.sum(axis=1) == 1).all()
        for position in np.flatnonzero(~np.diagonal(stands))[:1]:
            found = f"that of {place(stands[position].argmax())}" if reordered else (
                f"{number(got[position])}, whose centre or side is out of order")
            raise Wrong(f"{name}[{position}] should be the anchor of {place(position)}, but is "
                        f"{found}.")


def _oblong_maps(rng):
    # No step of the second map is a whole number: one that is rounded shows. Seven steps of a
    # seventh are less than the whole in floating point: who counts steps finds eight.
    maps = [(2, whole(rng, 4, 12)), (7, 3)]
    return call1(ANCHORS, [maps[i] for i in rng.permutation(2)],
                 [_scales(rng, 3, 14), _scales(rng, 3, 14)], int(rng.choice([230, 244, 251])))


@check("1.2.3", "P1.anchors.maps", _oblong_maps)
def test_maps_that_are_not_square(answer, expected):
    """On a map of H rows and W columns, x steps by image_size / W and y by image_size / H."""
    for name, got, want in _maps(answer, expected):
        _same_rows(*((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (got, want)),
                   f"centres of {name}")


@check("1.2.4", "P1.anchors.scales", lambda rng: pure(call1(
    ANCHORS, [(4, 4), (2, 2), (1, 1), (3, 3)], [
        [whole(rng, 27, 34) + 0.5, *_scales(rng, n)] for n in rng.permutation([0, 1, 2, 3])],
    48 * whole(rng, 2, 4))))
def test_unequal_numbers_of_scales(answer, expected):
    """Each map may have its own number of scales."""
    for name, got, want in _maps(answer, expected):
        _same_rows(_sides(got), _sides(want), f"sides of {name}")


def _large_scale(rng):
    size = 4 * whole(rng, 10, 25)
    large = rng.choice(np.arange(size * 3 // 8, size * 3 // 4 + 1), 3, False)
    return call1(ANCHORS, [(2, 2)], [[2 * int(half) for half in large]], size)


@check("1.2.5", "P1.anchors.unclipped", _large_scale)
def test_anchors_are_not_clipped(answer, expected):
    """Anchors may reach beyond the image; their size and centre stay."""
    for name, got, want in _maps(answer, expected):
        _same_rows(_sides(got), _sides(want), f"sides of {name}")


def _default(rng):
    """The assignment's maps in random order, the coarser ones more than once, each with its scales
    in random order."""
    order = rng.permutation([0, 1, 2, *rng.integers(1, 3, whole(rng, 0, 2))])
    return call1(ANCHORS, [(MAP_SIZES[i], MAP_SIZES[i]) for i in order],
                 [[int(scale) for scale in rng.permutation(ANCHOR_SCALES[i])] for i in order])


@check("1.2.6", "P1.anchors.default", _default)
def test_anchors_of_the_assignment(answer, expected):
    """The assignment's three maps give float32 anchors [9408, 4], [2352, 4] and [588, 4]."""
    for name, got, want in _maps(answer, expected, "float32"):
        # Within the image: whether anchors are clipped, test_anchors_are_not_clipped asks.
        _same_rows(*(np.clip(boxes, 0, IMAGE_SIZE - 1) for boxes in (got, want)), name)


def _pair(rng):
    # Beside a box of W x H: itself, 1; moved to the right by d, (W - d) / (W + d); a part of w x h,
    # w * h / (W * H). For 10 x 10, d = 5, w = h = 5 that is 1, 50 / (100 + 100 - 50) = 1/3, 1/4.
    (width, height), (d, w, h) = rng.integers(8, 21, 2), rng.integers(1, 8, 3)
    others = rows((0, 0, width, height), (d, 0, width + d, height), (0, 0, w, h))
    moved = shift(np.concatenate([others[:1], rng.permutation(others)]), rng)
    return call1(IOU, moved[:1], moved[1:])


@check("1.3.1", "P1.iou.value", _pair)
def test_iou_by_hand(answer, expected):
    """IoU is the overlap over the union: of a box with itself, a moved copy and a part of it."""
    close(answer, expected, "iou", rtol=1e-3)


def _overlapping(rng):
    """Two lists of boxes of unequal lengths; each box of the second overlaps one of the first.
    Like anchors, some reach beyond the corner (0, 0) of the image."""
    count, others = rng.choice(np.arange(3, 9), 2, replace=False)
    some = boxes(rng, count, 20) - 80
    return some, beside(rng, some, others)


@check("1.3.2", "P1.iou.pairs", lambda rng: pure(call1(IOU, *_overlapping(rng))))
def test_iou_of_all_pairs(answer, expected):
    """N boxes against M others give iou[N, M], row i for box i of the first argument."""
    close(answer, expected, "iou")


def _apart_or_not(answer, expected, name="iou"):
    """IoU is 0 exactly where boxes share no area; how large it is elsewhere, other checks ask."""
    got, apart = array(answer, name, expected.shape), expected == 0
    close(np.where(apart, got, 0), np.zeros(expected.shape), name)
    if not (got > 0)[~apart].all():
        raise Wrong(f"{name} should be above 0 where boxes overlap.")


def _apart(rng):
    # Of a box of 10 x 10: to its right, below it, diagonal to it, far and near (two negative sides
    # must not make an area, whether it is larger than both boxes or smaller), touching it, at its
    # corner; and boxes inside it
    apart = rows((20, 0, 30, 10), (0, 14, 10, 24), (25, 25, 30, 35), (12, 13, 22, 23),
                 (10, 0, 20, 10), (10, 10, 15, 15))
    others = rng.permutation(np.concatenate([apart, boxes(rng, whole(rng, 3, 8), 2, 8, size=10)]))
    moved = shift(np.concatenate([rows((0, 0, 10, 10)), others]), rng)
    return call1(IOU, moved[:1], moved[1:])


@check("1.3.3", "P1.iou.disjoint", _apart)
def test_iou_of_boxes_apart(answer, expected):
    """Boxes that lie apart or only touch have IoU 0."""
    _apart_or_not(answer, expected)


def _without_area(rng):
    # a point and a line, and two boxes that hold them
    kinds = rows((5, 5, 5, 5), (7, 2, 7, 9), (0, 0, 10, 10), (1, 1, 9, 12))
    some = shift(kinds[[0, 1, 2, 3, *rng.integers(0, 4, whole(rng, 0, 2))]], rng)
    return call1(IOU, rng.permutation(some), rng.permutation(some))


@check("1.3.4", "P1.iou.empty-union", _without_area)
def test_iou_of_boxes_without_area(answer, expected):
    """Where the union has no area the IoU is 0, not nan."""
    _apart_or_not(answer, expected)


def _tiny(rng):
    # moved by a share f of its side, (1 - f) / (1 + f); a part g of it, g
    side, f, g = rng.uniform(0.01, 0.02), rng.uniform(0.95, 0.97), rng.uniform(0.2, 0.8)
    return call1(IOU, rows((0, 0, side, side)),
                 rows((f * side, 0, (1 + f) * side, side), (0, 0, side, g * side)))


@check("1.3.5", "P1.iou.tiny", _tiny)
def test_iou_of_tiny_boxes(answer, expected):
    """Boxes with sides of .01 have exact values like large ones: no epsilon shows in the result."""
    close(answer, expected, "iou", atol=0)


def _large(rng):
    # thousandths of a box with sides of a million, and of one of a thousand at its far corner
    large, small = (int(part) for part in rng.integers(100, 900, 2))
    return call1(IOU, rows((0, 0, 1e6, 1e6), (999000, 999000, 1e6, 1e6)),
                 rows((0, 0, 1000 * large, 1e6), (1e6 - small, 999000, 1e6, 1e6)))


@check("1.3.6", "P1.iou.large", _large)
def test_iou_of_large_coordinates(answer, expected):
    """Coordinates up to a million give finite and right values."""
    close(answer, expected, "iou")


def _none(rng):
    none, some, near = (boxes(rng, count, 120, 200) for count in (0, *rng.integers(1, 9, 2)))
    others = rng.permutation(np.concatenate([near, near + 300]))  # half of them overlap none
    asked = [[some, none], [none, others], [some, others]]
    return calls("problem1", IOU, *(asked[i] for i in rng.permutation(3)))


@check("1.3.7", "P1.iou.empty-input", _none)
def test_iou_without_boxes(answer, expected, question):
    """No boxes on one side give an empty [0, M] or [N, 0]."""
    for got, want, (some, others) in zip(sequence(answer, len(expected), "the results"), expected,
                                         question.inputs["argument_lists"]):
        _apart_or_not(got, want, f"iou of {list(some.shape)} and {list(others.shape)}")


def _other_types(rng):
    # Whole numbers are as large as those of 1.3.6: as int32, areas would be beyond its range.
    some, others = (np.round(part) for part in _overlapping(rng))
    kinds = ("int64", 5000), ("float64", 1)
    return calls("problem1", IOU, *([(factor * part).astype(dtype) for part in (some, others)]
                                    for dtype, factor in (kinds[i] for i in rng.permutation(2))))


@check("1.3.8", "P1.iou.dtypes", _other_types)
def test_iou_of_other_types(answer, expected, question):
    """Boxes of whole-number or float64 type give the same values."""
    for got, want, (some, _) in zip(sequence(answer, len(expected), "the results"), expected,
                                    question.inputs["argument_lists"]):
        close(got, want, f"iou of {some.dtype} boxes")


def _coded(rng):
    """Anchors, offsets that one can work out, and the boxes that they mean, float32 `[N, 4]`."""
    # anchor 20 x 20 around (10, 10); box 40 x 10 around (15, 10): 5/20, 0, log 2, log 1/2
    count = whole(rng, 2, 4)
    # All boxes lie inside an image: 1.4.4 asks about others.
    corner, side = rng.integers(92, 112, (count, 2)), 4 * rng.integers(2, 9, (count, 2))
    moved = rng.choice([-3, -2, -1, 1, 2, 3], (count, 2)) / 4
    doubled = rng.choice([-2, -1, 1, 2], (count, 2))
    own = whole(rng, 0, count - 1)  # this box equals its anchor: zeros
    moved[own], doubled[own] = 0, 0
    centre, size = corner + side / 2 + moved * side, side * 2.0 ** doubled
    return [np.concatenate(parts, axis=1).astype(np.float32) for parts in (
        (corner, corner + side), (moved, doubled * np.log(2)),
        (centre - size / 2, centre + size / 2))]


def _to_encode(rng):
    anchors, _, some = _coded(rng)
    return call1("utils.encode_boxes", some, anchors)


@check("1.4.1", "P1.coding.encode", _to_encode)
def test_encode_by_hand(answer, expected):
    """Offsets are centre distance over anchor size and the log of the size ratio."""
    close(answer, expected, "deltas")


def _many(rng):
    """Boxes and anchors, of which many lie left of the image or above it, and some are less than a
    pixel wide and high."""
    some, small = whole(rng, 30, 50), whole(rng, 3, 6)
    drawn = [np.concatenate([boxes(rng, some), boxes(rng, small, 0.25, 0.75)]) for _ in range(2)]
    return [rng.permutation(part) - 100 for part in drawn]


@check("1.4.2", "P1.coding.encode", lambda rng: pure(call1("utils.encode_boxes", *_many(rng))))
def test_encode_many(answer, expected):
    """Box i is encoded against anchor i, for boxes and anchors of any width and height."""
    close(answer, expected, "deltas")


def _to_decode(rng):
    anchors, deltas, _ = _coded(rng)
    return call1("utils.decode_boxes", deltas, anchors)


@check("1.4.3", "P1.coding.decode", _to_decode)
def test_decode_by_hand(answer, expected):
    """Decoding undoes encoding: zero deltas give the anchor itself."""
    close(answer, expected, "boxes", atol=1e-3)


def _many_to_decode(rng):
    # Boxes far out of any image, and sides from a hundredth to fifty times that of the anchor
    count = whole(rng, 30, 50)
    deltas = np.concatenate([rng.normal(0, 0.7, (count, 4)),
                             rng.uniform(3.5, 6, (6, 4)) * (1, 1, 0, 0),
                             rng.uniform(4.3, 5, (6, 4)) * (0, 0, -1, -1),
                             rng.uniform(3, 4, (6, 4)) * (-1, -1, 1, 1)])
    return pure(call1("utils.decode_boxes", rng.permutation(deltas).astype(np.float32),
                      boxes(rng, len(deltas)) - 100))


@check("1.4.4", "P1.coding.decode", _many_to_decode)
def test_decode_many(answer, expected):
    """Decoded boxes are not clipped, and no variances are applied."""
    close(answer, expected, "boxes", atol=1e-3)
