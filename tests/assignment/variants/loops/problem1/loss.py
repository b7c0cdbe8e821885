import torch
import torch.nn as nn

from utils import encode_boxes, match_anchors_to_targets


class DetectionLoss(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.num_classes = num_classes
        self.bce = nn.BCEWithLogitsLoss(reduction="none")
        self.ce = nn.CrossEntropyLoss(reduction="sum")
        self.smooth_l1 = nn.SmoothL1Loss(reduction="sum")

    def forward(self, predictions, targets, anchors):
        every_anchor = torch.cat(anchors, dim=0)
        obj = cls = loc = predictions[0].sum() * 0.0
        num_pos = 0
        for b in range(len(targets)):
            parts = []
            for p in predictions:
                _, _, H, W = p.shape
                parts.append(p[b].permute(1, 2, 0).contiguous().view(-1, 5 + self.num_classes))
            pred = torch.cat(parts, dim=0)
            labels, boxes, pos, neg = match_anchors_to_targets(
                every_anchor, targets[b]["boxes"], targets[b]["labels"])
            bce = self.bce(pred[:, 4], pos.float())
            hard = self.hard_negative_mining(bce, pos, neg)
            obj = obj + bce[pos].sum() + bce[hard].sum()
            if pos.any():
                cls = cls + self.ce(pred[pos][:, 5:], labels[pos] - 1)
                loc = loc + self.smooth_l1(pred[pos][:, :4],
                                           encode_boxes(boxes[pos], every_anchor[pos]))
            num_pos += int(pos.sum())
        n = max(1, num_pos)
        total = obj / n + cls / n + 2.0 * loc / n
        return {"loss_obj": obj / n, "loss_cls": cls / n, "loss_loc": loc / n, "loss_total": total}

    def hard_negative_mining(self, loss, pos_mask, neg_mask, ratio=3):
        candidates = [i for i in range(len(loss)) if neg_mask[i]]
        candidates.sort(key=lambda i: -loss[i].item())  # stable: the lower index stays first
        mask = torch.zeros(len(loss), dtype=torch.bool)
        for i in candidates[:ratio * max(1, int(pos_mask.sum()))]:
            mask[i] = True
        return mask
