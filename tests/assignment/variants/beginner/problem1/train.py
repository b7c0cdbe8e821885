import json
import os
import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from dataset import ShapeDetectionDataset, collate_fn
from loss import DetectionLoss
from model import MultiScaleDetector
from utils import ANCHOR_SCALES, MAP_SIZES, generate_anchors

HERE = Path(__file__).resolve().parent


def train_epoch(model, dataloader, criterion, optimizer, device, anchors):
    model.train()
    sums = {}
    progress = tqdm(dataloader, desc="train")
    for images, targets in progress:
        images = images.to(device)
        for t in range(len(targets)):
            targets[t] = {"boxes": targets[t]["boxes"].to(device), "labels": targets[t]["labels"].to(device)}
        predictions = model(images)
        losses = criterion(predictions, targets, anchors)
        optimizer.zero_grad()
        losses["loss_total"].backward()
        optimizer.step()
        for key in losses:
            if key not in sums:
                sums[key] = 0.0
            sums[key] += losses[key].item()
        progress.set_postfix(loss=losses["loss_total"].item())
    for key in sums:
        sums[key] = sums[key] / len(dataloader)
    print("train:", sums)
    return sums


def validate(model, dataloader, criterion, device, anchors):
    model.eval()
    sums = {"loss_obj": 0.0, "loss_cls": 0.0, "loss_loc": 0.0, "loss_total": 0.0}
    with torch.no_grad():
        for images, targets in tqdm(dataloader, desc="val"):
            images = images.to(device)
            losses = criterion(model(images), targets, anchors)
            for key in sums:
                sums[key] += losses[key].item()
    for key in sums:
        sums[key] = sums[key] / len(dataloader)
    print("val:", sums)
    return sums


def main():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = os.path.join(HERE, "..", "..", "datasets", "detection")
    train_set = ShapeDetectionDataset(os.path.join(data, "train"), os.path.join(data, "train_annotations.json"))
    val_set = ShapeDetectionDataset(os.path.join(data, "val"), os.path.join(data, "val_annotations.json"))
    train_loader = DataLoader(train_set, batch_size=16, shuffle=True, collate_fn=collate_fn)
    val_loader = DataLoader(val_set, batch_size=16, collate_fn=collate_fn)
    anchors = generate_anchors(MAP_SIZES, ANCHOR_SCALES)
    model = MultiScaleDetector().to(device)
    criterion = DetectionLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    log = {"train_loss": [], "val_loss": []}
    os.makedirs(HERE / "results", exist_ok=True)
    best = 1e9
    for epoch in range(20):
        log["train_loss"].append(train_epoch(model, train_loader, criterion, optimizer, device, anchors)["loss_total"])
        log["val_loss"].append(validate(model, val_loader, criterion, device, anchors)["loss_total"])
        if log["val_loss"][-1] < best:
            best = log["val_loss"][-1]
            torch.save(model.state_dict(), HERE / "results" / "best_model.pth")
    with open(HERE / "results" / "training_log.json", "w") as f:
        json.dump(log, f)


if __name__ == "__main__":
    main()
