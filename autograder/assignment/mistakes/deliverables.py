"""Mistakes in the weights and logs that are handed in: tasks 1.13, 1.14, 2.10 and 2.11.

Weights that cannot be read or have learned nothing (1.13, 2.10) cannot be measured either, and cost
1.14 or 2.11 as well. What weights answer is never stored, since no submission has those of the
solution: mistakes that show in it are caught and not named.
"""

import json
from collections.abc import Callable
from pathlib import Path

from . import mistake

DETECTOR = "problem1/results/best_model.pth"
HEATMAP = "problem2/results/heatmap_model.pth"
REGRESSION = "problem2/results/regression_model.pth"
LOGS = {"1.13": "problem1/results/training_log.json",
        "2.10": "problem2/results/training_log.json"}
POINTER = """version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 11546229
"""


def weights(name: str, alter: Callable[[dict], object]) -> Callable[[Path], object]:
    """Save what `alter` makes of a state dict in its place."""
    def change(folder: Path) -> None:
        import torch

        torch.manual_seed(0)
        state = torch.load(folder / name, map_location="cpu", weights_only=True)
        torch.save(alter(state), folder / name)
    return change


def file(name: str, alter: Callable[[Path], object]) -> Callable[[Path], object]:
    """Do something to a file of results."""
    return lambda folder: alter(folder / name)


def truncate(path: Path) -> None:
    """Keep the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])


def whole_model(state: dict) -> object:
    """A pickled module, as `torch.save(model, path)` leaves it; which one makes no difference."""
    from torch import nn

    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())


def with_nan(state: dict) -> dict:
    """The weights, all of them nan."""
    return {key: value * float("nan") if value.is_floating_point() else value
            for key, value in state.items()}


def fresh(state: dict) -> dict:
    """Random weights as a network starts with them; batch norm as it starts."""
    import torch

    started = {}
    for key, value in state.items():
        if value.ndim > 1:
            bound = value[0].numel() ** -0.5
            started[key] = torch.empty_like(value).uniform_(-bound, bound)
        elif key.endswith(("running_mean", "bias", "num_batches_tracked")):
            started[key] = torch.zeros_like(value)
        else:
            started[key] = torch.ones_like(value)
    return started


def first(state: dict) -> str:
    """Name of the first convolution's weights, which see the image."""
    return next(key for key, value in state.items() if value.ndim == 4)


def last(state: dict) -> list[str]:
    """Names of the last layer's weight and bias."""
    return list(state)[-2:]


def feet_swapped(state: dict) -> dict:
    """Weights of a network whose last two channels stand for each other."""
    import torch

    order = torch.tensor([0, 2, 1, 4, 3])
    return {**state, **{key: state[key][order] for key in last(state)}}


def all_x_first(state: dict) -> dict:
    """Weights of a network that answers x0, x1, ..., y0, y1, ..."""
    return {**state, **{key: state[key].unflatten(0, (-1, 2)).transpose(0, 1).flatten(0, 1)
                        for key in last(state)}}


def nearer(state: dict, factor: float) -> dict:
    """Weights of a network whose answers differ by so much from one pose for all."""
    weight, _ = last(state)
    return {**state, weight: state[weight] * factor}


def log(task: str, alter: Callable[[dict], object]) -> Callable[[Path], None]:
    """Replace the training log by what `alter` makes of it; None removes the file."""
    def change(folder: Path) -> None:
        path = folder / LOGS[task]
        content = alter(json.loads(path.read_text(encoding="utf-8")))
        if content is None:
            path.unlink()
        else:
            path.write_text(json.dumps(content), encoding="utf-8")
    return change


MISTAKES = [
    mistake(
        "weights-missing", "saves no best_model.pth to problem1/results/",
        "Without weights there is nothing to measure. Run train.py, and hand that folder in with "
        "your code.",
        "P1.deliver.weights/1", change=file(DETECTOR, Path.unlink)),
    mistake(
        "weights-lfs-pointer", "hands in a Git LFS pointer in the place of best_model.pth",
        "The pointer is three lines of text, and the weights are elsewhere. Fetch them before you "
        "pack the submission.",
        "P1.deliver.weights/3", change=file(DETECTOR, lambda path: path.write_text(POINTER))),
    mistake(
        "weights-whole-model", "saves the whole detector instead of its state dict",
        "Such a file is a program that runs when it is loaded, and is not accepted. Save what "
        "state_dict() returns.",
        "P1.deliver.weights/3", change=weights(DETECTOR, whole_model)),
    mistake(
        "weights-truncated", "hands in half a best_model.pth",
        "A copy that broke off cannot be read. Compare the size of the file with the original.",
        "P1.deliver.weights/1", change=file(DETECTOR, truncate)),
    mistake(
        "weights-checkpoint", "hands in a checkpoint in which the weights are one entry of several",
        "Where in it the weights are is not known. Save the state dict by itself.",
        "P1.deliver.weights/2",
        change=weights(DETECTOR, lambda state: {"epoch": 10, "net": state})),
    mistake(
        "weights-nan", "hands in a detector whose weights are nan",
        "Training went wrong before they were saved. Look for the first epoch with a loss of nan.",
        "P1.deliver.weights/1", change=weights(DETECTOR, with_nan)),
    mistake(
        "weights-of-other-network", "hands in weights of another network than the model.py beside "
        "them",
        "After a change of the network its old weights no longer fit. Train again, or hand in the "
        "model.py that belongs to them.",
        "P1.deliver.weights/1",
        change=weights(DETECTOR, lambda state: {f"backbone.{k}": v for k, v in state.items()})),
    mistake(
        "detector-log-missing", "writes no training_log.json for the detector",
        "Nobody can see how training went. Let main() write the losses of every epoch to results/.",
        "P1.deliver.log/1", change=log("1.13", lambda log: None)),
    mistake(
        "detector-log-keys", "logs the detector's losses under other names",
        "They are looked up by name. The log holds the lists train_loss and val_loss.",
        "P1.deliver.log/1",
        change=log("1.13", lambda log: {"train": log["train_loss"], "val": log["val_loss"]})),
    mistake(
        "detector-log-of-dicts", "logs a dict of losses per epoch",
        "A curve needs one number per epoch. Write loss_total alone into the two lists.",
        "P1.deliver.log/1",
        change=log("1.13", lambda log: {name: [{"loss_total": value} for value in values]
                                        for name, values in log.items()})),
    mistake(
        "detector-log-one-epoch", "logs a single epoch of the detector",
        "One number is no curve. Train for two epochs at least, and append to the lists.",
        "P1.deliver.log/1",
        change=log("1.13", lambda log: {name: values[-1:] for name, values in log.items()})),
    mistake(
        "detector-log-nan", "hands in a training that ended in nan",
        "A network with such a loss has learned nothing. Look for a division by zero, or lower the "
        "learning rate.",
        "P1.deliver.log/1", change=log("1.13", lambda log: {name: [*values[:-1], float("nan")]
                                        for name, values in log.items()})),
    mistake(
        "detector-log-rising", "hands in a training whose loss rises",
        "The network unlearns what it knew, which a rate that is too high does. Look at the curve, "
        "and lower the learning rate.",
        "P1.deliver.log/1",
        change=log("1.13", lambda log: {name: values[::-1] for name, values in log.items()})),
    mistake(
        "detector-untrained", "hands in a detector with its random initial weights",
        "It finds nothing. Save the weights after training.",
        "P1.deliver.weights/4", change=weights(DETECTOR, fresh)),
    mistake(
        "detector-trained-to-255", "trained the detector on images in 0..255",
        "Graded on images in 0..1, it sees nothing but black. Divide by 255 in the dataset, and "
        "train again.",
        "P1.deliver.weights/4", change=weights(
            DETECTOR, lambda state: {**state, first(state): state[first(state)] / 255})),
    mistake(
        "detector-trained-on-bgr", "trained the detector on images in BGR order",
        "Red and blue are swapped on the images that it is graded on, and classes with them. Keep "
        "RGB in the dataset, and train again.",
        "P1.accuracy.map/2", change=weights(
            DETECTOR, lambda state: {**state, first(state): state[first(state)].flip(1)})),
    mistake(
        "heatmap-weights-missing", "saves no heatmap_model.pth to problem2/results/",
        "Without weights there is nothing to measure. Run train.py, and hand that folder in with "
        "your code.",
        "P2.deliver.heatmap/1", change=file(HEATMAP, Path.unlink)),
    mistake(
        "heatmap-weights-whole-model", "saves the whole HeatmapNet instead of its state dict",
        "Such a file is a program that runs when it is loaded, and is not accepted. Save what "
        "state_dict() returns.",
        "P2.deliver.heatmap/2", change=weights(HEATMAP, whole_model)),
    mistake(
        "heatmap-weights-swapped", "hands in RegressionNet's weights as heatmap_model.pth",
        "The two files hold different networks. Check the path under which each one is saved.",
        "P2.deliver.heatmap/1",
        change=lambda folder: (folder / HEATMAP).write_bytes((folder / REGRESSION).read_bytes())),
    mistake(
        "heatmap-untrained", "hands in a HeatmapNet with its random initial weights",
        "It finds nothing. Save the weights after training.",
        "P2.deliver.heatmap/3", change=weights(HEATMAP, fresh)),
    mistake(
        "regression-weights-swapped", "hands in HeatmapNet's weights as regression_model.pth",
        "The two files hold different networks. Check the path under which each one is saved.",
        "P2.deliver.regression/1",
        change=lambda folder: (folder / REGRESSION).write_bytes((folder / HEATMAP).read_bytes())),
    mistake(
        "regression-weights-nan", "hands in a RegressionNet whose weights are nan",
        "Training went wrong before they were saved. Look for the first epoch with a loss of nan.",
        "P2.deliver.regression/1", change=weights(REGRESSION, with_nan)),
    mistake(
        "keypoints-log-missing", "writes no training_log.json for the keypoint networks",
        "Nobody can see how training went. Let main() write the losses of every epoch to results/.",
        "P2.deliver.log/1", change=log("2.10", lambda log: None)),
    mistake(
        "keypoints-log-of-one-network", "logs the heatmap network alone",
        "Both networks belong into the log. Write an entry heatmap and an entry regression.",
        "P2.deliver.log/1", change=log("2.10", lambda log: {"heatmap": log["heatmap"]})),
    mistake(
        "keypoints-log-flat", "logs both keypoint networks without telling them apart",
        "The losses of the two are means over different numbers. Write an entry heatmap and an "
        "entry regression, with two lists each.",
        "P2.deliver.log/1", change=log("2.10", lambda log: log["heatmap"])),
    mistake(
        "heatmap-sides-swapped", "trained HeatmapNet with left and right swapped",
        "Its hands and feet are found on the wrong side. Keep the order of the keypoints of the "
        "JSON.",
        "P2.accuracy.heatmap/2", change=weights(HEATMAP, feet_swapped)),
    mistake(
        "regression-trained-all-x-first", "trained RegressionNet on all x, then all y",
        "Its answers are read as pairs, and a perfect network scores near 0. Interleave the "
        "targets, and train again.",
        "P2.deliver.regression/2", change=weights(REGRESSION, all_x_first)),
    mistake(
        "regression-mean-pose",
        "hands in a RegressionNet that answers the same pose for all images",
        "It has found the mean of the training set and no more. Train longer, and look whether the "
        "loss leaves that plateau.",
        "P2.deliver.regression/2", change=weights(REGRESSION, lambda state: nearer(state, 0))),
    mistake(
        "regression-stopped-early", "hands in a RegressionNet that was trained for too few epochs",
        "It has left the mean pose and is still close to it. Train on while the validation loss "
        "falls.",
        "P2.accuracy.regression/1", change=weights(REGRESSION, lambda state: nearer(state, 0.6))),
]
