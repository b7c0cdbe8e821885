"""Task 1.7: the multi-task loss.

The checks of single terms use three maps, of which only the first has anchors near objects and
random predictions. So it makes no difference whether matching and mining run over all maps together
or map by map, and only the term itself is tested. `P1.loss.joint` has its own check.
"""

import math

import numpy as np

from ...engine.check import Question, check, pure
from ...engine.compare import SUPPOSING, Wrong, array, close, entries, sequence
from ..measure import iou_matrix
from .inputs import quiet_map, square_grid, whole

TERMS = ("loss_obj", "loss_cls", "loss_loc", "loss_total")
SURE = 25  # by so much is a logit lower: what is added to a probability shows
CHANNELS = ("tx", "ty", "tw", "th", "objectness")


def _batch(rng, objects, classes=3, alone=False, lifted=0.0):
    """Random predictions on an 8x8 map of a 64-pixel image, and two further maps far away; per
    image so many objects. Where they are `alone`, exactly one anchor is positive, and all
    predictions are the same. In images without objects all objectness is `lifted`.

    Ignored anchors would have the highest losses, and an object has the last class. The
    best anchor of the latter is quite sure that it is none, and of another class.
    """
    grid = square_grid(8, [12, 18, 26], 64)
    far = [square_grid(side, scales, 64) + 4000 for side, scales in
           ((4, [24, 32, 48]), (2, [48, 56, 64]))]
    while True:
        targets, positives = [], []
        prediction = rng.normal(0, 1, (len(objects), 64, 3, 5 + classes)).astype(np.float32)
        prediction[..., :4] *= 2  # loss_loc shall not be as large as loss_cls
        for image, count in zip(prediction, rng.permutation(objects)):
            # near different anchors, so that no two objects contend for one
            near = grid[rng.permutation(64)[:count] * 3 + rng.integers(0, 3, count)]
            targets.append({
                "boxes": (near + rng.uniform(-1.5, 1.5, near.shape)).astype(np.float32),
                "labels": np.maximum(rng.integers(0, classes, count),
                                     (classes - 1) * (np.arange(count) == 0))})
            iou = iou_matrix(grid, targets[-1]["boxes"])
            best = iou.max(axis=1, initial=0)
            image[((best >= 0.3) & (best < 0.5)).reshape(64, 3), 4] += 4
            image[..., 4] += 0 if count else lifted
            for sure in iou.argmax(axis=0)[:1]:  # of the object of the last class
                image.reshape(len(grid), -1)[sure, [4, -1]] -= SURE
            positives.append((best >= 0.5).sum())
        # Were images equal in this, a mean over images would come to the same.
        if (sum(positives) == 1 if alone else len(objects) == 1
                or max(positives) > min(p for p in positives if p) + 1):
            break
    if alone:
        prediction[:] = prediction[0, 0, 0]
    maps = prediction.reshape(len(objects), 8, 8, -1).transpose(0, 3, 1, 2)
    return Question("problem1", "detection_loss", {
        "predictions": [np.ascontiguousarray(maps),
                        *(quiet_map(len(objects), 3, side, classes) for side in (4, 2))],
        "targets": targets, "anchors": [grid, *far], "num_classes": classes})


def _several(rng):
    """Numbers of objects of several images."""
    return [1, 2, 3, 4][:whole(rng, 2, 4)]


def _term(answer, expected, name):
    got, = entries(answer["losses"], [name], "the loss dict")
    want = expected["losses"][name]
    if np.isnan(_scalar(got, name)):
        raise Wrong(f"{name} is nan: a mean over nothing is. Sum over the whole batch first, and "
                    "then divide by max(1, positives).")
    close(_scalar(got, name), np.asarray(want).reshape(()), name, rtol=1e-3)


def _scalar(value, name):
    value = array(value, name)
    if value.size != 1:
        raise Wrong(f"{name} should be a single number, but has the shape {list(value.shape)}.")
    return value.reshape(())


def _entering(answer, expected, question, mined=True):
    """The same predictions get a gradient from loss_total; how large it is, other checks ask.

    Args:
        mined: of the objectness of negatives; else it may also come to that of all of them.
    """
    _scalar(*entries(answer["losses"], ["loss_total"], "the loss dict"), "loss_total")
    channels = 5 + question.inputs["num_classes"]
    wanted = expected["gradients"]
    pairs = [[np.abs(array(side, f"the gradient at map {index}", want.shape)) > 1e-8
              for side in (got, want)] for index, (got, want) in enumerate(
                  zip(sequence(answer["gradients"], len(wanted), "the gradients"), wanted))]
    of_all = np.concatenate([got[:, 4::channels].ravel() for got, _ in pairs]).mean() > 0.5
    for index, (got, want) in enumerate(pairs):
        if of_all and not mined:
            want[:, 4::channels] = got[:, 4::channels]
        for place in np.argwhere(got != want)[:1]:
            image, channel, row, column = place
            anchor, number = divmod(channel, channels)
            name = CHANNELS[number] if number < 5 else f"class logit {number - 5}"
            raise Wrong(f"loss_total should pass {'a' if want[tuple(place)] else 'no'} gradient to "
                        f"the {name} of image {image}, map {index}, row {row}, column {column}, "
                        f"anchor {anchor}.")


@check("1.7.1", "P1.loss.obj", lambda rng: pure(_batch(
    rng, [*_several(rng), 0], lifted=SURE)),  # so far that probabilities are all 1 in float32
    beside=("1.4",))
def test_objectness(answer, expected):
    """loss_obj: binary cross-entropy over positives and mined negatives, per positive."""
    _term(answer, expected, "loss_obj")


@check("1.7.2", "P1.loss.cls", lambda rng: _batch(
    rng, _several(rng), classes=int(rng.choice([2, 4, 5]))), beside=("1.4", "1.6"))
def test_classification(answer, expected):
    """loss_cls: cross-entropy over positives against label - 1, per positive of the batch."""
    _term(answer, expected, "loss_cls")


@check("1.7.3", "P1.loss.loc", lambda rng: _batch(rng, _several(rng)), beside=("1.6",))
def test_localisation(answer, expected):
    """loss_loc: smooth L1 over positives between predicted and encoded offsets, per positive."""
    _term(answer, expected, "loss_loc")


# With one positive of one image, and the same prediction everywhere, terms are right whatever they
# are divided by and which anchors enter: other checks ask that.
@check("1.7.4", "P1.loss.total", lambda rng: _batch(rng, [1], alone=True))
def test_total(answer, expected):
    """loss_total is loss_obj + loss_cls + 2 * loss_loc, also where only one of these is right."""
    obj, cls, loc, total = (float(_scalar(value, name)) for value, name in zip(
        entries(answer["losses"], TERMS, "the loss dict"), TERMS))
    if not all(math.isfinite(v) for v in (obj, cls, loc, total)):
        raise Wrong(f"the losses are not finite: {obj:g}, {cls:g}, {loc:g}, total {total:g}.")
    weight = (total - obj - cls) / loc if loc else 2
    if math.isclose(weight, round(weight), rel_tol=1e-3) and round(weight) != 2:
        raise Wrong("loss_total should be loss_obj + loss_cls + 2 * loss_loc, but is loss_obj + "
                    f"loss_cls + {round(weight)} * loss_loc.")
    close(total, np.asarray(obj + cls + 2 * loc), "loss_total", rtol=1e-3)
    # Any three numbers have a sum: one of them must be a loss of this batch.
    if not any(math.isclose(got, float(expected["losses"][name]), rel_tol=1e-3)
               for got, name in zip((obj, cls, loc), TERMS)):
        raise Wrong("loss_total is the sum that it should be, but none of its three terms is right "
                    f"(loss_obj {obj:.6g}, loss_cls {cls:.6g}, loss_loc {loc:.6g}).")


@check("1.7.5", "P1.loss.empty", lambda rng: _batch(rng, [0]))
def test_batch_without_objects(answer, expected, question):
    """A batch without any object gives a finite loss with a gradient: background is learned."""
    for name, value in zip(TERMS, entries(answer["losses"], TERMS, "the loss dict")):
        value, usual = float(_scalar(value, name)), float(expected["losses"]["loss_obj"])
        if not abs(value) < 100 * usual:
            raise Wrong(f"{name} is {value:g} without objects: divide sums by max(1, positives); a "
                        "mean over nothing is nan.")
    _entering(answer, expected, question, mined=False)  # which 1.7.6 asks


@check("1.7.6", "P1.loss.gradient", lambda rng: _batch(rng, [whole(rng, 2, 4)]))
def test_gradient(answer, expected, question):
    """The gradient of loss_total reaches the predictions of positives and mined negatives."""
    _entering(answer, expected, question)


def _small_objects(rng):
    """A small object in each of two images, on three real maps with two anchors per cell. Its best
    anchor, of 12 x 12, has an IoU of .25 to .45: it is positive by the claim alone. All of the
    first image's negatives are harder than the second's."""
    sides, scales = (8, 4, 2), ([12, 18], [24, 32], [48, 56])
    anchors = [square_grid(side, own, 64) for side, own in zip(sides, scales)]
    predictions = [rng.normal(0, 1, (2, 2, 8, side, side)).astype(np.float32) for side in sides]
    for prediction in predictions:
        prediction[0, :, 4] += 4
    boxes = (anchors[0][2 * rng.integers(20, 40, 2)] + (2.5, 2.5, -2.5, -2.5)
             + rng.uniform(-0.5, 0.5, (2, 4)))
    targets = [{"boxes": box[None].astype(np.float32), "labels": rng.integers(0, 3, 1)}
               for box in boxes]
    return Question("problem1", "detection_loss", {
        "predictions": [p.reshape(2, 16, *p.shape[3:]) for p in predictions], "targets": targets,
        "anchors": anchors, "num_classes": 3})


@check("1.7.7", "P1.loss.joint", _small_objects)
def test_matching_over_all_maps(answer, expected, question):
    """Each image is matched and mined once over all maps together, not map by map."""
    _scalar(*entries(answer["losses"], ["loss_total"], "the loss dict"), "loss_total")
    try:
        _entering(answer, expected, question, mined=False)
    except Wrong as wrong:
        raise Wrong(f"{wrong}{SUPPOSING}the best anchor of each object is one of the "
                    "finest map, positive by its claim; matched or mined map by map, other maps "
                    "get positives or negatives as well.") from None
