"""Problem 1, task 1.8: the multi-scale single-shot detector.

`B` images of 224x224, `A` anchors per cell, `C` classes, `S` side of a feature map: 56, 28, 14.
"""

import torch.nn as nn
import torch.nn.functional as F


class MultiScaleDetector(nn.Module):
    """Predicts boxes, objectness and classes on three feature maps.

    The backbone is conv 3->32, then 32->64, 64->128, 128->256 and 256->512 with stride 2, each 3x3
    with batch norm and ReLU; the last three make the maps of side 56, 28 and 14. A 3x3 and a
    1x1 convolution per map are its head. You may go deeper or add a top-down path: what is fixed
    are the shapes.

    Args:
        num_classes: `C`.
        num_anchors: `A`, the same on every map.
        neck: False for the backbone with its heads and nothing else. An option of the reference;
            keep it or drop it.
    """

    def __init__(self, num_classes=3, num_anchors=3, neck=True):
        super().__init__()
        raise NotImplementedError("Task 1.8 MultiScaleDetector: see handout, rule P1.model")

    def forward(self, x):
        """Raw predictions.

        Args:
            x: images `[B, 3, 224, 224]` in 0..1.

        Returns:
            list of `[B, A*(5+C), S, S]` for S = 56, 28, 14. The channels of an anchor are tx, ty,
            tw, th, objectness logit, class logits; anchor a owns channels a*(5+C) and on.
        """
        raise NotImplementedError("Task 1.8 MultiScaleDetector: see handout, rule P1.model")


def conv_block(in_channels, out_channels, stride=1, dilation=1):
    """Given: 3x3 convolution, batch norm, ReLU; keeps the side of the map, or halves it."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
