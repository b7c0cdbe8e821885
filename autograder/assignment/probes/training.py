"""Probes of training and analysis, on stand-in networks that are small and behave as scripted.

A student's training function meets a loader, a network and a loss that the kit brings, so that a
mistake in the student's own network or loss costs its own task and not this one.
"""

import json
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn as nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.data import DataLoader

from datasets.constants import IMAGE_SIZE

from ...engine.sandbox.student import Missing, Unusable
from .data import with_paths


class TinyDetector(nn.Module):
    """Three maps of 8 channels from an image, through one convolution each."""

    def __init__(self):
        super().__init__()
        self.maps = nn.ModuleList(nn.Conv2d(3, 8, 3, stride, 1) for stride in (4, 8, 16))
        self.norm = nn.BatchNorm2d(3)  # its statistics show whether evaluation mode was used
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        x = self.norm(x)
        return [convolution(x) for convolution in self.maps]


class TinyCriterion(nn.Module):
    """Squared distance of every map to the number of objects; remembers what it returned.

    Each loss is that of one map, so that a network taught by some of them does not learn the rest.
    """

    def __init__(self):
        super().__init__()
        self.returned = []

    def forward(self, predictions, targets, anchors):
        if len(anchors) != len(predictions):
            raise ValueError("the criterion needs the list of anchors, one entry per map")
        counts = torch.tensor([float(len(t["boxes"])) for t in targets])
        errors = [(p - counts[:, None, None, None]).square().mean() for p in predictions]
        # Shares such that no multiple of one loss is the total: a sum must not pass for a mean.
        losses = {"loss_obj": 0.55 * errors[0], "loss_cls": 0.31 * errors[1],
                  "loss_loc": 0.07 * errors[2]}
        losses["loss_total"] = losses["loss_obj"] + losses["loss_cls"] + 2 * losses["loss_loc"]
        self.returned.append({name: float(value.detach()) for name, value in losses.items()})
        return losses


def _loader(images, boxes_per_image, batch_size):
    items = [
        (image, {"boxes": torch.zeros(n, 4), "labels": torch.zeros(n, dtype=torch.int64)})
        for image, n in zip(images, boxes_per_image)
    ]
    collate = lambda batch: (torch.stack([b[0] for b in batch]), [b[1] for b in batch])  # noqa: E731
    return DataLoader(items, batch_size, collate_fn=collate)


@contextmanager
def watch_steps(net):
    """Yields a list that gets an entry for every optimizer step that follows a pass through `net`:
    whether the pass was in training mode, and whether the gradients are those of this pass alone,
    with nothing left over from before.

    Passes that no step follows do not count: code may time a few passes first.
    """
    received, alone, modes, steps = {}, [], [], []

    def begin(*_):
        if torch.is_grad_enabled():
            received.clear()
            alone.clear()
            modes[:] = [net.training]

    def receive(name, gradient):
        received[name] = received.get(name, 0) + gradient

    def compare(name, parameter):
        alone.append(torch.allclose(parameter.grad, received[name]))

    def step(*_):
        if alone:
            steps.append((all(modes), all(alone)))

    net.register_forward_pre_hook(begin)
    for name, parameter in net.named_parameters():
        parameter.register_hook(partial(receive, name))
        parameter.register_post_accumulate_grad_hook(partial(compare, name))
    handle = register_optimizer_step_pre_hook(step)
    try:
        yield steps
    finally:
        handle.remove()


def _mean(returned):
    return {name: sum(r[name] for r in returned) / len(returned) for name in returned[0]}


def train_epoch(student, images, boxes_per_image, batch_size, epochs):
    """Run `train_epoch` a few times on the stand-ins.

    Returns:
        `returned`: what the student's function returned, per epoch; `truth`: the means of what the
        criterion gave in that epoch; `batches` seen per epoch; `steps` of the optimizer in all;
        `training_mode`; `own_gradients`: whether no gradient was left over from an earlier batch.
    """
    model, anchors = TinyDetector(), [torch.zeros(1, 4)] * 3
    model.eval()  # the student's code has to put it into training mode
    optimizer, steps = torch.optim.Adam(model.parameters(), lr=0.05), []
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    function = student("train.train_epoch")
    loader, device = _loader(images, boxes_per_image, batch_size), torch.device("cpu")
    returned, truth, batches = [], [], []
    with watch_steps(model) as watched:
        for _ in range(epochs):
            criterion = TinyCriterion()
            returned.append(function(model, loader, criterion, optimizer, device, anchors))
            if not criterion.returned:
                raise Unusable("train_epoch never called the criterion it was given")
            truth.append(_mean(criterion.returned))
            batches.append(len(criterion.returned))
    return {"returned": returned, "truth": truth, "batches": batches, "steps": len(steps),
            "training_mode": all(model.modes), "own_gradients": all(own for _, own in watched)}


def validate(student, images, boxes_per_image, batch_size):
    """Run `validate` once on the stand-ins.

    Returns:
        `returned`, `truth` (as in `train_epoch`), `batches`, `evaluation_mode`, and `unchanged`:
        whether weights and statistics are the same as before.
    """
    model, criterion = TinyDetector(), TinyCriterion()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loader = _loader(images, boxes_per_image, batch_size)
    anchors = [torch.zeros(1, 4)] * 3
    returned = student("train.validate")(model, loader, criterion, torch.device("cpu"), anchors)
    if not criterion.returned:
        raise Unusable("validate never called the criterion it was given")
    after = model.state_dict()
    return {"returned": returned, "truth": _mean(criterion.returned),
            "batches": len(criterion.returned), "evaluation_mode": not any(model.modes),
            "unchanged": all(torch.equal(before[name], after[name]) for name in before)}


class TinyRegressor(nn.Module):
    """One linear layer from all pixels to a target of any shape, started at zero.

    It remembers in which modes (True for training) it was measured: it recognises batches of the
    validation loader by their size.
    """

    def __init__(self, pixels, shape, val_batch_size):
        super().__init__()
        self.linear = nn.Linear(pixels, int(torch.tensor(shape).prod()))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.shape = shape
        self.val_batch_size = val_batch_size
        self.measured = set()

    def forward(self, x):
        if len(x) == self.val_batch_size:
            self.measured.add(self.training)
        return self.linear(x.flatten(1)).reshape(len(x), *self.shape)


def train_keypoints(student, function, images, train_targets, val_targets, batch_size,
                    val_batch_size, epochs):
    """Run `train_heatmap_model` or `train_regression_model` on a linear stand-in.

    Returns:
        `returned`: what the student's function returned; mean squared errors of the stand-in on
        both sets: `train_before`, `train_after`, `val_after`; `training_mode`: whether it was in
        training mode in the passes that steps were taken from; `evaluation_mode`: whether it was in
        evaluation mode in all passes over the validation loader; `own_gradients` as above.
    """
    train_loader = DataLoader(list(zip(images, train_targets)), batch_size, shuffle=True)
    val_loader = DataLoader(list(zip(images, val_targets)), val_batch_size)
    model = TinyRegressor(images[0].numel(), list(train_targets.shape[1:]), val_batch_size)

    def error(targets):
        model.eval()
        device = next(model.parameters()).device
        with torch.no_grad():
            return float((model(images.to(device)).cpu() - targets).square().mean())

    train_before = error(train_targets)
    with watch_steps(model) as steps:
        returned = student(f"train.{function}")(model, train_loader, val_loader, num_epochs=epochs)
    return {"returned": returned, "train_before": train_before,
            "train_after": error(train_targets), "val_after": error(val_targets),
            "training_mode": all(mode for mode, _ in steps),
            "evaluation_mode": True not in model.measured,
            "own_gradients": all(own for _, own in steps)}


class Scripted(nn.Module):
    """Answers image i (whose first pixel is i / 255) with the i-th row of prepared maps."""

    def __init__(self, maps):
        super().__init__()
        self.maps = maps
        self.weight = nn.Parameter(torch.zeros(1))  # for code that asks for the model's device

    def forward(self, x):
        index = (x[:, 0, 0, 0] * 255).round().long()
        return [m[index] for m in self.maps]


def scale_performance(student, maps, anchors, targets, batch_size):
    """`analyze_scale_performance` on prepared maps, and whether its picture is there."""
    count = len(targets)
    images = torch.zeros(count, 3, IMAGE_SIZE, IMAGE_SIZE)
    images[:, 0, 0, 0] = torch.arange(count) / 255
    collate = lambda batch: (torch.stack([b[0] for b in batch]), [b[1] for b in batch])  # noqa: E731
    loader = DataLoader(list(zip(images, targets)), batch_size, collate_fn=collate)
    path = student.folder / "results" / "visualizations" / "scale_performance.png"
    path.unlink(missing_ok=True)
    counts = student("evaluate.analyze_scale_performance")(Scripted(maps), loader, anchors)
    return {"counts": counts, "picture": _is_picture(path)}


def picture(student, function, args):
    """Whether `function(*args, save_path)` writes a picture (into a folder that exists)."""
    path, draw = student.folder / "asked_picture.png", student(function)
    path.unlink(missing_ok=True)  # it has to come from this call
    with_paths(lambda path: draw(*args, path), path)
    return _is_picture(path)


def _is_picture(path):
    """Whether a PNG of at least 50 x 50 pixels with more than one colour lies there."""
    from PIL import Image

    if not path.is_file():
        return False
    with Image.open(path) as image:
        low, high = image.convert("L").getextrema()
        return image.format == "PNG" and min(image.size) >= 50 and low < high


def training_log(student, curves):
    """Lengths and extremes of the loss curves in `results/training_log.json`.

    Args:
        curves: paths of keys, for example `[["heatmap", "train_loss"], ...]`.
    """
    path = student.folder / "results" / "training_log.json"
    if not path.is_file():
        raise Missing(f"{student.folder.name}/results/training_log.json is missing: run train.py")
    try:
        log = json.loads(path.read_text(encoding="utf-8"))
        found = []
        for keys in curves:
            values = log
            for key in keys:
                values = values[key]
            found.append([float(value) for value in values])
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise Unusable(
            f"results/training_log.json cannot be read as described in the handout: "
            f"{type(error).__name__}: {error}"
        ) from None
