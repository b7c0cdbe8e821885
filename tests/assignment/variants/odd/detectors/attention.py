"""Patches of 8 x 8 pixels, attention among all of them, no norm of batches."""
import torch
import torch.nn.functional as F
from torch import nn


class Attend(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x):
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(x)


class MultiScaleDetector(nn.Module):
    def __init__(self, num_classes=3, num_anchors=3):
        super().__init__()
        outputs = num_anchors * (5 + num_classes)
        self.patches = nn.Conv2d(3, 64, 8, 8)
        self.place = nn.Parameter(0.02 * torch.randn(1, 784, 64))
        self.blocks = nn.Sequential(Attend(64), Attend(64))
        self.fine, self.coarse = nn.Conv2d(3, 64, 5, 4, 2), nn.Conv2d(64, 64, 3, 2, 1)
        self.heads = nn.ModuleList(nn.Conv2d(64, outputs, 3, padding=1) for _ in range(3))

    def forward(self, x):
        tokens = self.blocks(self.patches(x).flatten(2).transpose(1, 2) + self.place)
        middle = tokens.transpose(1, 2).unflatten(2, (28, 28))
        fine = F.relu(self.fine(x)) + F.interpolate(middle, scale_factor=2, mode="bilinear")
        return [head(m) for head, m in zip(self.heads, (fine, middle, F.relu(self.coarse(middle))))]
