"""Tasks 1.11, 1.13 and 1.14: training, deliverables, accuracy of the detector."""

import re
from dataclasses import replace

import numpy as np

from ...engine.check import Measured, Question, check, pure
from ...engine.compare import Wrong, entries, sequence
from .. import shortfall, stand_in
from ..measure import (
    COCO,
    assignment_anchors,
    decode,
    detected,
    from_images,
    matches_by_class,
    mean_area,
    mean_average_precision,
    predictions,
)
from .accuracy import (
    CANDIDATES,
    CLAIM_FILES,
    DELIVERED,
    DETECTIONS,
    FRESH,
    GRADING_IMAGES,
    award,
    claimed_map,
    learned,
    untrained,
)
from .losses import curve, mean_of

WEIGHTS = "best_model.pth"
LOG = "training_log.json"
SHAPE = (12, 48)  # of the stand-in's weights: three boxes of four numbers, images of 3 x 4 x 4
BATCHES, EPOCHS, RATE = 8, 6, 0.1
BY_DECODING = 0.1  # of accuracy: what decoding adds that the grader's does not find is looked at


def _stand_in(rng, probe, normed=0.0, **more):
    """Images and three boxes each, of which a linear layer learns much in six epochs of Adam. The
    weights `normed` are those of the pixel that training mode takes away.

    Gains are small, so that gradients are: their norm stays below 0.05, where nobody clips them.
    """
    images = stand_in.images(rng, 4 * BATCHES, (3, 4, 4))
    weight = rng.normal(0, 10, SHAPE)
    weight[:, stand_in.NORMED] = normed
    gain = np.full(SHAPE[0], 0.01)
    gain[stand_in.SLOW] /= 20
    # Each run has losses of another size, and learns in other directions.
    towards = rng.choice([-1, 1], SHAPE[0]) * rng.uniform(1, 3) * rng.uniform(0.8, 1.2, SHAPE[0])
    # Far away, so that its error is nearly the same in every batch, and Adam makes whole steps.
    towards[stand_in.SLOW] *= 4
    boxes = towards * images.mean(axis=(1, 2, 3))[:, None] + rng.normal(0, 0.3, (len(images), 1))
    return Question("problem1", probe, {
        "weight": weight.astype(np.float32), "gain": gain.astype(np.float32), "images": images,
        "boxes": boxes.reshape(-1, 3, 4).astype(np.float32), "batch_size": 4, **more})


@check("1.11.1", "P1.train.learns", lambda rng: pure(_stand_in(
    rng, "train_epoch", lr=RATE, epochs=EPOCHS)))
def test_train_epoch_learns(answer, expected, question):
    """train_epoch steps once per batch in training mode, so that the loss falls."""
    before = question.inputs["weight"].astype(np.float64)
    after, should = (stand_in.weights_of(sequence(side["states"], EPOCHS, "the states")[-1], SHAPE)
                     for side in (answer, expected))
    moved, wanted = after - before, should - before
    steps = round(abs(moved[stand_in.SLOW, stand_in.STEADY]) / RATE)  # Adam moves it by the rate
    if 0 < steps < 0.97 * BATCHES * EPOCHS:
        raise Wrong(f"the optimizer should make one step per batch, {BATCHES * EPOCHS} in all; the "
                    f"weights have moved as {steps} would move them.")
    stand_in.steps_told(before, after)
    for number, name in enumerate(("loss_obj", "loss_cls", "loss_loc")):
        rows = slice(4 * number, 4 * number + 4)
        if np.abs(moved[rows] - wanted[rows]).max() > 0.01 * np.abs(wanted).max():
            raise Wrong("over six epochs the weights have moved otherwise than loss_total of each "
                        f"batch moves them, first those that {name} teaches. Minimise loss_total, "
                        "with the optimizer that train_epoch is given.")


# The learning rate is 0, and no output depends on the mode: whatever the steps are, the losses
# are those of the weights that the network has.
@check("1.11.2", "P1.train.returns", lambda rng: _stand_in(rng, "train_epoch", lr=0.0, epochs=1))
def test_train_epoch_returns_means(answer, expected):
    """train_epoch returns a dict with the mean of loss_total over the batches."""
    got, = sequence(answer["returned"], 1, "what train_epoch returned")
    truth, = entries(expected["returned"][0], ["loss_total"], "the mean losses")
    mean_of(got, truth, "train_epoch")


@check("1.11.3", "P1.train.validate", lambda rng: _stand_in(rng, "validate", normed=50.0))
def test_validate(answer, expected, question):
    """validate returns the mean losses in evaluation mode and changes nothing."""
    state = answer["state"]
    before = question.inputs["weight"]
    if not np.array_equal(stand_in.weights_of(state, SHAPE), before):
        raise Wrong("validate changed the weights of the model.")
    if stand_in.statistics_of(state) != (0.0, 1.0):
        raise Wrong("validate changed the batch-norm statistics of the model: put it into "
                    "evaluation mode (model.eval()).")
    truth, = entries(expected["returned"], ["loss_total"], "the mean losses")
    mean_of(answer["returned"], truth, "validate")


def _detections(rng, made, count, fresh=0):
    """Inputs of the probe `detector_detections` on images drawn for grading, and their labels."""
    from datasets import draw

    samples = draw(made["profile"], "detection", "grading", int(rng.integers(2**62)), count)
    return ({"images": np.stack([s.image for s in samples]), "fresh": fresh,
             "candidates": CANDIDATES, "detections": DETECTIONS},
            [{"boxes": s.boxes, "labels": s.labels} for s in samples])


def delivered(rng, made, probe="weights_load", *files, **more):
    """What the trained detector finds on a few images drawn for grading."""
    inputs, truth = _detections(rng, made, DELIVERED["detector"])
    return Question("problem1", probe, {"networks": [["detector_detections", inputs]], **more},
                    truth, (WEIGHTS, *files), cpu_seconds=60)


def learned_on(networks, question):
    """The detector has learned something, see `accuracy.learned`."""
    answer, = sequence(networks, 1, "the answer")
    (_, asked), = question.inputs["networks"]
    raw, _, decoded = predictions(answer, replace(question, inputs=asked))
    ways = [[decode(image, assignment_anchors()) for image in raw], *([decoded] if decoded else [])]
    beyond = max(from_images(mean_average_precision, way, question.truth) for way in ways)
    learned(beyond, "mAP@0.5", WEIGHTS)


@check("1.13.1", "P1.deliver.weights", delivered)
def test_weights_load(answer, expected, question):
    """results/best_model.pth holds the weights of your MultiScaleDetector, after training."""
    learned_on(answer, question)


@check("1.13.2", "P1.deliver.log", lambda rng, made: delivered(
    rng, made, "training_log", LOG, curves=[["train_loss"], ["val_loss"]]))
def test_training_log(answer, expected, question):
    """results/training_log.json holds train_loss and val_loss per epoch, and training worked."""
    curve(answer["curves"], ("train_loss", "val_loss"))
    learned_on(answer["networks"], question)


def _grading_images(rng, made):
    inputs, truth = _detections(rng, made, GRADING_IMAGES["detector"], FRESH["detector"])
    return Question("problem1", "detector_detections", inputs, truth, (WEIGHTS, *CLAIM_FILES),
                    cpu_seconds=60, then="networks_apart")


def _measured(title, thresholds):
    return Measured(lambda answer, question: matches_by_class(
        detected(answer, question).own or [], question.truth, thresholds), mean_area, title)


def _why(error):
    """Why the student's decoding gave nothing; where to look, if it could not afford it."""
    if re.match("TimeoutError: decoding|MemoryError|RuntimeError: .*allocate memory", error[:1000]):
        return ("it took too long, or too much memory: after little training thousands of boxes "
                "score above the threshold, and where nms compares all with all, the pairs are "
                "millions")
    return error[:300]


def _accuracy(judgement, answer, expected, question, seen, thresholds, claims, missing):
    """Award what the student's own decoding or the grader's finds, whichever is more.

    Args:
        missing: `missing(detections, truths)` says what the accuracy lacks.
    """
    found = detected(answer, question)
    own, grader = (found.accuracy(way, thresholds) for way in (found.own, found.grader))
    if grader > own + 0.01:
        error = answer["decoding_error"]
        through = (f"Your own generate_anchors and decode_predictions gave nothing ({_why(error)})"
                   if error else "Through your own generate_anchors and decode_predictions it is "
                   f"{own:.2f}")
        parts = ", ".join(f"with {part} {value:.2f}"
                          for part, value in found.with_parts(thresholds))
        judgement.remarks.append(f"{through}; {parts}, and this counts.")
    best = found.own if found.own is not None and own > grader else found.grader
    if own > max(value for _, value in found.with_parts(thresholds)[-2:]) + BY_DECODING:
        judgement.remarks.append(
            f"Only through your own decode_predictions it is {own:.2f}, and this counts; with the "
            f"grader's decoding of the same maps it is {grader:.2f}. A person may look at "
            "evaluate.py.")
    without = untrained(judgement, seen, 0, WEIGHTS, found.accuracy(found.fresh, thresholds),
                        lambda rows, images: found.seen(rows, images, thresholds))
    award(judgement, max(own, grader), without, expected, claims,
          lambda: missing(best, question.truth))


@check("1.14.1", "P1.accuracy.map", _grading_images,
       _measured("mAP@0.5 of the detector", COCO[:1]))
def test_accuracy(answer, expected, question, judgement, seen):
    """Your trained detector finds the shapes on images made for grading (mAP at IoU .5)."""
    _accuracy(judgement, answer, expected, question, seen, COCO[:1],
              claimed_map(answer["claims"]), shortfall.of_map)


@check("1.14.2", "P1.accuracy.map", _grading_images,
       _measured("AP@[.5:.95] of the detector", COCO), like="1.14.1")
def test_precise_boxes(answer, expected, question, judgement, seen):
    """Its boxes lie close around them (AP, averaged over IoU .5, .55, ... .95)."""
    _accuracy(judgement, answer, expected, question, seen, COCO, [], shortfall.of_places)
