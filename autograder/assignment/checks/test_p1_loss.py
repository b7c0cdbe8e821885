"""Task 1.7: the multi-task loss.

The checks of single terms use three maps, of which only the first has anchors near objects and
random predictions. So it makes no difference whether matching and mining run over all maps together
or map by map, and only the term itself is tested. `P1.loss.joint` has its own check.
"""

import math

import numpy as np

from ...engine.check import Question, check
from ...engine.compare import Wrong, array, close, entries, sequence
from .inputs import quiet_map, square_grid, whole

TERMS = ("loss_obj", "loss_cls", "loss_loc", "loss_total")


def _batch(rng, images=None):
    """Random predictions on an 8x8 map of a 64-pixel image; two further maps far away.

    Args:
        images: how many, all without objects; None for some images with 1, 2, 3, ... objects.
    """
    objects = [0] * images if images else rng.permutation([1, 2, 3, 4][:whole(rng, 2, 4)])
    grid = square_grid(8, [12, 18, 26], 64)
    far = [square_grid(side, scales, 64) + 4000 for side, scales in
           ((4, [24, 32, 48]), (2, [48, 56, 64]))]
    images = len(objects)
    prediction = rng.normal(0, 1, (images, 24, 8, 8)).astype(np.float32)
    predictions = [prediction, quiet_map(images, 3, 4), quiet_map(images, 3, 2)]
    targets = []
    for count in objects:
        # near different anchors, so that no two objects contend for one
        near = grid[rng.permutation(64)[:count] * 3 + rng.integers(0, 3, count)]
        targets.append({
            "boxes": (near + rng.uniform(-1.5, 1.5, near.shape)).astype(np.float32).reshape(-1, 4),
            "labels": rng.integers(0, 3, count).astype(np.int64),
        })
    return Question("problem1", "detection_loss", {
        "predictions": predictions, "targets": targets, "anchors": [grid, *far]})


def _term(answer, expected, name):
    got, = entries(answer["losses"], [name], "the loss dict")
    want = expected["losses"][name]
    close(_scalar(got, name), np.asarray(want).reshape(()), name, rtol=1e-3)


def _scalar(value, name):
    value = array(value, name)
    if value.size != 1:
        raise Wrong(f"{name} should be a single number, but has the shape {list(value.shape)}.")
    return value.reshape(())


@check("1.7.1", "P1.loss.obj", _batch)
def test_objectness(answer, expected):
    """loss_obj: binary cross-entropy over positives and mined negatives, per positive."""
    _term(answer, expected, "loss_obj")


@check("1.7.2", "P1.loss.cls", _batch)
def test_classification(answer, expected):
    """loss_cls: cross-entropy over positives against label - 1, per positive of the batch."""
    _term(answer, expected, "loss_cls")


@check("1.7.3", "P1.loss.loc", _batch)
def test_localisation(answer, expected):
    """loss_loc: smooth L1 over positives between predicted and encoded offsets, per positive."""
    _term(answer, expected, "loss_loc")


@check("1.7.4", "P1.loss.total", _batch)
def test_total(answer, expected):
    """loss_total is loss_obj + loss_cls + 2 * loss_loc, also where only one of these is right."""
    obj, cls, loc, total = (float(_scalar(value, name)) for value, name in zip(
        entries(answer["losses"], TERMS, "the loss dict"), TERMS))
    if not all(math.isfinite(v) for v in (obj, cls, loc, total)):
        raise Wrong(f"the losses are not finite: {obj:g}, {cls:g}, {loc:g}, total {total:g}.")
    close(total, np.asarray(obj + cls + 2 * loc), "loss_total", rtol=1e-3)
    # Any three numbers have a sum: one of them must be a loss of this batch.
    if not any(math.isclose(got, float(expected["losses"][name]), rel_tol=1e-3)
               for got, name in zip((obj, cls, loc), TERMS)):
        raise Wrong("loss_total is the sum that it should be, but none of its three terms is right "
                    f"(loss_obj {obj:.6g}, loss_cls {cls:.6g}, loss_loc {loc:.6g}).")


@check("1.7.5", "P1.loss.empty", lambda rng: _batch(rng, whole(rng, 2, 4)))
def test_batch_without_objects(answer, expected):
    """A batch without any object gives a finite loss with a gradient: background is learned."""
    for name in TERMS:
        _term(answer, expected, name)
    gradient = array(answer["gradients"][0], "the gradient of loss_total")
    if not np.isfinite(gradient).all():
        raise Wrong("the gradient of loss_total is not finite without objects.")
    if not np.abs(gradient).max() > 0:
        raise Wrong("loss_total has no gradient without objects: no background is learned.")


@check("1.7.6", "P1.loss.gradient", _batch)
def test_gradient(answer, expected):
    """The gradient of loss_total reaches the predictions of positives and mined negatives."""
    want_all = expected["gradients"]
    for index, (got, want) in enumerate(
            zip(sequence(answer["gradients"], len(want_all), "the gradients"), want_all)):
        close(got, want, f"gradient of loss_total at map {index}", rtol=1e-2, atol=1e-4)


def _small_object(rng):
    """One small object on three real maps: only the finest has an anchor that fits it."""
    anchors = [square_grid(8, [12, 18, 26], 64), square_grid(4, [24, 32, 48], 64),
               square_grid(2, [48, 56, 64], 64)]
    predictions = [rng.normal(0, 1, (1, 24, side, side)).astype(np.float32) for side in (8, 4, 2)]
    box = anchors[0][int(rng.integers(20, 40)) * 3] + rng.uniform(-1, 1, 4)
    targets = [{"boxes": box[None].astype(np.float32), "labels": rng.integers(0, 3, 1)}]
    return Question("problem1", "detection_loss", {
        "predictions": predictions, "targets": targets, "anchors": anchors})


@check("1.7.7", "P1.loss.joint", _small_object)
def test_matching_over_all_maps(answer, expected):
    """Each image is matched once against all maps together, not map by map."""
    for name in ("loss_cls", "loss_loc"):
        _term(answer, expected, name)
