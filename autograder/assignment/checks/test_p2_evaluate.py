"""Tasks 2.5, 2.6 and 2.7: keypoints from heatmaps, PCK, pictures."""

from itertools import product

import numpy as np

from datasets.constants import FIGURE_SIZE

from ...engine.check import Question, calls, check, pure
from ...engine.compare import Wrong, array, close, entries, number, sequence
from .asking import call2
from .inputs import whole
from .pictures import BLOCK, SIDES, blocks, drawn, moves, nodes, shows

EXTRACT, PCK = "evaluate.extract_keypoints_from_heatmaps", "evaluate.compute_pck"


HEIGHTS = ((0, 1), (0, 1 / 64), (0, 1 / 2))  # a faint maximum is a maximum
ALMOST = 0.9 * (1 - 2**-17)  # of a maximum of 0.9: another number in float32, and not in fewer bits


def _peaks(rng, batch, keypoints, height, width, kinds=((0, 1),), second=False):
    """Maps with one peak each, of several kinds: `(lowest value, scale)`; `second`: and with one
    that is almost as high, in the upper left corner."""
    # Steps of 1/64 compress well; all values lie far below the peak.
    maps = (rng.integers(0, 13, (batch, keypoints, height, width)) / 64).astype(np.float32)
    order = rng.permutation(np.arange(batch * keypoints) % len(kinds)).reshape(batch, keypoints)
    for b in range(batch):
        for k in range(keypoints):
            maps[b, k, 0, 0] = ALMOST if second else maps[b, k, 0, 0]
            maps[b, k, rng.integers(0, height), rng.integers(0, width)] = 0.9
            low, scale = kinds[order[b, k]]
            maps[b, k] = low + scale * maps[b, k]
    return maps


def _points(answer, expected):
    try:
        close(answer, expected, "keypoints", atol=1e-3,
              where=lambda p: f"image {p[0]}, keypoint {p[1]}, {'xy'[p[2]]}")
    except Wrong as wrong:
        got = array(answer, "keypoints", expected.shape)
        way = _way(got, expected)
        if way is None or not (way % 1).any():
            raise
        swapped = ", and x and y are swapped" * (way is not got)
        raise Wrong(f"{wrong} All lie less than a pixel away{swapped}: whole pixels of the map as "
                    "it is given are asked for.") from None


def _way(got, expected):
    """Keypoints as they came, or with x and y swapped: whichever is less than a pixel off."""
    return next((way for way in (got, got[..., ::-1]) if (np.abs(way - expected) < 1).all()), None)


def _about(answer, expected):
    """As `_points`, but for fractions of a pixel and the order of x and y: other checks ask that.
    """
    if _way(array(answer, "keypoints", expected.shape), expected) is None:
        _points(answer, expected)


@check("2.5.1", "P2.extract.xy", lambda rng: call2(
    EXTRACT, _peaks(rng, 1, 3, whole(rng, 3, 5), whole(rng, 7, 10), HEIGHTS)))
def test_extract_xy(answer, expected):
    """The place of a map's maximum comes out as (x, y) = (column, row)."""
    _points(answer, expected)


@check("2.5.2", "P2.extract.shape", lambda rng: call2(
    EXTRACT, _peaks(rng, whole(rng, 3, 4), 1, whole(rng, 130, 140), whole(rng, 130, 140))))
def test_extract_shape(answer, expected):
    """Heatmaps [B, K, H, W] give float32 keypoints [B, K, 2]."""
    array(answer, "keypoints", expected.shape, "float32")
    _about(answer, expected)


def _tied(rng):
    maps = _peaks(rng, 1, whole(rng, 3, 5), 6, 8)
    flat, *tied = rng.permutation(maps.shape[1])[:-1]
    maps[0, flat] = 0.25  # the whole map: the first place is (0, 0)
    for k in tied:  # the upper row comes first, although its column is further to the right
        (upper, lower), (left, right) = (np.sort(rng.choice(size, 2, False)) for size in (6, 8))
        maps[0, k] = 0
        maps[0, k, upper, right] = maps[0, k, lower, left] = float(rng.uniform(0.5, 1))
    return call2(EXTRACT, maps)


@check("2.5.3", "P2.extract.ties", _tied)
def test_extract_ties(answer, expected):
    """Where several places share the maximum, the first in reading order counts."""
    _about(answer, expected)


@check("2.5.4", "P2.extract.negative", lambda rng: pure(call2(
    EXTRACT, _peaks(rng, 2, whole(rng, 3, 5), 8, 12, ((-3, 1), (2, 1))))))
def test_extract_negative(answer, expected):
    """Maps of negative numbers, or of numbers above 1, have a maximum as well."""
    _about(answer, expected)


@check("2.5.5", "P2.extract.xy", lambda rng: pure(call2(
    EXTRACT, _peaks(rng, 4, 5, 64, 64, HEIGHTS, second=True))))
def test_extract_many(answer, expected):
    """Four images with maps of 64 x 64."""
    _points(answer, expected)


def _figures(rng, images):
    """Random poses: head above, hands aside, feet below, in pixels of a 128-pixel image."""
    base = np.array([(0, -30), (-20, 0), (20, 0), (-12, 36), (12, 36)])
    centre = rng.uniform(44, 84, (images, 1, 2))
    return (centre + base + rng.uniform(-4, 4, (images, 5, 2))).astype(np.float32)


def _limits(rng, count):
    """Thresholds of whole per cent, the largest first."""
    percents = np.sort(rng.choice(np.arange(4, 40), count, False))[::-1]
    return [int(percent) / 100 for percent in percents]


def _arguments(predictions, truths, limits):
    return [predictions.astype(np.float32), truths.astype(np.float32), list(limits)]


def _question(predictions, truths, limits, **options):
    return call2(PCK, *_arguments(predictions, truths, limits), arrays_too=True, **options)


def _pck(answer, expected):
    for (limit, want), got in zip(expected.items(), entries(answer, list(expected), "the result")):
        above = " (a share in 0..1)" * bool(array(got, "PCK", ()) > 1)
        close(got, np.asarray(want), f"PCK at {limit:g}{above}", atol=1e-4)


# A figure whose box is 3 wide and 4 high: its diagonal is 5.
FIGURE = np.array([[(1.5, 0), (0, 2), (3, 2), (0.5, 4), (2.5, 4)]])


def _moved(rng, unit, distances, limits, directions):
    """The figure in units of so many pixels, and a prediction off by distances in some directions.
    """
    truth = unit * FIGURE + rng.integers(5, 60, 2)
    off = np.array(distances)[:, None] * rng.choice(directions, 5)
    return _question(truth + off, truth, limits)


def _bands(rng):
    # For limits of .05, .10 and .20 and a diagonal of 50, which is 2.5, 5 and 10 pixels: distances
    # of .98 of a limit, right from this limit on, and of 1.02 of the last. One is within the
    # first limit, one within the second and one just beyond the last. The right foot is far off,
    # so that the box of the prediction is larger.
    unit, first = 2 * whole(rng, 3, 5), whole(rng, 5, 10)
    second = first + whole(rng, 3, 6)
    limits = np.array([first, second, second + whole(rng, 3, 8)]) / 100
    right_from = rng.permutation([0, 1, 3, whole(rng, 0, 3)])
    pixels = 5 * unit * np.array([*0.98 * limits, 1.02 * limits[-1]])
    return pure(_moved(rng, unit, [*pixels[right_from], unit * whole(rng, 3, 5)],
                       limits[::-1].tolist(), [(0.6, 0.8), (0.8, 0.6)]))


@check("2.6.1", "P2.pck.bbox", _bands)
def test_pck_by_hand(answer, expected):
    """A keypoint is right within threshold * diagonal of the true keypoints' bounding box."""
    _pck(answer, expected)


def _boundaries(rng):
    # Sixteenths of the diagonal are exact: three keypoints or more lie exactly at a limit, as 12.5
    # of 50. So many limits, that the answers to the public inputs are of others than the hidden.
    unit = 2 * whole(rng, 3, 5)
    limits = np.sort(rng.choice(np.arange(1, 13), 3, False)) / 16
    exact = 5 * unit * limits
    others = rng.choice([*exact, *exact + 0.5, 0], 2)
    return _moved(rng, unit, rng.permutation([*exact, *others]), limits.tolist(), [(1, 0), (0, 1)])


@check("2.6.2", "P2.pck.boundary", _boundaries)
def test_pck_boundary(answer, expected):
    """A distance equal to the limit is right."""
    _pck(answer, expected)


def _noisy(rng, images):
    truths = _figures(rng, images)
    predictions = truths + rng.normal(0, 1, truths.shape) * rng.uniform(1, 12, (images, 1, 1))
    return _arguments(predictions, truths, _limits(rng, 4))


def _of_all_sizes(rng):
    scale = rng.uniform(0.3, 2.5, (whole(rng, 14, 18), 1, 1))
    figures = _figures(rng, len(scale))
    # More keypoints than the figures of the course have, one in the corner of its image, and a
    # figure partly left of it and above.
    more = figures[:, :whole(rng, 1, 3)] + rng.uniform(-9, 9, (len(scale), 1, 2))
    truths = np.concatenate([figures, more], axis=1) * scale
    truths[whole(rng, 0, 9), whole(rng, 0, 4)] = 0
    beyond = whole(rng, 10, 13)
    truths[beyond] -= truths[beyond].mean(axis=0)
    return _question(truths + rng.normal(0, 1, truths.shape) * 6 * scale, truths, _limits(rng, 4))


@check("2.6.3", "P2.pck.image", _of_all_sizes)
def test_pck_of_each_image(answer, expected):
    """Every image is measured by its own figure; the result is the share of all keypoints."""
    _pck(answer, expected)


def _stepping(rng):
    """Figures with the left foot far to the side, so that the middle of the feet is elsewhere."""
    predictions, truths, limits = _noisy(rng, whole(rng, 10, 14))
    for keypoints in (predictions, truths):
        keypoints[:, 3, 0] -= 25
    # Small, so that whole pixels in the place of fractions show.
    return _question(predictions / 8, truths / 8, limits, normalize_by="torso")


@check("2.6.4", "P2.pck.torso", _stepping)
def test_pck_torso(answer, expected):
    """With "torso" the length is that from the head to the middle between the feet."""
    _pck(answer, expected)


def _with_nan(rng):
    truths = _figures(rng, whole(rng, 3, 5))
    predictions = truths.copy()
    places = rng.permutation(truths[..., 0].size)[:whole(rng, 3, 6)]
    axes = rng.permutation(np.arange(len(places) - 1) % 2)
    for found, value in ((truths, 0), (predictions, np.nan)):  # a nan taken for 0 would be right
        found.reshape(-1, 2)[places[0]] = value
        found.reshape(-1, 2)[places[1:], axes] = value
    return pure(_question(predictions, truths, _limits(rng, 2)))


@check("2.6.5", "P2.pck.nan", _with_nan)
def test_pck_nan(answer, expected):
    """A predicted keypoint that is nan is wrong, and counts."""
    _pck(answer, expected)


def _degenerate(rng):
    truths = _figures(rng, whole(rng, 2, 4))
    predictions = truths.copy()
    for image in rng.permutation(len(truths))[:whole(rng, 1, len(truths) - 1)]:
        truths[image] = predictions[image] = whole(rng, 5, 100)
        predictions[image, rng.permutation(5)[:whole(rng, 1, 4)]] += 1 / 64
    return _question(predictions, truths, [*_limits(rng, 2), 0.0])


@check("2.6.6", "P2.pck.degenerate", _degenerate)
def test_pck_degenerate(answer, expected):
    """In an image whose keypoints all coincide only exact hits are right."""
    _pck(answer, expected)


def _none_or_some(rng):
    nothing = _arguments(np.zeros((0, 5, 2)), np.zeros((0, 5, 2)), _limits(rng, 2))
    asked = [nothing, *(_noisy(rng, 3) for _ in range(whole(rng, 1, 2)))]
    return calls("problem2", PCK, *(asked[i] for i in rng.permutation(len(asked))), arrays_too=True)


@check("2.6.7", "P2.pck.empty", _none_or_some)
def test_pck_without_images(answer, expected, question):
    """Without images every value is nan."""
    for got, want, (_, truths, _) in zip(sequence(answer, len(expected), "the results"), expected,
                                         question.inputs["argument_lists"]):
        name = f"PCK of {len(truths) or 'no'} images"
        for (limit, share), value in zip(want.items(), entries(got, list(want), "the result")):
            value = array(value, f"{name} at {limit:g}", ())
            if np.isnan(value) != np.isnan(share):
                should = "nan" if np.isnan(share) else "a number"
                raise Wrong(f"{name} at {limit:g} should be {should}, but is {number(value)}.")


def _normalizers(rng):
    words = ["bbox", "bbox", "torso", "image", None, "Torso"]
    asked = rng.permutation([0, 3, 4, 5, *rng.integers(0, 6, whole(rng, 3, 6))])
    figure = 10 * FIGURE.astype(np.float32)
    return calls("problem2", PCK, *([figure, figure, [0.5], words[i]] for i in asked), catch=True)


@check("2.6.8", "P2.pck.unknown", _normalizers)
def test_pck_unknown_normalizer(answer, expected, question):
    """An unknown normalize_by is a ValueError."""
    for got, want, (*_, word) in zip(sequence(answer, len(expected), "the results"), expected,
                                     question.inputs["argument_lists"]):
        raised, should = (value if isinstance(value, str) else "no exception"
                          for value in (got, want))
        if raised != should and (word not in ("bbox", "torso") or raised == "ValueError"):
            raise Wrong(f"normalize_by={word!r} should raise {should}, but raised {raised}.")


CURVES = "plot_pck_curves"


def _curves(rng):
    """Two curves, and each of them twice more with one value higher and one lower: the one on the
    left once up and once down. The axes keep their ends, and the places where legends go stay
    empty: matplotlib moves one that is in the way."""
    count, step = int(rng.integers(6, 9)), float(rng.choice([0.02, 0.05, 0.1]))
    good, bad = rng.uniform(0.58, 0.62, count), rng.uniform(0.33, 0.37, count)
    good[0], good[-1], bad[0] = 0.9, 0.98, 0.05
    calls = [[good, bad]]
    for which, signs in product(rng.permutation(2), rng.permutation([[1, -1], [-1, 1]])):
        left = int(rng.integers(1, count - 4))
        right = int(rng.integers(left + 3, count - 1))
        curves = [good.copy(), bad.copy()]
        curves[which][[left, right]] += signs * rng.uniform(0.1, 0.13, 2)
        calls.append(curves)
    limits = [round(step * (i + 1), 2) for i in range(count)]
    return Question("problem2", "pictures", {
        "function": f"evaluate.{CURVES}", "sides": SIDES,
        "argument_lists": [[dict(zip(limits, curve.tolist())) for curve in curves]
                           for curves in calls]})


@check("2.7.1", "P2.plots.curves", _curves)
def test_pck_curves(answer, question):
    """plot_pck_curves draws both curves to save_path."""
    before, *others = drawn(answer, 5, f"what {CURVES} writes to save_path")
    first, *changed = ([*good.values(), *bad.values()] for good, bad in
                       question.inputs["argument_lists"])
    for picture, values in zip(others, changed):
        step = np.subtract(values, first)
        up, down = ("left", "right") if step.argmax() < step.argmin() else ("right", "left")
        moves(before, picture, up, down, CURVES)


NODES = FIGURE_SIZE // BLOCK + 1  # not those of the course: sizes come from the image


def _keypoints_picture(rng):
    """Points on nodes of one part of an image, so that lines between them cross few others."""
    column, row = rng.integers(0, NODES - 4, 2)
    count = whole(rng, 6, 7)  # of each kind
    places = rng.permutation(25)
    points = nodes(np.stack([column + places % 5, row + places // 5], axis=1))
    found, truth, other = np.split(points, [count, 2 * count])
    first, second = blocks(rng, 1, NODES)
    return Question("problem2", "pictures", {
        "function": "evaluate.visualize_predictions", "sides": SIDES, "argument_lists": [
            [second, other, other], [first, found, truth], [second, found, truth]]})


@check("2.7.2", "P2.plots.predictions", _keypoints_picture)
def test_predictions_picture(answer, question):
    """visualize_predictions draws the image and both sets of keypoints to save_path."""
    (_, before, _), (image, found, truth), _ = question.inputs["argument_lists"]
    shows(answer, "visualize_predictions", image,
          {"predicted keypoints": found, "true keypoints": truth}, before)
