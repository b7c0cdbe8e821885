"""bfloat16 inside, residual and deep without any norm."""
import torch
import torch.nn.functional as F
from torch import nn


class HeatmapNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 4, 2, 1)
        self.blocks = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(6))
        self.last = nn.Conv2d(16, num_keypoints, 1)

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            x = self.stem(x)
            for block in self.blocks:
                x = x + F.relu(block(x))
            return self.last(x).float()


class RegressionNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1) for i, o in ((1, 16), (16, 32), (32, 32), (32, 64)))
        self.head = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2 * num_keypoints))

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            for layer in self.layers:
                x = F.leaky_relu(layer(x))
            x = x.mean((2, 3))
        return self.head(x.float()).sigmoid()
