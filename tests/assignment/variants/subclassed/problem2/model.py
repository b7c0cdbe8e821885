"""Shared encoder as a base class; wider residual blocks."""
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True),
                                  nn.Conv2d(o, o, 3, padding=1, bias=False), nn.BatchNorm2d(o))
        self.skip = nn.Conv2d(i, o, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(torch.relu(self.main(x) + self.skip(x)))


class Encoder(nn.Module):
    widths = (32, 64, 128, 256)

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block(i, o) for i, o in zip((1, *self.widths), self.widths))

    def encode(self, x):
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps


class Up(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.up = nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(o)

    def forward(self, x, skip=None):
        if skip is not None:
            x = torch.cat((x, skip), 1)
        return torch.relu(self.norm(self.up(x)))


class HeatmapNet(Encoder):
    def __init__(self, num_keypoints=5, skip=True, heatmap_size=64):
        super().__init__()
        if heatmap_size not in (32, 64, 128):
            raise ValueError(heatmap_size)
        plan = [(256, 128), (128, 64), (64, 32), (32, 32)][: {32: 2, 64: 3, 128: 4}[heatmap_size]]
        extra = [0, 128, 64, 32] if skip else [0] * 4
        self.ups = nn.ModuleList(Up(i + e, o) for (i, o), e in zip(plan, extra))
        self.use_skip = skip
        self.out = nn.Conv2d(plan[-1][1], num_keypoints, 1)

    def forward(self, images):
        maps = self.encode(images)
        x, others = maps[-1], [None] + maps[-2::-1]
        for up, other in zip(self.ups, others):
            x = up(x, other if self.use_skip else None)
        return self.out(x)


class RegressionNet(Encoder):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 64), nn.ReLU(),
                                 nn.Dropout(), nn.Linear(64, 2 * num_keypoints), nn.Sigmoid())

    def forward(self, images):
        return self.mlp(self.pool(self.encode(images)[-1]))
