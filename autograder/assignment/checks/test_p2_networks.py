"""Tasks 2.3, 2.4, 2.8, 2.10 and 2.11: the keypoint networks, their training, their accuracy."""

import numpy as np

from datasets.constants import FIGURE_SIZE

from ...engine.check import Measured, Question, check
from ...engine.compare import Wrong, array, entries
from ..measure import mean_pose_pck, pck
from .accuracy import CLAIM_FILES, FRESH, GRADING_IMAGES, award, claimed_pck
from .inputs import pictures
from .losses import curve, numbers, only_own
from .networks import usable

HEATMAP, REGRESSION = "model.HeatmapNet", "model.RegressionNet"
OTHER_NUMBERS = [2, 3, 4, 6, 7, 8]  # of keypoints: not 5, the default


def _output(model, count=1, **options):
    return lambda rng: Question("problem2", "network_output", {
        "model": model, "options": options, "images": pictures(rng, count, 1, FIGURE_SIZE)})


def _network(model, training):
    return lambda rng: Question("problem2", "network", {
        "model": model, "options": {},
        "images": pictures(rng, 2 if training else 1, 1, FIGURE_SIZE), "training": training})


def _shape(answer, expected):
    got, = entries(answer, ["shapes"], "the answer")
    if got != expected["shapes"]:
        raise Wrong(f"the output should have the shape {expected['shapes'][0]}, but has "
                    f"{got[0] if len(got) == 1 else got}.")


@check("2.3.1", "P2.heatmapnet.shape", _output(HEATMAP))
def test_heatmapnet_shape(answer, expected):
    """HeatmapNet turns [B, 1, 128, 128] into [B, 5, 64, 64]."""
    _shape(answer, expected)


@check("2.3.2", "P2.heatmapnet.keypoints", lambda rng: _output(
    HEATMAP, 2, num_keypoints=int(rng.choice(OTHER_NUMBERS)))(rng))
def test_heatmapnet_keypoints(answer, expected):
    """num_keypoints sets the number of maps; a batch comes back whole."""
    _shape(answer, expected)


@check("2.3.3", "P2.heatmapnet.trainable", _network(HEATMAP, training=False))
def test_heatmapnet_trainable(answer, expected):
    """The maps depend on the image and pass gradients on; evaluation mode is repeatable."""
    usable(answer, "output")


@check("2.4.1", "P2.regressionnet.shape", _output(REGRESSION))
def test_regressionnet_shape(answer, expected):
    """RegressionNet turns [B, 1, 128, 128] into [B, 10] in 0..1."""
    _shape(answer, expected)
    low, high = entries(answer, ("lowest", "highest"), "the answer")
    if not 0 <= low <= high <= 1:
        raise Wrong(f"coordinates come from a sigmoid and lie in 0..1, but reach {low:.3g} to "
                    f"{high:.3g}.")


@check("2.4.2", "P2.regressionnet.keypoints", lambda rng: _output(
    REGRESSION, 2, num_keypoints=int(rng.choice(OTHER_NUMBERS)))(rng))
def test_regressionnet_keypoints(answer, expected):
    """num_keypoints sets the number of coordinates; a batch comes back whole."""
    _shape(answer, expected)


@check("2.4.3", "P2.regressionnet.dropout", _network(REGRESSION, training=True))
def test_regressionnet_dropout(answer, expected):
    """Dropout acts in training mode and not in evaluation mode; the output depends on the image."""
    usable(answer, "output")
    if answer["same_in_train"] is not False:
        raise Wrong("two copies of a batch agree in training mode: there is no active dropout.")


def _training(function, shape):
    """Random images with targets that follow from them; validation targets have the other sign."""
    def ask(rng):
        images = rng.random((24, 1, 8, 8)).astype(np.float32)
        base = rng.uniform(0.25, 0.45, shape)
        targets = base + 0.1 * images.mean(axis=(1, 2, 3)).reshape(-1, *[1] * len(shape))
        return Question("problem2", "train_keypoints", {
            "function": function, "images": images, "train_targets": targets.astype(np.float32),
            "val_targets": (-targets).astype(np.float32), "batch_size": 6, "val_batch_size": 8,
            "epochs": 12})
    return ask


def _learns(answer, expected):
    # A fifth and not more: validation targets are negated here, so that code which restores the
    # weights of its best epoch, as it may, goes back to the first one.
    before, after = answer["train_before"], answer["train_after"]
    if not after < 0.8 * before:
        hint = " Is it trained on the validation loader?" if answer["val_after"] < before else ""
        raise Wrong("over twelve epochs on a simple task the error on the training set should fall "
                    f"by a fifth at least; it went from {before:.3g} to {after:.3g}.{hint}")
    if answer["training_mode"] is not True:
        raise Wrong("the model was not in training mode (model.train()) in every training step; "
                    "measuring the validation loss leaves it in evaluation mode.")
    only_own(answer)


@check("2.8.1", "P2.train.heatmap", _training("train_heatmap_model", (3, 4, 4)))
def test_heatmap_training(answer, expected):
    """train_heatmap_model trains the model on the training loader."""
    _learns(answer, expected)


@check("2.8.2", "P2.train.regression", _training("train_regression_model", (6,)))
def test_regression_training(answer, expected):
    """train_regression_model trains the model on the training loader."""
    _learns(answer, expected)


@check("2.8.3", "P2.train.returns", _training("train_heatmap_model", (2, 4, 4)))
def test_training_returns_losses(answer, expected):
    """The training functions return one train_loss and one val_loss per epoch."""
    train, val = entries(answer["returned"], ("train_loss", "val_loss"), "the returned dict")
    for values, name in ((numbers(train), "train_loss"), (numbers(val), "val_loss")):
        if len(values) != 12:
            raise Wrong(f"{name} should have one number per epoch, 12, but has {len(values)}.")
    if answer["evaluation_mode"] is not True:
        raise Wrong("the validation loss was not measured in evaluation mode (model.eval()).")
    truth = answer["val_after"]
    # any of them, since the weights of the best epoch may have been restored
    if not any(abs(value - truth) <= 1e-3 * truth for value in numbers(val)):
        raise Wrong(f"the trained model's mean squared error on the validation loader is "
                    f"{truth:.4g}, but val_loss ends with {numbers(val)[-1]:.4g}.")


@check("2.8.4", "P2.train.log", lambda rng: Question("problem2", "training_log", {
    "curves": [["heatmap", "train_loss"], ["heatmap", "val_loss"],
               ["regression", "train_loss"], ["regression", "val_loss"]]},
    results=("training_log.json",)))
def test_training_log(answer, expected):
    """results/training_log.json holds both networks' losses per epoch, and training worked."""
    curve(answer[:2], ("heatmap train_loss", "heatmap val_loss"))
    curve(answer[2:], ("regression train_loss", "regression val_loss"))


def _weights(model, file):
    return lambda rng: Question("problem2", "weights_load", {"model": model, "file": file},
                                results=(file,))


@check("2.10.1", "P2.deliver.heatmap", _weights(HEATMAP, "heatmap_model.pth"))
def test_heatmap_weights(answer, expected):
    """results/heatmap_model.pth holds the weights of your HeatmapNet."""
    array(answer, "the number of parameters", ())


@check("2.10.2", "P2.deliver.regression", _weights(REGRESSION, "regression_model.pth"))
def test_regression_weights(answer, expected):
    """results/regression_model.pth holds the weights of your RegressionNet."""
    array(answer, "the number of parameters", ())


def _grading(number, model, file, threshold):
    """The question about a trained network, and how its accuracy is measured."""
    def ask(rng, made):
        from datasets import draw

        seed = int(rng.integers(2**31))
        samples = draw(made["profile"], "keypoints", "grading", seed, GRADING_IMAGES[number])
        return Question(
            "problem2", "keypoint_predictions",
            {"model": model, "file": file, "images": np.stack([s.image for s in samples]),
             "fresh": FRESH[number]},
            truth=np.stack([s.keypoints for s in samples]).astype(np.float64) / FIGURE_SIZE,
            results=(file, *CLAIM_FILES), cpu_seconds=60)

    return ask, Measured(lambda answer, question: pck(answer["trained"], question.truth, threshold),
                         lambda question: mean_pose_pck(question.truth, threshold))


def _accuracy(judgement, answer, expected, question, network, threshold):
    truth = question.truth
    trained = array(answer["trained"], "the predicted keypoints", truth.shape)
    seen = truth[:question.inputs["fresh"]]
    fresh = array(answer["fresh"], "the predicted keypoints", seen.shape)
    award(judgement, pck(trained, truth, threshold), pck(fresh, seen, threshold), expected,
          f"PCK@{threshold:.2f}", claimed_pck(answer["claims"], network, threshold))


@check("2.11.1", "P2.accuracy.heatmap", *_grading("2.11.1", HEATMAP, "heatmap_model.pth", 0.05))
def test_heatmap_accuracy(answer, expected, question, judgement):
    """Your trained HeatmapNet finds keypoints on images made for grading (PCK@.05)."""
    _accuracy(judgement, answer, expected, question, "heatmap", 0.05)


@check("2.11.2", "P2.accuracy.regression",
       *_grading("2.11.2", REGRESSION, "regression_model.pth", 0.20))
def test_regression_accuracy(answer, expected, question, judgement):
    """Your trained RegressionNet beats the mean pose on images made for grading (PCK@.20)."""
    _accuracy(judgement, answer, expected, question, "regression", 0.20)
