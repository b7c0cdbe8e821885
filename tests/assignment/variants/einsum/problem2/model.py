import torch
from torch import nn


class Affine(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.w = nn.Parameter(torch.randn(i, o) * (2 / i) ** 0.5)
        self.b = nn.Parameter(torch.zeros(o))

    def forward(self, x):
        return torch.einsum("bi,io->bo", x, self.w) + self.b


def encoder():
    layers, last = [], 1
    for width in (32, 64, 128, 256):
        layers += [nn.Conv2d(last, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        last = width
    return nn.Sequential(*layers)


class HeatmapNet(nn.Module):
    def __init__(self, num_keypoints: int = 5, skip: bool = True, heatmap_size: int = 64):
        super().__init__()
        raise NotImplementedError("Task 2.3")


class RegressionNet(nn.Module):
    def __init__(self, num_keypoints: int = 5):
        super().__init__()
        self.encoder = encoder()
        self.one, self.two, self.three = Affine(256, 128), Affine(128, 64), Affine(64, 2 * num_keypoints)
        self.drop = nn.Dropout(0.5)

    def forward(self, images):
        maps = self.encoder(images)
        pooled = torch.einsum("bchw->bc", maps) / (maps.shape[2] * maps.shape[3])
        x = self.drop(self.one(pooled).relu())
        x = self.drop(self.two(x).relu())
        return self.three(x).sigmoid()
