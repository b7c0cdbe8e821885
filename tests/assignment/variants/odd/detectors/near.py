"""The course's backbone with heads that look at one cell: views of 9, 17 and 33 pixels."""
from torch import nn


def block(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs),
                         nn.ReLU())


class MultiScaleDetector(nn.Module):
    def __init__(self, num_classes=3, num_anchors=3):
        super().__init__()
        self.fine = nn.Sequential(block(3, 32, 1), block(32, 64, 2), block(64, 128, 2))
        self.middle, self.coarse = block(128, 128, 2), block(128, 128, 2)
        self.heads = nn.ModuleList(nn.Conv2d(128, num_anchors * (5 + num_classes), 1)
                                   for _ in range(3))

    def forward(self, x):
        fine = self.fine(x)
        middle = self.middle(fine)
        return [head(x) for head, x in zip(self.heads, (fine, middle, self.coarse(middle)))]
