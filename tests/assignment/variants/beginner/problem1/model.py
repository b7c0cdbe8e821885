import torch.nn as nn
import torch.nn.functional as F


class MultiScaleDetector(nn.Module):
    def __init__(self, num_classes=3, num_anchors=3):
        super().__init__()
        out = num_anchors * (5 + num_classes)
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 128, 3, stride=2, padding=1)
        self.bn3 = nn.BatchNorm2d(128)
        self.conv4 = nn.Conv2d(128, 256, 3, stride=2, padding=1)
        self.bn4 = nn.BatchNorm2d(256)
        self.conv5 = nn.Conv2d(256, 512, 3, stride=2, padding=1)
        self.bn5 = nn.BatchNorm2d(512)
        self.head1a = nn.Conv2d(128, 128, 3, padding=1)
        self.head1b = nn.Conv2d(128, out, 1)
        self.head2a = nn.Conv2d(256, 256, 3, padding=1)
        self.head2b = nn.Conv2d(256, out, 1)
        self.head3a = nn.Conv2d(512, 512, 3, padding=1)
        self.head3b = nn.Conv2d(512, out, 1)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))
        out1 = self.head1b(F.relu(self.head1a(x)))
        x = F.relu(self.bn4(self.conv4(x)))
        out2 = self.head2b(F.relu(self.head2a(x)))
        x = F.relu(self.bn5(self.conv5(x)))
        out3 = self.head3b(F.relu(self.head3a(x)))
        return [out1, out2, out3]
