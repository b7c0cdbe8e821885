import torch
import torch.nn as nn
import torch.nn.functional as F


class HeatmapNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 128, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(128)
        self.conv4 = nn.Conv2d(128, 256, 3, padding=1)
        self.bn4 = nn.BatchNorm2d(256)
        self.pool = nn.MaxPool2d(2)
        self.up1 = nn.ConvTranspose2d(256, 128, 2, stride=2)
        self.bn5 = nn.BatchNorm2d(128)
        self.up2 = nn.ConvTranspose2d(256, 64, 2, stride=2)
        self.bn6 = nn.BatchNorm2d(64)
        self.up3 = nn.ConvTranspose2d(128, 32, 2, stride=2)
        self.bn7 = nn.BatchNorm2d(32)
        self.final = nn.Conv2d(32, num_keypoints, 1)

    def forward(self, images):
        e1 = self.pool(F.relu(self.bn1(self.conv1(images))))
        e2 = self.pool(F.relu(self.bn2(self.conv2(e1))))
        e3 = self.pool(F.relu(self.bn3(self.conv3(e2))))
        e4 = self.pool(F.relu(self.bn4(self.conv4(e3))))
        d = F.relu(self.bn5(self.up1(e4)))
        d = torch.cat([d, e3], dim=1)
        d = F.relu(self.bn6(self.up2(d)))
        d = torch.cat([d, e2], dim=1)
        d = F.relu(self.bn7(self.up3(d)))
        return self.final(d)


class RegressionNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 128, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(128)
        self.conv4 = nn.Conv2d(128, 256, 3, padding=1)
        self.bn4 = nn.BatchNorm2d(256)
        self.fc1 = nn.Linear(256, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 2 * num_keypoints)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = F.max_pool2d(F.relu(self.bn3(self.conv3(x))), 2)
        x = F.max_pool2d(F.relu(self.bn4(self.conv4(x))), 2)
        x = x.mean(dim=(2, 3))
        x = F.dropout(F.relu(self.fc1(x)), 0.5, training=self.training)
        x = F.dropout(F.relu(self.fc2(x)), 0.5, training=self.training)
        return torch.sigmoid(self.fc3(x))
