import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from dataset import ShapeDetectionDataset, collate_fn
from loss import DetectionLoss
from model import MultiScaleDetector
from runtime import choose_device, save_atomically, seed_everything, write_json
from utils import ANCHOR_SCALES, MAP_SIZES, generate_anchors

HERE = Path(__file__).resolve().parent


class Meter:
    def __init__(self):
        self.sums, self.steps = {}, 0

    def update(self, losses):
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.steps += 1

    def means(self):
        return {name: value / self.steps for name, value in self.sums.items()}


class Epoch:
    def __init__(self, model, criterion, device, anchors):
        self.model, self.criterion, self.device, self.anchors = model, criterion, device, anchors

    def losses(self, images, targets):
        images = images.to(self.device)
        targets = [{k: v.to(self.device) for k, v in t.items()} for t in targets]
        return self.criterion(self.model(images), targets, self.anchors)

    def after(self, losses):
        pass

    def prepare(self):
        self.model.eval()

    def run(self, loader):
        self.prepare()
        meter = Meter()
        for images, targets in loader:
            losses = self.losses(images, targets)
            self.after(losses)
            meter.update({k: v.detach() for k, v in losses.items()})
        return meter.means()


class TrainingEpoch(Epoch):
    def __init__(self, *args, optimizer):
        super().__init__(*args)
        self.optimizer = optimizer

    def prepare(self):
        self.model.train()

    def after(self, losses):
        self.optimizer.zero_grad()
        losses["loss_total"].backward()
        self.optimizer.step()


def train_epoch(model, dataloader, criterion, optimizer, device, anchors):
    return TrainingEpoch(model, criterion, device, anchors, optimizer=optimizer).run(dataloader)


def validate(model, dataloader, criterion, device, anchors):
    with torch.no_grad():
        return Epoch(model, criterion, device, anchors).run(dataloader)


def main(argv=None):
    seed_everything(0)
    device = choose_device()
    data = HERE.parents[1] / "datasets" / "detection"
    loaders = {s: DataLoader(ShapeDetectionDataset(data / s, data / f"{s}_annotations.json"), 16, shuffle=s == "train",
                             collate_fn=collate_fn) for s in ("train", "val")}
    anchors = [a.to(device) for a in generate_anchors(MAP_SIZES, ANCHOR_SCALES)]
    model = MultiScaleDetector().to(device)
    criterion = DetectionLoss()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    log, best = {"train_loss": [], "val_loss": []}, float("inf")
    (HERE / "results").mkdir(exist_ok=True)
    for _ in range(20):
        log["train_loss"].append(train_epoch(model, loaders["train"], criterion, optimizer, device, anchors)["loss_total"])
        log["val_loss"].append(validate(model, loaders["val"], criterion, device, anchors)["loss_total"])
        if log["val_loss"][-1] < best:
            best = log["val_loss"][-1]
            save_atomically(model.state_dict(), HERE / "results" / "best_model.pth")
        write_json(log, HERE / "results" / "training_log.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
