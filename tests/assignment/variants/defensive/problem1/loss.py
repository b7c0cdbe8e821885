import torch
import torch.nn as nn
import torch.nn.functional as F

from utils import encode_boxes, match_anchors_to_targets


def to_device(thing, device):
    """Recursion over lists, tuples and dicts."""
    if isinstance(thing, torch.Tensor):
        return thing.to(device)
    if isinstance(thing, dict):
        return {key: to_device(value, device) for key, value in thing.items()}
    return [to_device(value, device) for value in thing]


class DetectionLoss(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        assert num_classes >= 1
        self.num_classes = num_classes

    def forward(self, predictions, targets, anchors):
        assert len(predictions) == len(anchors) > 0
        batch, device = predictions[0].shape[0], predictions[0].device
        assert all(p.shape[0] == batch == len(targets) for p in predictions)
        targets, anchors = to_device(targets, device), to_device(anchors, device)
        rows = []
        for p, a in zip(predictions, anchors):
            b, c, h, w = p.shape
            assert c % (5 + self.num_classes) == 0
            per_cell = c // (5 + self.num_classes)
            assert len(a) == h * w * per_cell
            rows.append(p.view(b, per_cell, -1, h, w).permute(0, 3, 4, 1, 2).reshape(b, len(a), -1))
        rows = torch.cat(rows, dim=1).double()
        everything = torch.cat(anchors, dim=0)
        zero = rows.new_zeros(())
        obj, cls, loc, positives = zero.clone(), zero.clone(), zero.clone(), 0
        for i in range(batch):
            assert (targets[i]["labels"] < self.num_classes).all()
            labels, boxes, pos, neg = match_anchors_to_targets(everything, targets[i]["boxes"], targets[i]["labels"])
            logit = rows[i, :, 4]
            bce = F.binary_cross_entropy_with_logits(logit, pos.double(), reduction="none")
            mined = self.hard_negative_mining(bce.detach(), pos, neg)
            assert not (mined & pos).any()
            obj = obj + torch.masked_select(bce, pos | mined).sum()
            count = int(pos.sum())
            if count == 0:
                continue
            positives += count
            cls = cls + F.nll_loss(F.log_softmax(rows[i, pos, 5:], dim=1), labels[pos] - 1, reduction="sum")
            loc = loc + F.smooth_l1_loss(rows[i, pos, :4], encode_boxes(boxes[pos], everything[pos]).double(), reduction="sum")
        n = float(max(1, positives))
        losses = {"loss_obj": obj / n, "loss_cls": cls / n, "loss_loc": loc / n}
        losses["loss_total"] = losses["loss_obj"] + losses["loss_cls"] + 2.0 * losses["loss_loc"]
        losses = {name: value.to(predictions[0].dtype) for name, value in losses.items()}
        assert all(torch.isfinite(value) for value in losses.values()), losses
        return losses

    def hard_negative_mining(self, loss, pos_mask, neg_mask, ratio=3):
        assert loss.shape == pos_mask.shape == neg_mask.shape
        assert pos_mask.dtype == neg_mask.dtype == torch.bool
        wanted = min(int(ratio * max(1, int(pos_mask.sum()))), int(neg_mask.sum()))
        mined = torch.zeros_like(neg_mask)
        if wanted == 0:
            return mined
        pairs = sorted(((-float(loss[n]), n) for n in neg_mask.nonzero().flatten().tolist()))
        for _, n in pairs[:wanted]:
            mined[n] = True
        assert int(mined.sum()) == wanted
        return mined
