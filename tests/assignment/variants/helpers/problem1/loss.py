import torch
import torch.nn as nn
import torch.nn.functional as F

from flattening import flatten_maps
from mining import hardest
from utils import encode_boxes, match_anchors_to_targets


class DetectionLoss(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, predictions, targets, anchors):
        rows = flatten_maps(predictions=predictions, per_anchor=5 + self.num_classes)
        anchors = torch.cat(tensors=anchors, dim=0)
        obj, cls, loc, count = [], [], [], 0
        for row, target in zip(rows, targets):
            labels, boxes, pos_mask, neg_mask = match_anchors_to_targets(
                anchors=anchors, target_boxes=target["boxes"], target_labels=target["labels"],
                pos_threshold=0.5, neg_threshold=0.3)
            bce = F.binary_cross_entropy_with_logits(input=row[:, 4], target=pos_mask.float(), reduction="none")
            mined = self.hard_negative_mining(loss=bce, pos_mask=pos_mask, neg_mask=neg_mask, ratio=3)
            obj.append(bce[pos_mask].sum() + bce[mined].sum())
            cls.append(F.cross_entropy(input=row[pos_mask, 5:], target=labels[pos_mask] - 1, reduction="sum"))
            encoded = encode_boxes(boxes=boxes[pos_mask], anchors=anchors[pos_mask])
            loc.append(F.smooth_l1_loss(input=row[pos_mask, :4], target=encoded, reduction="sum", beta=1.0))
            count += pos_mask.sum().item()
        losses = {name: torch.stack(tensors=values).sum() / max(1, count)
                  for name, values in {"loss_obj": obj, "loss_cls": cls, "loss_loc": loc}.items()}
        losses["loss_total"] = losses["loss_obj"] + losses["loss_cls"] + 2 * losses["loss_loc"]
        return losses

    def hard_negative_mining(self, loss, pos_mask, neg_mask, ratio=3):
        return hardest(loss=loss.detach(), candidates=neg_mask, count=ratio * max(1, pos_mask.sum().item()))
