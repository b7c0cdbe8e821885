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
        raise NotImplementedError("Task 1.7 DetectionLoss.forward: see handout, rule P1.loss")

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
        raise NotImplementedError("Task 1.6 hard_negative_mining: see handout, rule P1.mining")
