"""The course's backbone as it is drawn on the handout, and nothing more."""

import torch.nn as nn


class MultiScaleDetector(nn.Module):
    def __init__(self, num_classes=3, num_anchors=3):
        super().__init__()

        def block(i, o, s):
            return nn.Sequential(nn.Conv2d(i, o, 3, s, 1), nn.BatchNorm2d(o), nn.ReLU())

        def head(i):
            return nn.Sequential(nn.Conv2d(i, i, 3, padding=1), nn.ReLU(),
                                 nn.Conv2d(i, num_anchors * (5 + num_classes), 1))

        self.block1 = nn.Sequential(block(3, 32, 1), block(32, 64, 2))
        self.block2, self.block3, self.block4 = (
            block(64, 128, 2), block(128, 256, 2), block(256, 512, 2))
        self.head1, self.head2, self.head3 = head(128), head(256), head(512)

    def forward(self, x):
        f1 = self.block2(self.block1(x))
        f2 = self.block3(f1)
        f3 = self.block4(f2)
        return [self.head1(f1), self.head2(f2), self.head3(f3)]
