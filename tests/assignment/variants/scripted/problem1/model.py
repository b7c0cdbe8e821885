from __future__ import annotations

from dataclasses import dataclass
from typing import List

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    num_classes: int = 3
    num_anchors: int = 3
    widths: tuple[int, ...] = (32, 64, 128, 256, 512)

    @property
    def channels(self) -> int:
        return self.num_anchors * (5 + self.num_classes)


def conv_block(i: int, o: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, 3, stride=stride, padding=1), nn.GroupNorm(8, o), nn.LeakyReLU(0.1))


class MultiScaleDetector(nn.Module):
    def __init__(self, num_classes: int = 3, num_anchors: int = 3) -> None:
        super().__init__()
        config = Config(num_classes, num_anchors)
        w = config.widths
        self.stem = torch.jit.script(nn.Sequential(conv_block(3, w[0]), conv_block(w[0], w[1], 2)))
        self.stages = nn.ModuleList([conv_block(i, o, 2) for i, o in zip(w[1:], w[2:])])
        self.heads = nn.ModuleList([nn.Sequential(nn.Conv2d(o, o // 2, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.1),
                                                  nn.Conv2d(o // 2, config.channels, 1)) for o in w[2:]])

    def forward(self, x: Tensor) -> List[Tensor]:
        x = self.stem(x)
        out: List[Tensor] = []
        for stage, head in zip(self.stages, self.heads):
            x = stage(x)
            out.append(head(x))
        return out
