"""No skip connections, instance norm, borders that wrap around; coordinates from all pixels, no sigmoid."""
import torch.nn.functional as F
from torch import nn


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, padding_mode="circular"), nn.InstanceNorm2d(o), nn.ReLU())


class HeatmapNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.down = nn.ModuleList(block(i, o) for i, o in ((1, 16), (16, 32), (32, 64), (64, 64)))
        self.up = nn.ModuleList(block(i, o) for i, o in ((64, 64), (64, 32), (32, 16)))
        self.last = nn.Conv2d(16, num_keypoints, 1)

    def forward(self, x):
        for layer in self.down:
            x = F.avg_pool2d(layer(x), 2)
        for layer in self.up:
            x = layer(F.interpolate(x, scale_factor=2, mode="bilinear"))
        return self.last(x)


class RegressionNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 7, 4, 3), nn.SELU(), nn.Conv2d(16, 32, 3, 4, 1), nn.SELU(), nn.Flatten(),
            nn.LayerNorm(2048), nn.Linear(2048, 64), nn.SELU(), nn.AlphaDropout(0.5),
            nn.Linear(64, 2 * num_keypoints), nn.Tanh())

    def forward(self, x):
        return (self.layers(x) + 1) / 2
