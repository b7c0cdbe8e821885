"""Everything in float64, group norm, reflected borders, dropout; images changed in place; a tuple."""
from torch import nn


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, 2, 1, padding_mode="reflect"), nn.GroupNorm(4, o), nn.SiLU(), nn.Dropout2d(0.2))


class MultiScaleDetector(nn.Module):
    def __init__(self, num_classes=3, num_anchors=3):
        super().__init__()
        outputs = num_anchors * (5 + num_classes)
        self.stem = nn.Sequential(block(3, 16), block(16, 32))
        self.down = nn.ModuleList([block(32, 32), block(32, 48)])
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, outputs, 1)) for c in (32, 32, 48))
        self.double()

    def forward(self, x):
        maps = [self.stem(x.sub_(0.5).double())]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        return tuple(head(m) for head, m in zip(self.heads, maps))
