"""Tasks 2.3, 2.4, 2.8, 2.10 and 2.11: the keypoint networks, their training, their accuracy."""

from collections.abc import Callable

import numpy as np

from datasets.constants import FIGURE_SIZE

from ...engine.check import Measured, Question, check
from ...engine.compare import Wrong, array, entries, number, sequence
from .. import shortfall, stand_in
from ..measure import from_images, mean_pose_pck, pck, pcks
from .accuracy import (
    CLAIM_FILES,
    DELIVERED,
    FRESH,
    GRADING_IMAGES,
    award,
    claimed_pck,
    learned,
    untrained,
)
from .inputs import whole
from .losses import curve, numbers
from .networks import ROUNDING, Seen, alone, crowd, depends, named, scene, together, usable

HEATMAP, REGRESSION = "model.HeatmapNet", "model.RegressionNet"
OTHER_NUMBERS = [2, 3, 4, 6, 7, 8]  # of keypoints: not 5, the default


def _asked(rng, probe, model, names, **inputs):
    sizes = [FIGURE_SIZE // 2] if model == HEATMAP else []
    return Question("problem2", probe, {
        "model": model, **scene(rng, 1, FIGURE_SIZE, sizes, names), **inputs,
        "seed": int(rng.integers(2**31))})


NAMES = {HEATMAP: ("plain", "patched", "around"),
         REGRESSION: ("plain", "patched", "around", "shuffled")}


def _output(rng, model, passes, **options):
    return _asked(rng, "network_output", model, NAMES[model], options=options,
                  passes=passes(rng, NAMES[model], whole(rng, 0, 2)))


def _network(model, **inputs):
    names = (*NAMES[model], "other", "close", "black")
    return lambda rng: _asked(
        rng, "network", model, names, options={}, passes=crowd(rng, names),
        slope=["plain", "close"], **inputs)


@check("2.3.1", "P2.heatmapnet.shape", lambda rng: _output(rng, HEATMAP, alone))
@named
def test_heatmapnet_shape(answer, expected, question):
    """HeatmapNet turns [B, 1, 128, 128] into [B, 5, 64, 64]."""
    depends(Seen(answer, expected, question, "output"))


@check("2.3.2", "P2.heatmapnet.keypoints", lambda rng: _output(
    rng, HEATMAP, together, num_keypoints=int(rng.choice(OTHER_NUMBERS))))
@named
def test_heatmapnet_keypoints(answer, expected, question):
    """num_keypoints sets the number of maps; a batch comes back whole."""
    depends(Seen(answer, expected, question, "output"))


@check("2.3.3", "P2.heatmapnet.trainable", _network(HEATMAP))
@named
def test_heatmapnet_trainable(answer, expected, question):
    """The maps depend on the image and pass gradients on; evaluation mode is repeatable."""
    usable(answer, expected, question, "output")


@check("2.4.1", "P2.regressionnet.shape", lambda rng: _asked(
    rng, "network_output", REGRESSION, NAMES[REGRESSION], options={}, enlarged=3.0,
    passes=alone(rng, NAMES[REGRESSION], whole(rng, 0, 2))))
@named
def test_regressionnet_shape(answer, expected, question):
    """RegressionNet turns [B, 1, 128, 128] into [B, 10] in 0..1."""
    depends(Seen(answer, expected, question, "output"))
    values, = sequence(*entries(answer, ["large"], "the answer"), 1, "the outputs")
    values = array(values, "the output", expected["large"][0].shape)
    if not 0 <= values.min() <= values.max() <= 1:
        raise Wrong(f"coordinates come from a sigmoid and lie in 0..1, but reach "
                    f"{values.min():.3g} to {values.max():.3g}.")


@check("2.4.2", "P2.regressionnet.keypoints", lambda rng: _output(
    rng, REGRESSION, together, num_keypoints=int(rng.choice(OTHER_NUMBERS))))
@named
def test_regressionnet_keypoints(answer, expected, question):
    """num_keypoints sets the number of coordinates; a batch comes back whole."""
    depends(Seen(answer, expected, question, "output"))


@check("2.4.3", "P2.regressionnet.dropout", _network(
    REGRESSION, training=["plain", "patched"]))
@named
def test_regressionnet_dropout(answer, expected, question):
    """Dropout acts in training mode and not in evaluation mode; the output depends on the image."""
    usable(answer, expected, question, "output")
    value, = sequence(answer["training"], 1, "the outputs in training mode")
    value = array(value, "the output in training mode", expected["training"][0].shape, "float")
    # In other rows of a batch, rounding is another one.
    if not np.abs(value[:2].astype(np.float64) - value[2:]).max() > 100 * ROUNDING:
        raise Wrong("two copies of a batch agree in training mode: there is no active dropout.")


EPOCHS, BATCHES = 12, 8  # of the training of stand-ins
RATES = 2e-4, 3e-3  # of learning, on average over all steps; 1e-3 is asked for and may fall


def _training(function, shape):
    """Images and targets that follow from them. The stand-in needs little of what Adam moves.

    The output SLOW is wanted so high that it adds a quarter to the mean error.
    """
    def ask(rng):
        images, val_images = stand_in.images(rng, 6 * BATCHES, (1, 8, 8)), stand_in.images(
            rng, 16, (1, 8, 8), validation=True)
        low = rng.permuted(np.arange(6 * BATCHES).reshape(BATCHES, 6) % 2, axis=1)  # half of each
        pixels = images.reshape(BATCHES, 6, -1)
        pixels[..., stand_in.PAIRED] = (1 + low) / 2
        pixels[..., stand_in.TURNING] = np.where(np.arange(BATCHES) % 2, 0.05, 1)[:, None]
        count = int(np.prod(shape))
        weight, gain = np.zeros((count, 64)), np.ones(count)
        # In evaluation mode this adds to all outputs, and ever less while statistics are learned,
        # so that the validation loss falls to its end.
        weight[1:, stand_in.NORMED] = 2 * rng.choice([-1, 1], count - 1)
        gain[stand_in.SLOW] = 0.02
        # Signs are drawn, so that nothing learned on other targets is of use: of 20 outputs, as
        # many have the same one by chance in 1 of 500 draws; of 6 outputs it was 1 of 10.
        towards = rng.choice([-1, 1], count) * rng.uniform(0.25, 0.45, count)
        towards[stand_in.SLOW] = 0.5 * np.sqrt(count)
        wanted = [split.mean(axis=(1, 2, 3))[:, None] * towards for split in (images, val_images)]
        wanted[0][:, stand_in.SLOW] *= 2.25 - 2.5 * low.ravel()
        return Question("problem2", "train_keypoints", {
            "function": function, "weight": weight.astype(np.float32),
            "gain": gain.astype(np.float32), "images": images,
            "targets": wanted[0].reshape(-1, *shape).astype(np.float32), "val_images": val_images,
            "val_targets": wanted[1].reshape(-1, *shape).astype(np.float32), "batch_size": 6,
            "val_batch_size": 8, "epochs": EPOCHS})
    return ask


def _weights(state, asked):
    return stand_in.weights_of(state, asked["weight"].shape)


def _error(weight, asked, statistics=None, split=""):
    """Squared error of every output of the stand-in on the training or ("val_") validation set."""
    return stand_in.errors(asked[f"{split}images"], asked[f"{split}targets"], weight,
                           asked["gain"], statistics)


def _fit(weight, asked, statistics=None):
    """Squared error on the training set, without the output that hardly learns."""
    return np.delete(_error(weight, asked, statistics), stand_in.SLOW).mean()


def _learns(answer, question):
    asked = question.inputs
    start, weight = asked["weight"], _weights(answer["state"], asked)
    moved = weight - start
    steady, paired, turning = moved[stand_in.SLOW, [
        stand_in.STEADY, stand_in.PAIRED, stand_in.TURNING]]
    most = np.abs(moved).max(axis=1)
    if most.min() < 0.01 * most.max():
        raise Wrong("some parameters of the model have hardly moved: give the optimizer all of "
                    "model.parameters().")
    if steady < 0.02 * most.max():
        raise Wrong("the mean squared error of every batch pushes one weight in the same "
                    "direction, and it has hardly moved. Is this the loss that you minimise, by "
                    "Adam?")
    if paired > 0 and not moved[stand_in.SLOW, stand_in.FOREIGN]:
        raise Wrong("a weight has moved as the targets of other images move it: the target of an "
                    "image is the one that the loader gives with it.")
    stand_in.steps_told(start, weight)
    if abs(turning) > 0.35 * steady:
        raise Wrong("a weight has moved on which the pushes of two batches in a row cancel out: "
                    "make every step on the gradient of its own batch alone.")
    rate = steady / (EPOCHS * BATCHES)
    # Adam moves both alike, whose gradients are not alike.
    if not RATES[0] < rate < RATES[1] or paired > -0.2 * steady:
        raise Wrong("weights have not moved as Adam moves them with a learning rate of 1e-3, which "
                    "may fall, in all epochs and without a strong weight decay: one that every "
                    f"batch pushes in the same direction has moved by {rate:.2g} per batch, and "
                    "a step of Adam is about as long as its learning rate.")
    if answer["optimizer"]:
        raise Wrong(f"the steps were made by {str(answer['optimizer'])[:40]}, not by Adam.")
    before, after = _fit(start, asked), _fit(weight, asked)
    if not after < 0.8 * before:
        raise Wrong(f"over {EPOCHS} epochs on a simple task the error on the training set should "
                    f"fall by a fifth at least; it went from {before:.3g} to {after:.3g}.")


@check("2.8.1", "P2.train.heatmap", _training("train_heatmap_model", (3, 4, 4)))
def test_heatmap_training(answer, expected, question):
    """train_heatmap_model trains the model on the training loader."""
    _learns(answer, question)


@check("2.8.2", "P2.train.regression", _training("train_regression_model", (20,)))
def test_regression_training(answer, expected, question):
    """train_regression_model trains the model on the training loader."""
    _learns(answer, question)


def _both(rng):
    runs = [_training("train_heatmap_model", (2, 4, 4))(rng),
            _training("train_regression_model", (6,))(rng)]
    for run in runs:  # val_loss rises before it falls: whoever stops early has fewer numbers
        run.inputs["val_targets"] *= -2
    return Question("problem2", "trainings", {"runs": [run.inputs for run in runs]})


@check("2.8.3", "P2.train.returns", _both)
def test_training_returns_losses(answer, expected, question):
    """The training functions return one train_loss and one val_loss per epoch."""
    runs = question.inputs["runs"]
    for run, asked in zip(sequence(answer, len(runs), "the answer"), runs):
        _losses(run, asked)


def _losses(answer, asked):
    train, val = entries(answer["returned"], ("train_loss", "val_loss"), "the returned dict")
    for values, name in ((numbers(train), "train_loss"), (numbers(val), "val_loss")):
        if len(values) != EPOCHS:
            raise Wrong(f"{name} should have one number per epoch, {EPOCHS}, but has "
                        f"{len(values)}.")
        if min(values) <= 0 or min(values) == max(values):
            raise Wrong(f"{name} is {', '.join(map(number, values[:3]))} and so on: no epoch has a "
                        "mean squared error of 0 or less here, and no two have the same.")
    state = answer["state"]
    weight, statistics = _weights(state, asked), stand_in.statistics_of(state)
    # In one of the two modes: that it was the right one is another check's matter.
    if not any(_fit(weight, asked, mode) < _fit(asked["weight"], asked, mode)
               for mode in (None, statistics)):
        raise Wrong("the model that was passed in fits the training set no better than before, so "
                    "that nothing shows that these are the losses of its training.")
    truth = _error(weight, asked, statistics, "val_").mean()
    # any of them, since the weights of the best epoch may have been restored
    if not any(abs(value - truth) <= 1e-3 * truth for value in numbers(val)):
        in_training = _error(weight, asked, split="val_").mean()
        hint = ""
        if any(abs(value - in_training) <= 0.02 * in_training for value in numbers(val)[-1:]):
            hint = " Was it measured in training mode? Call model.eval() before."
        if any(abs(value * asked["val_batch_size"] - truth) <= 1e-3 * truth
               for value in numbers(val)):
            hint = " Is a sum over batches divided by the number of images?"
        last, count = numbers(val)[-1], len(asked["val_images"])
        on_training = _error(weight, asked, statistics).mean()
        if abs(last - on_training) <= 1e-3 * on_training:
            hint = " That is its error on the training loader: measure on the other one."
        if any(abs(last - many * truth) <= 1e-3 * last
               for many in (count, count / asked["val_batch_size"])):
            hint = " Is it a sum over the epoch, which nothing divides?"
        if abs(last**2 - truth) <= 0.05 * truth:
            hint = " Is it the root of the error?"
        raise Wrong(f"the trained model's mean squared error on the validation loader is "
                    f"{truth:.4g}, but val_loss ends with {numbers(val)[-1]:.4g}.{hint}")
    mean, variance = statistics
    if abs(mean - 0.5 * (1 - variance)) > 2e-3:  # in whatever number of steps and other passes
        raise Wrong("batch norm has learned statistics of validation images: call model.eval() "
                    "before every pass over the validation loader.")


def _samples(rng, made, count):
    """Images drawn for grading, and their keypoints in 0..1 of the image."""
    from datasets import draw

    samples = draw(made["profile"], "keypoints", "grading", int(rng.integers(2**62)), count)
    return (np.stack([s.image for s in samples]),
            np.stack([s.keypoints for s in samples]).astype(np.float64) / FIGURE_SIZE)


# Name of a network -> its class, its weights, and a threshold at which its PCK shows learning.
NETWORKS = {"heatmap": (HEATMAP, "heatmap_model.pth", 0.05),
            "regression": (REGRESSION, "regression_model.pth", 0.20)}


def delivered(probe, *names, files=(), **more):
    """What trained networks answer to a few images drawn for grading."""
    def ask(rng, made):
        networks, truth = [], []
        for name in names:
            model, file, _ = NETWORKS[name]
            images, keypoints = _samples(rng, made, DELIVERED["keypoints"])
            networks.append(["keypoint_predictions",
                             {"model": model, "file": file, "images": images}])
            truth.append(keypoints)
        return Question("problem2", probe, {"networks": networks, **more}, truth,
                        (*(NETWORKS[name][1] for name in names), *files), cpu_seconds=60)
    return ask


def learned_each(answer, question, *names):
    """All networks have learned something, see `accuracy.learned`."""
    for found, truth, name in zip(sequence(answer, len(names), "the answer"), question.truth,
                                  names):
        learned_one(found, truth, name)


def learned_one(found, truth, name):
    """One of them has, see `learned_each`; `found` may be a sentence that says why not."""
    if isinstance(found, str):
        raise Wrong(found)
    _, file, threshold = NETWORKS[name]
    points = array(found["trained"], "the predicted keypoints", truth.shape)
    beyond = from_images(lambda answers, true: pck(np.array(answers), true, threshold),
                         points, truth)
    learned(beyond, f"PCK@{threshold:.2f}", file)


@check("2.10.1", "P2.deliver.heatmap", delivered("weights_load", "heatmap"))
def test_heatmap_weights(answer, expected, question):
    """results/heatmap_model.pth holds the weights of your HeatmapNet, after training."""
    learned_each(answer, question, "heatmap")


@check("2.10.2", "P2.deliver.regression", delivered("weights_load", "regression"))
def test_regression_weights(answer, expected, question):
    """results/regression_model.pth holds the weights of your RegressionNet, after training."""
    learned_each(answer, question, "regression")


@check("2.10.3", "P2.deliver.log", delivered(
    "training_log", "heatmap", "regression", files=("training_log.json",),
    curves=[["heatmap", "train_loss"], ["heatmap", "val_loss"],
            ["regression", "train_loss"], ["regression", "val_loss"]]))
def test_training_log(answer, expected, question):
    """results/training_log.json holds both networks' losses per epoch, and training worked."""
    curves = sequence(answer["curves"], 4, "the log")
    curve(curves[:2], ("heatmap train_loss", "heatmap val_loss"))
    curve(curves[2:], ("regression train_loss", "regression val_loss"))
    learned_each(answer["networks"], question, "heatmap", "regression")


def _grading(number: str, name: str, threshold: float,
             ) -> tuple[Callable[..., Question], Measured]:
    """The question about a trained network, and how its accuracy is measured."""
    model, file, _ = NETWORKS[name]

    def ask(rng, made):
        images, keypoints = _samples(rng, made, GRADING_IMAGES[number])
        return Question(
            "problem2", "keypoint_predictions",
            {"model": model, "file": file, "images": images, "fresh": FRESH[number]},
            truth=keypoints, results=(file, *CLAIM_FILES), cpu_seconds=60, then="networks_apart")

    return ask, Measured(
        lambda answer, question: pcks(answer["trained"], question.truth, threshold), np.mean,
        f"PCK@{threshold:.2f} of {model.split('.')[1]}",
        lambda question: mean_pose_pck(question.truth, threshold))


def without_training(judgement, answer, seen, number, name, truth, count, accuracy, key="fresh"):
    """`accuracy(points, truth)` of a network with fresh or shuffled weights, see `untrained`."""
    fresh = truth[:0]
    if answer[key] is not None:
        fresh = array(answer[key], "the predicted keypoints", truth[:count].shape)
    return untrained(judgement, seen, number, NETWORKS[name][1],
                     accuracy(fresh, truth[:count]) if len(fresh) else 0.0,
                     lambda points, images: accuracy(np.array(points), truth[images]))


def _accuracy(judgement, answer, expected, question, seen, name, threshold):
    truth = question.truth
    trained = array(answer["trained"], "the predicted keypoints", truth.shape)
    without = without_training(
        judgement, answer, seen, 0, name, truth, question.inputs["fresh"],
        lambda points, true: pck(points, true, threshold))
    award(judgement, pck(trained, truth, threshold), without, expected,
          claimed_pck(answer["claims"], name, threshold),
          lambda: shortfall.of_pck(trained, truth, threshold))


@check("2.11.1", "P2.accuracy.heatmap", *_grading("2.11.1", "heatmap", 0.05))
def test_heatmap_accuracy(answer, expected, question, judgement, seen):
    """Your trained HeatmapNet finds keypoints on images made for grading (PCK@.05)."""
    _accuracy(judgement, answer, expected, question, seen, "heatmap", 0.05)


@check("2.11.2", "P2.accuracy.regression", *_grading("2.11.2", "regression", 0.20))
def test_regression_accuracy(answer, expected, question, judgement, seen):
    """Your trained RegressionNet beats the mean pose on images made for grading (PCK@.20)."""
    _accuracy(judgement, answer, expected, question, seen, "regression", 0.20)


@check("2.11.3", "P2.accuracy.heatmap", *_grading("2.11.1", "heatmap", 0.02), like="2.11.1")
def test_precise_keypoints(answer, expected, question, judgement, seen):
    """Your trained HeatmapNet finds them to a heatmap pixel on these images (PCK@.02)."""
    _accuracy(judgement, answer, expected, question, seen, "heatmap", 0.02)
