"""A residual network with a top-down path (FPN), heads with a prior."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvNormAct(nn.Module):
    def __init__(self, i, o, k=3, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(i, o, k, stride, k // 2, bias=False)
        self.norm = nn.BatchNorm2d(o)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.norm(self.conv(x)))


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.one = ConvNormAct(width, width // 2, 1)
        self.two = ConvNormAct(width // 2, width, 3)

    def forward(self, x):
        return x + self.two(self.one(x))


class Stage(nn.Sequential):
    def __init__(self, i, o, blocks):
        super().__init__(ConvNormAct(i, o, stride=2), *[Residual(o) for _ in range(blocks)])


class Backbone(nn.Module):
    def __init__(self, widths=(32, 64, 128, 256, 512), blocks=(1, 2, 3, 2)):
        super().__init__()
        self.stem = ConvNormAct(3, widths[0])
        self.stages = nn.ModuleList(Stage(a, b, n) for a, b, n in zip(widths, widths[1:], blocks))

    def forward(self, x):
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[1:]


class TopDown(nn.Module):
    def __init__(self, widths, out):
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(w, out, 1) for w in widths)
        self.smooth = nn.ModuleList(ConvNormAct(out, out) for _ in widths)

    def forward(self, maps):
        lateral = [l(m) for l, m in zip(self.lateral, maps)]
        for fine in range(len(lateral) - 2, -1, -1):
            lateral[fine] = lateral[fine] + F.interpolate(lateral[fine + 1], scale_factor=2, mode="nearest")
        return [s(l) for s, l in zip(self.smooth, lateral)]


class Head(nn.Module):
    """Offsets, objectness, and classes by three branches, put together anchor by anchor."""

    def __init__(self, width, num_classes, num_anchors, prior=0.01):
        super().__init__()
        self.num_classes, self.num_anchors = num_classes, num_anchors
        self.tower = ConvNormAct(width, width)
        self.box = nn.Conv2d(width, num_anchors * 4, 1)
        self.obj = nn.Conv2d(width, num_anchors, 1)
        self.cls = nn.Conv2d(width, num_anchors * num_classes, 1)
        for layer in (self.box, self.obj, self.cls):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.obj.bias, -math.log((1 - prior) / prior))

    def forward(self, x):
        x = self.tower(x)
        b, _, h, w = x.shape
        parts = [self.box(x).view(b, self.num_anchors, 4, h, w), self.obj(x).view(b, self.num_anchors, 1, h, w),
                 self.cls(x).view(b, self.num_anchors, self.num_classes, h, w)]
        return torch.cat(parts, 2).view(b, -1, h, w)


class MultiScaleDetector(nn.Module):
    def __init__(self, num_classes=3, num_anchors=3):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.9, 0.9, 0.9]).view(1, 3, 1, 1))
        self.backbone = Backbone()
        self.neck = TopDown((128, 256, 512), 128)
        self.heads = nn.ModuleList(Head(128, num_classes, num_anchors) for _ in range(3))

    def forward(self, x):
        maps = self.neck(self.backbone((x - self.mean) / 0.25))
        return [head(m) for head, m in zip(self.heads, maps)]
