from __future__ import annotations

import torch
from torch import Tensor, nn


def down(i: int, o: int) -> nn.Module:
    return torch.jit.script(nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)))


def up(i: int, o: int) -> nn.Module:
    return torch.jit.script(nn.Sequential(nn.ConvTranspose2d(i, o, 2, stride=2), nn.BatchNorm2d(o), nn.ReLU()))


class HeatmapNet(nn.Module):
    def __init__(self, num_keypoints: int = 5) -> None:
        super().__init__()
        self.d1, self.d2, self.d3, self.d4 = down(1, 32), down(32, 64), down(64, 128), down(128, 256)
        self.u1, self.u2, self.u3 = up(256, 128), up(256, 64), up(128, 32)
        self.last = nn.Conv2d(32, num_keypoints, 1)

    def forward(self, images: Tensor) -> Tensor:
        a = self.d1(images)
        b = self.d2(a)
        c = self.d3(b)
        x = self.u1(self.d4(c))
        x = self.u2(torch.cat([x, c], 1))
        x = self.u3(torch.cat([x, b], 1))
        return self.last(x)


class RegressionNet(nn.Module):
    def __init__(self, num_keypoints: int = 5) -> None:
        super().__init__()
        self.net = torch.jit.script(nn.Sequential(
            down(1, 32), down(32, 64), down(64, 128), down(128, 256), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(1),
            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(64, 2 * num_keypoints), nn.Sigmoid()))

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)
