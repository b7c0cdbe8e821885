"""Attention at 8 x 8 and a last layer of zeros, in float64; coordinates as the middle of a light."""
import torch
import torch.nn.functional as F
from torch import nn


class HeatmapNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.stem = nn.Conv2d(1, 32, 5, 2, 2)
        self.down = nn.ModuleList(nn.Conv2d(32, 32, 3, 2, 1) for _ in range(3))
        self.mix = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True)
        self.up = nn.ModuleList(nn.ConvTranspose2d(32, 32, 2, 2) for _ in range(3))
        self.last = nn.Conv2d(32, num_keypoints, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.double()

    def forward(self, x):
        maps = [self.stem(x.double())]
        for layer in self.down:
            maps.append(F.gelu(layer(maps[-1])))
        x = self.mix(maps[-1].flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, (8, 8))
        for layer, skip in zip(self.up, maps[-2::-1]):
            x = F.gelu(layer(x) + skip)
        return self.last(x)


class RegressionNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Dropout2d(0.3), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(32, num_keypoints, 1))

    def forward(self, x):
        maps = self.layers(x)
        light = maps.flatten(2).softmax(-1).unflatten(2, maps.shape[2:])
        place = torch.arange(maps.shape[-1]) / maps.shape[-1]
        return torch.stack([(light.sum(2) * place).sum(-1), (light.sum(3) * place).sum(-1)], -1).flatten(1)
