"""Tasks 1.11, 1.13 and 1.14: training, deliverables, accuracy of the detector."""

import numpy as np

from ...engine.check import Measured, Question, check
from ...engine.compare import Wrong, array
from ..measure import detector_accuracies
from .accuracy import CANDIDATES, CLAIM_FILES, DETECTIONS, FRESH, GRADING_IMAGES, award, claimed_map
from .losses import curve, mean_of, only_own

WEIGHTS = "best_model.pth"


def _stand_in(rng, probe, **more):
    """Sixteen small images whose brightness tells how many objects they have."""
    counts = rng.integers(0, 4, 16)
    images = counts[:, None, None, None] / 4 + rng.integers(-3, 4, (16, 3, 32, 32)) / 128
    return Question("problem1", probe, {
        "images": images.astype(np.float32), "boxes_per_image": [int(c) for c in counts],
        "batch_size": 4, **more})


@check("1.11.1", "P1.train.learns", lambda rng: _stand_in(rng, "train_epoch", epochs=6))
def test_train_epoch_learns(answer, expected):
    """train_epoch steps once per batch in training mode, so that the loss falls."""
    if answer["batches"] != expected["batches"]:
        raise Wrong(f"in one epoch the criterion should be called once for each of the "
                    f"{expected['batches'][0]} batches; it was called {answer['batches']} times.")
    if answer["steps"] != sum(answer["batches"]):
        raise Wrong(f"the optimizer should make one step per batch, {sum(answer['batches'])} in "
                    f"all; it made {answer['steps']}.")
    for name, first in answer["truth"][0].items():  # each loss by itself: all are in the total
        last = answer["truth"][-1][name]
        if not last < 0.5 * first:
            raise Wrong(f"over six epochs on a simple task {name} should fall to less than half; "
                        f"it went from {first:.3g} to {last:.3g}.")
    if answer["training_mode"] is not True:
        raise Wrong("the model was not in training mode (model.train()).")
    only_own(answer)


@check("1.11.2", "P1.train.returns", lambda rng: _stand_in(rng, "train_epoch", epochs=2))
def test_train_epoch_returns_means(answer, expected):
    """train_epoch returns a dict with the mean of the losses over the batches."""
    for got, truth in zip(answer["returned"], answer["truth"]):
        mean_of(got, truth["loss_total"], "train_epoch")


@check("1.11.3", "P1.train.validate", lambda rng: _stand_in(rng, "validate"))
def test_validate(answer, expected):
    """validate returns the mean losses in evaluation mode and changes nothing."""
    if answer["batches"] != expected["batches"]:
        raise Wrong(f"the criterion should be called once for each of the {expected['batches']} "
                    f"batches; it was called {answer['batches']} times.")
    mean_of(answer["returned"], answer["truth"]["loss_total"], "validate")
    if answer["evaluation_mode"] is not True:
        raise Wrong("validate did not put the model into evaluation mode (model.eval()).")
    if answer["unchanged"] is not True:
        raise Wrong("validate changed the weights or the batch-norm statistics of the model.")


@check("1.11.4", "P1.train.log", lambda rng: Question(
    "problem1", "training_log", {"curves": [["train_loss"], ["val_loss"]]},
    results=("training_log.json",)))
def test_training_log(answer, expected):
    """results/training_log.json holds train_loss and val_loss per epoch, and training worked."""
    curve(answer, ("train_loss", "val_loss"))


@check("1.13.1", "P1.deliver.weights", lambda rng: Question(
    "problem1", "weights_load", {"model": "model.MultiScaleDetector", "file": WEIGHTS},
    results=(WEIGHTS,)))
def test_weights_load(answer, expected):
    """results/best_model.pth holds the weights of your MultiScaleDetector."""
    array(answer, "the number of parameters", ())


def _grading_images(rng, made):
    from datasets import draw

    seed = int(rng.integers(2**31))
    samples = draw(made["profile"], "detection", "grading", seed, GRADING_IMAGES["detector"])
    return Question(
        "problem1", "detector_detections",
        {"images": np.stack([s.image for s in samples]), "fresh": FRESH["detector"],
         "candidates": CANDIDATES, "detections": DETECTIONS},
        truth=[{"boxes": s.boxes, "labels": s.labels} for s in samples],
        results=(WEIGHTS, *CLAIM_FILES), cpu_seconds=60)


@check("1.14.1", "P1.accuracy.map", _grading_images,
       Measured(lambda answer, question: detector_accuracies(answer, question)[0]))
def test_accuracy(answer, expected, question, judgement):
    """Your trained detector finds the shapes on images made for grading (mAP at IoU .5)."""
    own, raw, untrained = detector_accuracies(answer, question)
    if raw > own + 0.01:
        reason = f" ({answer['decoding_error'][:300]})" if answer["decoding_error"] else ""
        judgement.remarks.append(
            f"Through your own generate_anchors and decode_predictions mAP@0.5 is {own:.2f}"
            f"{reason}; the grader's decoding of your raw maps was used instead.")
    award(judgement, max(own, raw), untrained, expected, "mAP@0.5", claimed_map(answer["claims"]))
