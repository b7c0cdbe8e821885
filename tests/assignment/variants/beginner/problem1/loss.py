import torch
import torch.nn as nn
import torch.nn.functional as F

from utils import encode_boxes, match_anchors_to_targets


class DetectionLoss(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, predictions, targets, anchors):
        all_anchors = torch.cat(anchors)
        loss_obj = 0
        loss_cls = 0
        loss_loc = 0
        num_pos = 0
        for b in range(len(targets)):
            rows = []
            for p in predictions:
                one = p[b]  # channels, H, W
                A = one.shape[0] // (5 + self.num_classes)
                for i in range(one.shape[1]):
                    for j in range(one.shape[2]):
                        for a in range(A):
                            rows.append(one[a * (5 + self.num_classes):(a + 1) * (5 + self.num_classes), i, j])
            labels, boxes, pos, neg = match_anchors_to_targets(all_anchors, targets[b]["boxes"], targets[b]["labels"])
            each = []
            for n in range(len(rows)):
                if pos[n]:
                    each.append(F.binary_cross_entropy_with_logits(rows[n][4], torch.tensor(1.0)))
                else:
                    each.append(F.binary_cross_entropy_with_logits(rows[n][4], torch.tensor(0.0)))
            mined = self.hard_negative_mining(torch.stack(each).detach(), pos, neg)
            for n in range(len(rows)):
                if mined[n]:
                    loss_obj = loss_obj + each[n]
                if pos[n]:
                    num_pos += 1
                    loss_obj = loss_obj + each[n]
                    loss_cls = loss_cls + F.cross_entropy(rows[n][5:].unsqueeze(0), (labels[n] - 1).unsqueeze(0))
                    target = encode_boxes(boxes[n:n + 1], all_anchors[n:n + 1])[0]
                    loss_loc = loss_loc + F.smooth_l1_loss(rows[n][:4], target, reduction="sum")
        if num_pos == 0:
            # zero, but a tensor
            loss_cls = predictions[0].sum() * 0
            loss_loc = predictions[0].sum() * 0
        N = max(1, num_pos)
        losses = {}
        losses["loss_obj"] = loss_obj / N
        losses["loss_cls"] = loss_cls / N
        losses["loss_loc"] = loss_loc / N
        losses["loss_total"] = losses["loss_obj"] + losses["loss_cls"] + 2 * losses["loss_loc"]
        return losses

    def hard_negative_mining(self, loss, pos_mask, neg_mask, ratio=3):
        num_pos = pos_mask.sum().item()
        num_neg = neg_mask.sum().item()
        k = min(ratio * max(1, num_pos), num_neg)
        mined = torch.zeros(len(loss), dtype=torch.bool)
        for _ in range(k):
            best = None
            for n in range(len(loss)):
                if neg_mask[n].item() and not mined[n].item():
                    if best is None or loss[n].item() > loss[best].item():
                        best = n
            mined[best] = True
        return mined
