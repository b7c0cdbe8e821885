"""Probes of plain functions and of the loss."""

from contextlib import nullcontext

import torch

from ...engine.sandbox.probes import unchanged


def mining(student, loss, pos_mask, neg_mask, options, pure=False):
    """`DetectionLoss().hard_negative_mining(loss, pos_mask, neg_mask, **options)`.

    Args:
        pure: it must leave its arguments as they were.
    """
    criterion = student("loss.DetectionLoss")(num_classes=3)
    with unchanged("hard_negative_mining", (loss, pos_mask, neg_mask)) if pure else nullcontext():
        return criterion.hard_negative_mining(loss, pos_mask, neg_mask, **options)


def detection_loss(student, predictions, targets, anchors, num_classes=3):
    """The loss dict of a batch and the gradient of `loss_total` at every prediction map."""
    criterion = student("loss.DetectionLoss")(num_classes=num_classes)
    predictions = [p.requires_grad_() for p in predictions]
    losses = criterion(predictions, targets, anchors)
    gradients = torch.autograd.grad(losses["loss_total"], predictions, allow_unused=True)
    return {
        "losses": dict(losses),
        "gradients": [torch.zeros_like(p) if g is None else g
                      for p, g in zip(predictions, gradients)],
    }
