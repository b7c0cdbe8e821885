import torch
import torch.nn as nn
import torch.nn.functional as F

from utils import encode_boxes, match_anchors_to_targets


class DetectionLoss(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, predictions, targets, anchors):
        c = self.num_classes
        flat = torch.cat([p.permute(0, 2, 3, 1).reshape(len(p), -1, 5 + c) for p in predictions], 1)
        all_anchors = torch.cat(anchors)
        matches = [match_anchors_to_targets(all_anchors, t["boxes"], t["labels"]) for t in targets]
        labels = torch.stack([m[0] for m in matches])
        boxes = torch.stack([m[1] for m in matches])
        pos = torch.stack([m[2] for m in matches])
        neg = torch.stack([m[3] for m in matches])
        logit = flat[..., 4]
        with torch.no_grad():
            difficulty = F.softplus(logit)  # BCE against 0
            mined = torch.stack([self.hard_negative_mining(*x) for x in zip(difficulty, pos, neg)])
        n = max(1, int(pos.sum()))
        image, anchor = pos.nonzero(as_tuple=True)
        obj = (F.softplus(-logit[pos]).sum() + F.softplus(logit[mined]).sum()) / n
        row = flat[image, anchor]
        log_p = row[:, 5:].log_softmax(-1)
        cls = -log_p.gather(1, (labels[image, anchor] - 1).unsqueeze(1)).sum() / n
        d = (row[:, :4] - encode_boxes(boxes[image, anchor], all_anchors[anchor])).abs()
        loc = torch.where(d < 1, d.square() / 2, d - 0.5).sum() / n
        return dict(loss_total=obj + cls + 2 * loc, loss_obj=obj, loss_cls=cls, loss_loc=loc)

    def hard_negative_mining(self, loss, pos_mask, neg_mask, ratio=3):
        k = min(ratio * max(1, pos_mask.count_nonzero().item()), neg_mask.count_nonzero().item())
        out = torch.zeros(len(loss), dtype=torch.bool)
        if k == 0:
            return out
        # rank of every anchor among the negatives by scatter and cumsum
        kth = loss[neg_mask].topk(k).values[-1]
        above = neg_mask & (loss > kth)
        equal = neg_mask & (loss == kth)
        rank = equal.long().cumsum(0)
        return above | (equal & (rank <= k - above.sum()))
