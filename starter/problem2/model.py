"""The two networks: one draws a heatmap per keypoint, the other names the coordinates.

Both look at a grey image `[B,1,128,128]` through the same encoder, four times
conv 3x3 -> batch norm -> ReLU -> max-pool 2:

    128x128x1 -> 64x64x32 -> 32x32x64 -> 16x16x128 -> 8x8x256

Letters and the (x, y) convention are those of dataset.py.
"""

import torch
from torch import nn


class HeatmapNet(nn.Module):
    """Encoder and decoder with skip connections, after U-Net (Ronneberger et al. 2015).

    The decoder doubles the size with transposed convolutions, each followed by batch norm and
    ReLU. Before the second and the third, the encoder's map of the same size is concatenated:

        8x8x256 -> 16x16x128, cat 128 -> 32x32x64, cat 64 -> 64x64x32 -> 1x1 conv -> 64x64xK

    The output has no activation: a heatmap's 0 and 1 are reached by regression.
    """

    def __init__(self, num_keypoints: int = 5, skip: bool = True, heatmap_size: int = 64):
        """
        Args:
            num_keypoints: K, the channels of the output.
            skip: False leaves the concatenations out.
            heatmap_size: S, 32, 64 or 128: one upsampling less than drawn above, or one more.
                Any other size is a ValueError. Your ablation of task 2.9 needs both; no check
                asks about them.
        """
        super().__init__()
        raise NotImplementedError("Task 2.3 HeatmapNet.__init__: see handout, rule P2.heatmapnet")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images `[B,1,128,128]` -> heatmaps `[B,K,S,S]`, not bounded to 0..1."""
        raise NotImplementedError("Task 2.3 HeatmapNet.forward: see handout, rule P2.heatmapnet")


class RegressionNet(nn.Module):
    """Encoder, global average pooling, and three linear layers down to 2K numbers.

        8x8x256 -> mean over the 8x8 -> 256 -> 128 -> 64 -> 2K -> sigmoid

    ReLU and dropout 0.5 follow the first two linear layers.
    """

    def __init__(self, num_keypoints: int = 5):
        """num_keypoints: K; the output has 2K numbers per image."""
        super().__init__()
        raise NotImplementedError(
            "Task 2.4 RegressionNet.__init__: see handout, rule P2.regressionnet"
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images `[B,1,128,128]` -> coordinates `[B,2K]` in 0..1, ordered x0, y0, x1, y1, ..."""
        raise NotImplementedError(
            "Task 2.4 RegressionNet.forward: see handout, rule P2.regressionnet"
        )
