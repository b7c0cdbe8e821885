import torch
import torch.nn as nn
import torch.nn.functional as F

from utils import encode_boxes, match_anchors_to_targets


class DetectionLoss(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, predictions, targets, anchors):
        width = 5 + self.num_classes
        flat = torch.cat([p.permute(0, 2, 3, 1).reshape(p.shape[0], -1, width) for p in predictions], dim=1)
        every = torch.cat(list(anchors), dim=0)
        positives = 0
        sums = torch.zeros(3, dtype=flat.dtype)
        for row, target in zip(flat, targets):
            labels, boxes, pos, neg = match_anchors_to_targets(every, target["boxes"], target["labels"])
            bce = F.binary_cross_entropy_with_logits(row[:, 4], pos.to(row.dtype), reduction="none")
            mined = self.hard_negative_mining(bce.detach(), pos, neg)
            weight = (pos | mined).to(row.dtype)
            obj = torch.einsum("n,n->", weight, bce)
            truth = F.one_hot(labels[pos] - 1, self.num_classes).to(row.dtype)
            cls = -torch.einsum("nc,nc->", truth, torch.log_softmax(row[pos][:, 5:], dim=1))
            d = row[pos][:, :4] - encode_boxes(boxes[pos], every[pos])
            small = (d.abs() < 1).to(d.dtype)
            loc = 0.5 * torch.einsum("nk,nk,nk->", small, d, d) + torch.einsum("nk,nk->", 1 - small, d.abs() - 0.5)
            sums = sums + torch.stack([obj, cls, loc])
            positives += int(pos.sum())
        obj, cls, loc = sums / max(1, positives)
        total = torch.einsum("i,i->", torch.stack([obj, cls, loc]), torch.tensor([1.0, 1.0, 2.0]))
        return {"loss_obj": obj, "loss_cls": cls, "loss_loc": loc, "loss_total": total}

    def hard_negative_mining(self, loss, pos_mask, neg_mask, ratio=3):
        count = min(int(ratio * max(1, int(pos_mask.sum()))), int(neg_mask.sum()))
        ranked = torch.where(neg_mask, loss, torch.full_like(loss, -float("inf"))).argsort(descending=True, stable=True)
        return F.one_hot(ranked[:count], len(loss)).sum(0).bool() if count else torch.zeros_like(neg_mask)
