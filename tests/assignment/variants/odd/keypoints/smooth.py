"""The handout's encoder with strides for pooling and SiLU for ReLU: nearly linear at the start."""
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        sides = [1, 32, 64, 128, 256]
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.SiLU())
            for i, o in zip(sides, sides[1:]))

    def forward(self, x):
        maps = []
        for block in self.blocks:
            maps.append(x := block(x))
        return maps


class HeatmapNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.encoder = Encoder()
        self.up = nn.ModuleList(nn.Sequential(nn.ConvTranspose2d(i, o, 2, 2), nn.SiLU())
                                for i, o in ((256, 128), (256, 64), (128, 32)))
        self.last = nn.Conv2d(64, num_keypoints, 1)

    def forward(self, x):
        *skips, x = self.encoder(x)
        for layer, skip in zip(self.up, skips[::-1]):
            x = torch.cat([layer(x), skip], dim=1)
        return self.last(x)


class RegressionNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.encoder = Encoder()
        self.head = nn.Sequential(
            nn.Linear(256, 128), nn.SiLU(), nn.Dropout(), nn.Linear(128, 64), nn.SiLU(),
            nn.Dropout(), nn.Linear(64, 2 * num_keypoints), nn.Sigmoid())

    def forward(self, x):
        return self.head(self.encoder(x)[-1].mean(dim=(2, 3)))
