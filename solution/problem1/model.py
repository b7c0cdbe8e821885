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

    # BEGIN SOLUTION
    # With neck=True (the reference) each map also sees its surroundings: dilated convolutions
    # widen the view at 14x14, where a cell of the backbone sees 65 pixels and objects have up to
    # 192, and a top-down path carries that view to the finer maps (FPN, Lin et al. 2017), so that
    # the 56x56 map can tell a small circle from the edge of a large one.
    NECK_CHANNELS = 128  # mutants: free, widths of layers are not fixed

    # END SOLUTION
    def __init__(self, num_classes=3, num_anchors=3, neck=True):
        super().__init__()
        # BEGIN SOLUTION Task 1.8 MultiScaleDetector P1.model
        self.stem = nn.Sequential(conv_block(3, 32), conv_block(32, 64, stride=2))  # 112
        self.stage56 = conv_block(64, 128, stride=2)
        self.stage28 = conv_block(128, 256, stride=2)
        self.stage14 = conv_block(256, 512, stride=2)
        channels = [128, 256, 512]  # mutants: unasked, checks use neck=True alone

        # mutants: free, which layers there are is not fixed: what counts are the shapes of the maps
        self.neck = None
        if neck:
            width = self.NECK_CHANNELS
            self.neck = nn.ModuleDict({
                # dilations 1, 2, 4, 6 on a grid of 16 pixels: a view of 65 + 2 * 13 * 16 pixels
                "context": nn.Sequential(
                    nn.Conv2d(512, width, 1),
                    *(conv_block(width, width, dilation=d) for d in (1, 2, 4, 6)),
                ),
                "lateral28": nn.Conv2d(256, width, 1),
                "lateral56": nn.Conv2d(128, width, 1),
                "smooth28": conv_block(width, width),
            })
            channels = [width] * 3

        outputs = num_anchors * (5 + num_classes)
        # mutants: free, widths of layers are not fixed
        self.heads = nn.ModuleList(
            nn.Sequential(conv_block(c, 128), nn.Conv2d(128, outputs, 1)) for c in channels
        )
        # END SOLUTION

    def forward(self, x):
        """Raw predictions.

        Args:
            x: images `[B, 3, 224, 224]` in 0..1.

        Returns:
            list of `[B, A*(5+C), S, S]` for S = 56, 28, 14. The channels of an anchor are tx, ty,
            tw, th, objectness logit, class logits; anchor a owns channels a*(5+C) and on.
        """
        # BEGIN SOLUTION Task 1.8 MultiScaleDetector P1.model
        map56 = self.stage56(self.stem(x))
        map28 = self.stage28(map56)
        map14 = self.stage14(map28)
        if self.neck is not None:
            # mutants: free, how the maps are joined is not fixed
            map14 = self.neck["context"](map14)
            map28 = self.neck["lateral28"](map28) + F.interpolate(map14, scale_factor=2)
            map28 = self.neck["smooth28"](map28)
            map56 = self.neck["lateral56"](map56) + F.interpolate(map28, scale_factor=2)
        return [head(m) for head, m in zip(self.heads, (map56, map28, map14))]
        # END SOLUTION


def conv_block(in_channels, out_channels, stride=1, dilation=1):
    """Given: 3x3 convolution, batch norm, ReLU; keeps the side of the map, or halves it."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
