"""Problem 1, tasks 1.6 and 1.7: hard negative mining and the multi-task detection loss.

`B` images, `A` anchors per cell, `C` classes, `N` anchors of all maps together. The anchors of the
maps are concatenated in map order; predictions flatten in the same order (see
`generate_anchors`). The loss is that of SSD (Liu et al. 2016, section 2.2) with objectness
instead of a background class.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from utils import encode_boxes, match_anchors_to_targets


class DetectionLoss(nn.Module):
    """Objectness, classification and localisation, with hard negative mining.

    Args:
        num_classes: `C`.
    """

    def __init__(self, num_classes=3):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, predictions, targets, anchors):
        """Losses of one batch.

        Each image is matched once, against the anchors of all maps together. The sums below run
        over the whole batch and are divided by `max(1, number of positives in the batch)`:

        - `loss_obj`: binary cross-entropy with logits over positives (target 1) and mined
          negatives (target 0);
        - `loss_cls`: cross-entropy over positives, against the class (label - 1);
        - `loss_loc`: smooth L1 (beta 1) over positives and their four coordinates, between the
          predicted and the encoded offsets;
        - `loss_total = loss_obj + loss_cls + 2 * loss_loc`.

        A batch without objects gives a finite loss with a gradient.

        Args:
            predictions: list of `[B, A*(5+C), S, S]`, one per map; the channels of an anchor are
                tx, ty, tw, th, objectness logit, class logits.
            targets: list of B dicts `{"boxes": [M, 4], "labels": int64 [M]}`.
            anchors: list of `[S*S*A, 4]` from `generate_anchors`, one per map.

        Returns:
            dict of scalar tensors `loss_obj`, `loss_cls`, `loss_loc`, `loss_total`.
        """
        # BEGIN SOLUTION Task 1.7 DetectionLoss.forward P1.loss
        prediction = torch.cat(
            [p.permute(0, 2, 3, 1).reshape(len(p), -1, 5 + self.num_classes) for p in predictions],
            dim=1,
        ).float()  # [B, N, 5+C]  # mutants: equivalent (without .float()), it is for bfloat16 alone
        anchors = torch.cat(anchors).to(prediction.device)  # [N, 4]

        matches = [
            match_anchors_to_targets(
                anchors, target["boxes"].to(anchors.device), target["labels"].to(anchors.device)
            )
            for target in targets
        ]
        labels, boxes, pos_mask, neg_mask = (torch.stack(field) for field in zip(*matches))

        objectness = prediction[..., 4]  # [B, N]
        obj_loss = F.binary_cross_entropy_with_logits(
            objectness, pos_mask.to(objectness.dtype), reduction="none"
        )
        mined = torch.stack(
            [self.hard_negative_mining(*image) for image in zip(obj_loss, pos_mask, neg_mask)]
        )

        positive = prediction[pos_mask]  # [P, 5+C], the positives of the whole batch
        encoded = encode_boxes(boxes[pos_mask], anchors.expand_as(boxes)[pos_mask])
        num_positives = max(1, len(positive))
        loss_obj = obj_loss[pos_mask | mined].sum() / num_positives
        loss_cls = F.cross_entropy(positive[:, 5:], labels[pos_mask] - 1, reduction="sum")
        loss_cls = loss_cls / num_positives
        loss_loc = F.smooth_l1_loss(positive[:, :4], encoded, reduction="sum") / num_positives
        return {
            "loss_obj": loss_obj,
            "loss_cls": loss_cls,
            "loss_loc": loss_loc,
            "loss_total": loss_obj + loss_cls + 2 * loss_loc,
        }
        # END SOLUTION

    def hard_negative_mining(self, loss, pos_mask, neg_mask, ratio=3):
        """Choose the negatives of one image that the network gets most wrong.

        Args:
            loss: `[N]`, objectness loss of every anchor of all maps together.
            pos_mask: bool `[N]`.
            neg_mask: bool `[N]`.
            ratio: negatives per positive.

        Returns:
            bool `[N]`: the `min(ratio * max(1, positives), negatives)` negatives with the highest
            loss; exactly that many, and on ties those with the lowest index.
        """
        # BEGIN SOLUTION Task 1.6 hard_negative_mining P1.mining
        # mutants: equivalent (without int), a tensor of one number counts like that number
        # mutants: equivalent (without .detach()), the mask has no gradient either way
        count = min(ratio * max(1, int(pos_mask.sum())), int(neg_mask.sum()))
        # A stable sort keeps tied losses in index order; -inf puts everything else last.
        candidates = loss.detach().masked_fill(~neg_mask, float("-inf"))
        hardest = torch.sort(candidates, descending=True, stable=True).indices[:count]
        mined = torch.zeros_like(neg_mask)
        mined[hardest] = True
        return mined
        # END SOLUTION
