"""Probes of training, on stand-in networks that are small.

A student's training function meets a loader, a network and a loss that the kit brings, so that a
mistake in the student's own network or loss costs its own task and not this one. What comes back
are weights: they tell how they were trained (`assignment.stand_in`).
"""

import json

import torch
import torch.nn as nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader

from ...engine.sandbox.probes import unchanged
from ...engine.sandbox.student import Missing, Unusable
from .accuracy import weights_load

EMPTY = 3  # number of the batch without objects
LONGEST = 60  # characters of a log in a message


class StandIn(nn.Module):
    """One linear layer from pixels to outputs `[B, *shape]`, see `assignment.stand_in`.

    It is made of products and sums, which autocast leaves in float32. There are four parameters,
    which differ in name and dimensions, so that an optimizer which is given some of them is told by
    the outputs of the others. The norm is of the kind that code looks for to freeze it.

    Args:
        weight: where it starts, `[outputs, pixels]`; gain: `[outputs]`.
    """

    def __init__(self, weight, gain, shape):
        super().__init__()
        self.norm = nn.BatchNorm2d(1, momentum=0.01, affine=False)
        for name, part in zip(("encoder", "bias", "bn", "head"), weight.chunk(4)):
            flat = name in ("bias", "bn")
            self.register_parameter(name, nn.Parameter(part.flatten() if flat else part.clone()))
        self.register_buffer("gain", gain, persistent=False)
        self.shape = shape

    def weight(self):
        """`[outputs, pixels]`, of all parameters."""
        return torch.cat([part.flatten() for part in self.parameters()]).view(len(self.gain), -1)

    def forward(self, x):
        pixels = x.flatten(1) - 0.5
        normed = self.norm(pixels[:, :1, None, None]).flatten(1)
        pixels = torch.cat([normed, pixels[:, 1:]], dim=1)
        outputs = (pixels[:, None] * self.weight()).sum(dim=-1) * self.gain
        return outputs.reshape(len(x), *self.shape)


class StandInDetector(StandIn):
    """Three maps of one cell, `[B, 4, 1, 1]` each: the coordinates of three boxes."""

    def __init__(self, weight, gain):
        super().__init__(weight, gain, (3, 4, 1, 1))

    def forward(self, x):
        return list(super().forward(x).unbind(dim=1))


class StandInCriterion(nn.Module):
    """Squared distance of every map to the box with its number, in an image without objects to
    those of `nowhere`, `[3, 4]`.

    Each loss is that of one map, so that a network taught by some of them does not learn the rest.
    The last number of the third map is pulled by loss_obj as well, in the opposite direction: where
    it goes depends on the weight of loss_loc in the total.
    """

    def __init__(self, nowhere):
        super().__init__()
        self.nowhere = nowhere

    def forward(self, predictions, targets, anchors):
        if [len(of_map) for of_map in anchors] != [1] * len(predictions):
            raise ValueError("the criterion needs the list of anchors that your function is given, "
                             "one entry per map")
        boxes = torch.stack([t["boxes"] if len(t["boxes"]) else self.nowhere
                             for t in targets])  # [B, 3, 4]
        *others, last = (p.flatten(1) - boxes[:, i] for i, p in enumerate(predictions))
        errors = [part.square().mean() for part in (*others, last[:, :-1])]
        pulled = last[:, -1].mean()
        # Shares such that no multiple of one loss is the total: a sum must not pass for a mean.
        losses = {"loss_obj": 0.55 * errors[0] - 0.3 * pulled, "loss_cls": 0.31 * errors[1],
                  "loss_loc": 0.07 * errors[2] + 0.2 * pulled}
        return {**losses,
                "loss_total": losses["loss_obj"] + losses["loss_cls"] + 2 * losses["loss_loc"]}


def _scene(weight, gain, images, boxes, batch_size):
    """The stand-in detector, and the other arguments of `train_epoch` but the optimizer. All images
    of one batch are without objects, and the second one of every other batch."""
    some = (b[:0] if i // batch_size == EMPTY or i % (2 * batch_size) == 1 else b
            for i, b in enumerate(boxes))
    items = [(image, {"boxes": b, "labels": torch.zeros(len(b), dtype=torch.int64)})
             for image, b in zip(images, some)]
    collate = lambda batch: (torch.stack([b[0] for b in batch]), [b[1] for b in batch])  # noqa: E731
    return (StandInDetector(weight, gain), DataLoader(items, batch_size, collate_fn=collate),
            StandInCriterion(boxes.mean(dim=0)), torch.device("cpu"),
            [torch.tensor([[0.0, 0.0, side, side]]) for side in (16, 32, 64)])


def train_epoch(student, weight, gain, images, boxes, batch_size, lr, epochs, pure=False):
    """Run `train_epoch` a few times on the stand-ins, with Adam.

    Args:
        weight, gain: of the stand-in; images: float32 `[N, 3, H, W]`; boxes: float32 `[N, 3, 4]`.
        lr: of Adam; epochs: calls; pure: the anchors must stay as they were.

    Returns:
        `returned`: what the student's function returned, per epoch; `states`: the model's state
        dict after each of them.
    """
    model, loader, criterion, device, anchors = _scene(weight, gain, images, boxes, batch_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    function, returned, states = student("train.train_epoch"), [], []
    for _ in range(epochs):
        model.eval()  # as `validate` leaves it; the student's code puts it into training mode
        with unchanged("train_epoch", (*[None] * 5, anchors) * pure):
            returned.append(function(model, loader, criterion, optimizer, device, anchors))
        states.append(_state(model))
    return {"returned": returned, "states": states}


def validate(student, weight, gain, images, boxes, batch_size):
    """Run `validate` once on the stand-ins: what it `returned`, and the model's `state` then. The
    anchors must stay as they were.

    Args:
        weight, gain: of the stand-in; images: float32 `[N, 3, H, W]`; boxes: float32 `[N, 3, 4]`.
    """
    model, loader, criterion, device, anchors = _scene(weight, gain, images, boxes, batch_size)
    function = student("train.validate")
    with unchanged("validate", (*[None] * 4, anchors)):
        returned = function(model, loader, criterion, device, anchors)
    return {"returned": returned, "state": _state(model)}


def _state(model):
    """What `model.norm` has learned, and the weight `[outputs, pixels]`."""
    return {"weight": model.weight().detach(),
            **{name: value.clone() for name, value in model.state_dict().items()
               if name.startswith("norm.")}}


def train_keypoints(student, function, weight, gain, images, targets, val_images, val_targets,
                    batch_size, val_batch_size, epochs):
    """Run `train_heatmap_model` or `train_regression_model` on the stand-in.

    Args:
        function: its name; weight, gain: of the stand-in.
        images, val_images: float32 `[N, 1, H, W]`; targets, val_targets: `[N, ...]`.

    Returns:
        `returned`: what the student's function returned; `state`: the model's state dict then;
        `optimizer`: the name of one of torch's that made steps, if no kind of Adam did.
    """
    model, used = StandIn(weight, gain, targets.shape[1:]), set()
    register_optimizer_step_post_hook(lambda optimizer, *_: used.add(type(optimizer)))
    loader = DataLoader(list(zip(images, targets)), batch_size)
    val_loader = DataLoader(list(zip(val_images, val_targets)), val_batch_size)
    returned = student(f"train.{function}")(model, loader, val_loader, num_epochs=epochs)
    names = sorted(kind.__name__ for kind in used if kind.__module__.startswith("torch.optim"))
    adam = any("Adam" in name for name in names)
    return {"returned": returned, "state": _state(model),
            "optimizer": "" if adam else ", ".join(names)}


def trainings(student, runs):
    """Several runs of `train_keypoints`, each given by its arguments."""
    return [train_keypoints(student, **run) for run in runs]


def training_log(student, curves, networks):
    """The loss curves in `results/training_log.json`, and what the weights beside it predict.

    Args:
        curves: paths of keys, for example `[["heatmap", "train_loss"], ...]`.
        networks: see `weights_load`.
    """
    path = student.folder / "results" / "training_log.json"
    if not path.is_file():
        raise Missing(f"{student.folder.name}/results/training_log.json is missing: run train.py")
    try:
        log = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise Unusable(f"results/training_log.json is no JSON: {error}") from None
    return {"curves": [_curve(log, keys) for keys in curves],
            "networks": weights_load(student, networks)}


def _curve(log, keys):
    values = log
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    try:
        if isinstance(values, list):
            return [float(value) for value in values]
    except (ValueError, TypeError, OverflowError):
        pass  # told as what is no list
    there = "nothing" if values is None else json.dumps(values)[:LONGEST]
    raise Unusable("results/training_log.json should hold a list with a number for each epoch in "
                   f"{''.join(f'[{key!r}]' for key in keys)}, but holds {there} there")
