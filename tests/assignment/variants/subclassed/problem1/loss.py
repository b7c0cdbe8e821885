"""Losses as a small class hierarchy."""
import abc

import torch
import torch.nn as nn
import torch.nn.functional as F

import utils


class MultiTaskLoss(nn.Module, metaclass=abc.ABCMeta):
    """Base class: subclasses fill `parts`; the base weights, normalises and adds."""

    weights = {"loss_obj": 1.0, "loss_cls": 1.0, "loss_loc": 2.0}

    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes

    @abc.abstractmethod
    def parts(self, predictions, targets, anchors):
        """(dict of sums, normaliser)"""

    def forward(self, predictions, targets, anchors):
        sums, normaliser = self.parts(predictions, targets, anchors)
        losses = {name: value / normaliser for name, value in sums.items()}
        losses["loss_total"] = sum(self.weights[name] * value for name, value in losses.items())
        return losses


class Assigner:
    """Matches every image of the batch, once."""

    def __init__(self, anchors):
        self.anchors = torch.cat(tuple(anchors), 0)

    def __call__(self, targets):
        matched = [utils.match_anchors_to_targets(self.anchors, t["boxes"], t["labels"]) for t in targets]
        return [torch.stack(column) for column in zip(*matched)]


class DetectionLoss(MultiTaskLoss):
    def __init__(self, num_classes=3):
        super().__init__(num_classes)
        self.bce = nn.BCEWithLogitsLoss(reduction="none")
        self.cross_entropy = nn.CrossEntropyLoss(reduction="sum")
        self.smooth_l1 = nn.SmoothL1Loss(reduction="sum", beta=1.0)

    def parts(self, predictions, targets, anchors):
        offsets, objectness, logits = self._split(predictions)
        assigner = Assigner([a.to(offsets.device) for a in anchors])
        labels, boxes, positive, negative = assigner(targets)
        sums = {
            "loss_obj": self._objectness(objectness, positive, negative),
            "loss_cls": self._classes(logits, labels, positive),
            "loss_loc": self._location(offsets, boxes, assigner.anchors, positive),
        }
        return sums, positive.sum().clamp(min=1)

    def _split(self, predictions):
        rows = [p.permute(0, 2, 3, 1).contiguous().view(
            p.size(0), -1, 5 + self.num_classes) for p in predictions]
        return torch.cat(rows, 1).split([4, 1, self.num_classes], dim=-1)

    def _objectness(self, objectness, positive, negative):
        logit = objectness.squeeze(-1)
        each = self.bce(logit, positive.to(logit))
        mined = torch.stack([self.hard_negative_mining(l, p, n) for l, p, n in zip(each.detach(), positive, negative)])
        return each[positive | mined].sum()

    def _classes(self, logits, labels, positive):
        return self.cross_entropy(logits[positive], labels[positive] - 1)

    def _location(self, offsets, boxes, anchors, positive):
        where = anchors.unsqueeze(0).expand(len(boxes), -1, -1)[positive]
        return self.smooth_l1(offsets[positive], utils.encode_boxes(boxes[positive], where))

    def hard_negative_mining(self, loss, pos_mask, neg_mask, ratio=3):
        candidates = neg_mask.nonzero(as_tuple=True)[0]
        wanted = ratio * max(1, pos_mask.sum().item())
        order = loss[candidates].sort(descending=True, stable=True).indices
        mask = torch.zeros_like(neg_mask)
        mask[candidates[order[:wanted]]] = True
        return mask
