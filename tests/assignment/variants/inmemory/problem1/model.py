import torch
import torch.nn as nn
import torch.nn.functional as F


def block(i, o, stride=1, dilation=1):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride, dilation, dilation, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class MultiScaleDetector(nn.Module):
    """One shared head on all maps, context by dilation and by global pooling."""

    def __init__(self, num_classes=3, num_anchors=3, **unused):
        super().__init__()
        self.body = nn.ModuleDict({
            "c1": nn.Sequential(block(3, 32), block(32, 64, 2)),
            "c2": block(64, 128, 2),
            "c3": block(128, 256, 2),
            "c4": nn.Sequential(block(256, 512, 2), block(512, 512, dilation=2), block(512, 512, dilation=4)),
        })
        self.lateral = nn.ModuleList([nn.Conv2d(c, 96, 1) for c in (128, 256, 512)])
        self.context = nn.Linear(512, 96)
        self.head = nn.Sequential(block(96, 96), nn.Conv2d(96, num_anchors * (5 + num_classes), 1))
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        x = self.body["c1"](2 * x - 1)
        maps = []
        for name in ("c2", "c3", "c4"):
            x = self.body[name](x)
            maps.append(x)
        pooled = self.context(F.adaptive_avg_pool2d(x, 1).flatten(1))[:, :, None, None]
        p = [t(m) + pooled for t, m in zip(self.lateral, maps)]
        p[1] = p[1] + F.interpolate(p[2], size=p[1].shape[-2:], mode="bilinear", align_corners=False)
        p[0] = p[0] + F.interpolate(p[1], size=p[0].shape[-2:], mode="bilinear", align_corners=False)
        return [s * self.head(m) for s, m in zip(self.scale, p)]
