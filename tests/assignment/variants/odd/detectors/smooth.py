"""Many smooth layers and average pooling: without training, an image makes little of a difference."""
import torch
import torch.nn.functional as F
from torch import nn


def smooth(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs),
                         nn.SiLU())


class MultiScaleDetector(nn.Module):
    def __init__(self, num_classes=3, num_anchors=3):
        super().__init__()
        sides, channels = [3, 16, 24, 48, 64, 96], num_anchors * (5 + num_classes)
        self.stages = nn.ModuleList(
            nn.Sequential(smooth(i, o), smooth(o, o), smooth(o, o))
            for i, o in zip(sides, sides[1:]))
        self.heads = nn.ParameterList(torch.randn(channels, c, 1, 1) / 20 for c in sides[3:])
        self.shift = nn.Parameter(torch.zeros(channels))  # a bias of another name

    def forward(self, x):
        maps = []
        for number, stage in enumerate(self.stages):
            x = stage(F.avg_pool2d(x, 2) if number else x)
            maps.append(x)
        return [F.conv2d(x, kernel, self.shift) for x, kernel in zip(maps[2:], self.heads)]
