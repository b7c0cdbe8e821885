"""Probes of plain functions and of the loss."""

from copy import deepcopy

import torch

from ...engine.sandbox.probes import unchanged
from ...engine.sandbox.student import Unusable


def mining(student, loss, pos_mask, neg_mask, options, pure=False):
    """`DetectionLoss().hard_negative_mining(loss, pos_mask, neg_mask, **options)`, which leaves its
    arguments as they were if it is to be `pure`."""
    criterion = student("loss.DetectionLoss")(num_classes=3)
    with unchanged("hard_negative_mining", (loss, pos_mask, neg_mask) * pure):
        return criterion.hard_negative_mining(loss, pos_mask, neg_mask, **options)


def detection_loss(student, predictions, targets, anchors, num_classes=3, pure=False):
    """The loss dict of a batch and the gradient of `loss_total` at every prediction map, where the
    object has answered before: for one image, and for all the other way round.

    Args:
        predictions: per map `[B, A*(5+C), S, S]`; targets: per image `boxes [M, 4]`, `labels [M]`.
        anchors: per map `[S*S*A, 4]`; num_classes: C; pure: as above.
    """
    criterion = student("loss.DetectionLoss")(num_classes=num_classes)
    most = max(range(len(targets)), key=lambda i: len(targets[i]["boxes"]))
    # With objects, where there are any: to have none is asked apart.
    criterion(*deepcopy(([-p[most:most + 1] for p in predictions], targets[most:most + 1],
                         anchors)))
    criterion(*deepcopy(([p.flip(0) for p in predictions], targets[::-1], anchors)))
    predictions = [p.requires_grad_() for p in predictions]
    with unchanged("DetectionLoss", (predictions, targets, anchors) * pure):
        losses = criterion(predictions, targets, anchors)
    if not isinstance(losses, dict):
        raise Unusable("DetectionLoss should return a dict with loss_obj, loss_cls, loss_loc and "
                       f"loss_total, but returned an object of type {type(losses).__name__}")
    total = losses.get("loss_total")
    # What is missing, constant or no single number has no gradient; the checks say so.
    differentiable = (isinstance(total, torch.Tensor) and total.requires_grad
                      and total.numel() == 1)
    gradients = (torch.autograd.grad(total, predictions, allow_unused=True) if differentiable
                 else [None] * len(predictions))
    return {
        "losses": dict(losses),
        "gradients": [torch.zeros_like(p) if g is None else g
                      for p, g in zip(predictions, gradients)],
    }
