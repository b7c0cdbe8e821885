"""Tasks 2.5, 2.6 and 2.7: keypoints from heatmaps, PCK, pictures."""

import math

import numpy as np

from datasets.constants import FIGURE_SIZE

from ...engine.check import Question, calls, check
from ...engine.compare import Wrong, array, close, entries, kind
from .asking import call2
from .inputs import pictures

EXTRACT, PCK = "evaluate.extract_keypoints_from_heatmaps", "evaluate.compute_pck"


def _peaks(rng, batch, keypoints, height, width, low=0.0):
    # Steps of 1/64 compress well; all values lie far below the peak.
    maps = (low + rng.integers(0, 13, (batch, keypoints, height, width)) / 64).astype(np.float32)
    for b in range(batch):
        for k in range(keypoints):
            maps[b, k, rng.integers(0, height), rng.integers(0, width)] = low + 0.9
    return maps


def _points(answer, expected):
    close(answer, expected, "keypoints", atol=1e-3,
          where=lambda p: f"image {p[0]}, keypoint {p[1]}, {'xy'[p[2]]}")


@check("2.5.1", "P2.extract.xy", lambda rng: call2(EXTRACT, _peaks(rng, 1, 3, 4, 9)))
def test_extract_xy(answer, expected):
    """The place of a map's maximum comes out as (x, y) = (column, row)."""
    _points(answer, expected)


@check("2.5.2", "P2.extract.shape", lambda rng: call2(EXTRACT, _peaks(rng, 3, 5, 16, 16)))
def test_extract_shape(answer, expected):
    """Heatmaps [B, K, H, W] give float32 keypoints [B, K, 2]."""
    array(answer, "keypoints", expected.shape, "float32")
    _points(answer, expected)


def _tied(rng):
    maps = _peaks(rng, 1, 3, 6, 8)
    maps[0, 0] = 0.25  # the whole map: the first place is (0, 0)
    maps[0, 1] = 0
    maps[0, 1, 2, 5] = maps[0, 1, 4, 1] = float(rng.uniform(0.5, 1))  # row 2 comes first
    return call2(EXTRACT, maps)


@check("2.5.3", "P2.extract.ties", _tied)
def test_extract_ties(answer, expected):
    """Where several places share the maximum, the first in reading order counts."""
    _points(answer, expected)


@check("2.5.4", "P2.extract.negative", lambda rng: call2(
    EXTRACT, _peaks(rng, 2, 4, 8, 12, low=-3.0)))
def test_extract_negative(answer, expected):
    """Maps of negative numbers have a maximum as well."""
    _points(answer, expected)


@check("2.5.5", "P2.extract.xy", lambda rng: call2(EXTRACT, _peaks(rng, 4, 5, 64, 64)))
def test_extract_many(answer, expected):
    """Four images with maps of 64 x 64."""
    _points(answer, expected)


def _figures(rng, images):
    """Random poses: head above, hands aside, feet below, in pixels of a 128-pixel image."""
    base = np.array([(0, -30), (-20, 0), (20, 0), (-12, 36), (12, 36)])
    centre = rng.uniform(44, 84, (images, 1, 2))
    return (centre + base + rng.uniform(-4, 4, (images, 5, 2))).astype(np.float32)


def _question(predictions, truths, limits, **options):
    return call2(PCK, predictions.astype(np.float32), truths.astype(np.float32), list(limits),
                 arrays_too=True, **options)


def _pck(answer, expected):
    for (limit, want), got in zip(expected.items(), entries(answer, list(expected), "the result")):
        close(got, np.asarray(want), f"PCK at {limit:g}", atol=1e-4)


# A figure whose box is 30 wide and 40 high: its diagonal is 50.
FIGURE = np.array([[(15, 0), (0, 20), (30, 20), (5, 40), (25, 40)]], dtype=np.float32)


def _moved(rng, distances, limits):
    """The figure somewhere, and a prediction off by the given distances along x or y."""
    truth = FIGURE + rng.integers(5, 60, 2)
    predicted = truth.copy()
    for k, distance in enumerate(distances):
        predicted[0, k, int(rng.integers(0, 2))] += distance
    return _question(predicted, truth, limits)


@check("2.6.1", "P2.pck.bbox", lambda rng: _moved(
    # distances 2, 4, 9, 11, 30, diagonal 50: 1/5 within .05 * 50, 2/5 within 5, 3/5 within 10
    rng, (2, 4, 9, 11, 30), (0.05, 0.10, 0.20)))
def test_pck_by_hand(answer, expected):
    """A keypoint is right within threshold * diagonal of the true keypoints' bounding box."""
    _pck(answer, expected)


@check("2.6.2", "P2.pck.boundary", lambda rng: _moved(
    # exactly .25 * 50 and .5 * 50
    rng, (12.5, 12.5, 25, 25.5, 0), (0.25, 0.5)))
def test_pck_boundary(answer, expected):
    """A distance equal to the limit is right."""
    _pck(answer, expected)


def _noisy(rng, images=12, **options):
    truths = _figures(rng, images)
    predictions = truths + rng.normal(0, 1, truths.shape) * rng.uniform(1, 12, (images, 1, 1))
    return _question(predictions, truths, (0.05, 0.1, 0.15, 0.2), **options)


@check("2.6.3", "P2.pck.image", lambda rng: (lambda scale, figures: _question(
    figures * scale + rng.normal(0, 1, figures.shape) * 6 * scale, figures * scale,
    (0.05, 0.1, 0.15, 0.2)))(rng.uniform(0.3, 1.5, (16, 1, 1)), _figures(rng, 16)))
def test_pck_of_each_image(answer, expected):
    """Every image is measured by its own figure; the result is the share of all keypoints."""
    _pck(answer, expected)


@check("2.6.4", "P2.pck.torso", lambda rng: _noisy(rng, normalize_by="torso"))
def test_pck_torso(answer, expected):
    """With "torso" the length is that from the head to the middle between the feet."""
    _pck(answer, expected)


def _with_nan(rng):
    truths = _figures(rng, 4)
    predictions = truths.copy()
    predictions[0, 1] = np.nan
    predictions[2, 3, int(rng.integers(0, 2))] = np.nan
    return _question(predictions, truths, (0.25, 0.5))


@check("2.6.5", "P2.pck.nan", _with_nan)
def test_pck_nan(answer, expected):
    """A predicted keypoint that is nan is wrong, and counts."""
    _pck(answer, expected)


def _degenerate(rng):
    truths = np.concatenate([np.full((1, 5, 2), float(rng.integers(5, 100))), _figures(rng, 1)])
    predictions = truths.copy()
    predictions[0, :2] += 1
    return _question(predictions, truths, (0.25, 0.5))


@check("2.6.6", "P2.pck.degenerate", _degenerate)
def test_pck_degenerate(answer, expected):
    """In an image whose keypoints all coincide only exact hits are right."""
    _pck(answer, expected)


@check("2.6.7", "P2.pck.empty", lambda rng: _question(
    np.zeros((0, 5, 2)), np.zeros((0, 5, 2)), (0.05, float(rng.choice([0.1, 0.2])))))
def test_pck_without_images(answer, expected):
    """Without images every value is nan."""
    for got, limit in zip(entries(answer, list(expected), "the result"), expected):
        value = array(got, f"PCK at {limit:g}")
        if value.size != 1 or not math.isnan(float(value.reshape(()))):
            shown = value.item() if value.size == 1 else kind(value)
            raise Wrong(f"PCK at {limit:g} should be nan without images, but is {shown}.")


@check("2.6.8", "P2.pck.unknown", lambda rng: calls("problem2", PCK, [
    FIGURE, FIGURE, [0.5], str(rng.choice(["image", "height", "box"]))], catch=True))
def test_pck_unknown_normalizer(answer, expected):
    """An unknown normalize_by is a ValueError."""
    found = answer[0] if answer and isinstance(answer[0], str) else "no exception"
    if [found] != expected:
        raise Wrong(f"an unknown normalize_by should raise a ValueError, but raised {found}.")


def _drawn(answer, name):
    if answer is not True:
        raise Wrong(f"{name} wrote no picture to save_path.")


def _curves(rng):
    limits = [0.05, 0.1, 0.15, 0.2]
    good, bad = (dict(zip(limits, np.sort(rng.uniform(0, 1, 4)).tolist())) for _ in range(2))
    return Question("problem2", "picture", {
        "function": "evaluate.plot_pck_curves", "args": [good, bad]})


@check("2.7.1", "P2.plots.curves", _curves)
def test_pck_curves(answer, expected):
    """plot_pck_curves writes a picture of both curves to save_path."""
    _drawn(answer, "plot_pck_curves")


@check("2.7.2", "P2.plots.predictions", lambda rng: Question("problem2", "picture", {
    "function": "evaluate.visualize_predictions", "args": [
        pictures(rng, 1, 1, FIGURE_SIZE)[0], _figures(rng, 1)[0], _figures(rng, 1)[0]]}))
def test_predictions_picture(answer, expected):
    """visualize_predictions writes a picture to save_path."""
    _drawn(answer, "visualize_predictions")
