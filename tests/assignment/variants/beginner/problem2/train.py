import json
import os
from pathlib import Path

import torch
import torch.nn as nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from dataset import DEFAULT_DATA, KeypointDataset, split_paths
from model import HeatmapNet, RegressionNet

DEFAULT_RESULTS = Path(__file__).resolve().parent / "results"


def train_heatmap_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None, run=None):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device)
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    train_losses = []
    val_losses = []
    for epoch in range(num_epochs):
        model.train()
        total = 0.0
        n = 0
        for images, targets in tqdm(train_loader):
            images = images.to(device)
            targets = targets.to(device)
            optimizer.zero_grad()
            outputs = model(images)
            loss = criterion(outputs, targets)
            loss.backward()
            optimizer.step()
            total += loss.item() * images.size(0)
            n += images.size(0)
        train_losses.append(total / n)
        model.eval()
        total = 0.0
        n = 0
        with torch.no_grad():
            for images, targets in val_loader:
                images = images.to(device)
                targets = targets.to(device)
                loss = criterion(model(images), targets)
                total += loss.item() * images.size(0)
                n += images.size(0)
        val_losses.append(total / n)
        print("Epoch", epoch + 1, "train", train_losses[-1], "val", val_losses[-1])
    return {"train_loss": train_losses, "val_loss": val_losses}


def train_regression_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None, run=None):
    # the same thing
    return train_heatmap_model(model, train_loader, val_loader, num_epochs, checkpoint, run)


def main():
    os.makedirs(DEFAULT_RESULTS, exist_ok=True)
    log = {}
    for name in ["heatmap", "regression"]:
        train_set = KeypointDataset(*split_paths(DEFAULT_DATA, "train"), output_type=name)
        val_set = KeypointDataset(*split_paths(DEFAULT_DATA, "val"), output_type=name)
        train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
        val_loader = DataLoader(val_set, batch_size=32)
        if name == "heatmap":
            model = HeatmapNet()
            log[name] = train_heatmap_model(model, train_loader, val_loader)
        else:
            model = RegressionNet()
            log[name] = train_regression_model(model, train_loader, val_loader)
        torch.save(model.state_dict(), DEFAULT_RESULTS / (name + "_model.pth"))
    with open(DEFAULT_RESULTS / "training_log.json", "w") as f:
        json.dump(log, f)


if __name__ == "__main__":
    main()
