import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from dataset import DEFAULT_DATA, KeypointDataset, split_paths
from model import HeatmapNet, RegressionNet
from runtime import choose_device, save_atomically, seed_everything, write_json

DEFAULT_RESULTS = Path(__file__).resolve().parent / "results"


class Trainer:
    lr = 1e-3

    def __init__(self, model):
        self.device = choose_device()
        self.model = model.to(self.device)
        self.loss = torch.nn.MSELoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.lr)

    def epoch(self, loader, learn):
        self.model.train(learn)
        total = count = 0
        with torch.set_grad_enabled(learn):
            for x, y in loader:
                loss = self.loss(self.model(x.to(self.device)), y.to(self.device))
                if learn:
                    self.optimizer.zero_grad()
                    loss.backward()
                    self.optimizer.step()
                total += loss.item() * len(x)
                count += len(x)
        return total / count

    def fit(self, train_loader, val_loader, num_epochs):
        log = {"train_loss": [], "val_loss": []}
        for _ in range(num_epochs):
            log["train_loss"].append(self.epoch(train_loader, True))
            log["val_loss"].append(self.epoch(val_loader, False))
        return log


class HeatmapTrainer(Trainer):
    pass


class RegressionTrainer(Trainer):
    pass


def train_heatmap_model(model, train_loader, val_loader, num_epochs=30):
    return HeatmapTrainer(model).fit(train_loader, val_loader, num_epochs)


def train_regression_model(model, train_loader, val_loader, num_epochs=30):
    return RegressionTrainer(model).fit(train_loader, val_loader, num_epochs)


def main(argv=None):
    seed_everything(0)
    DEFAULT_RESULTS.mkdir(exist_ok=True)
    logs = {}
    for name, net, fit in (("heatmap", HeatmapNet, train_heatmap_model), ("regression", RegressionNet, train_regression_model)):
        train, val = (DataLoader(KeypointDataset(*split_paths(DEFAULT_DATA, s), output_type=name), 32, shuffle=s == "train")
                      for s in ("train", "val"))
        model = net()
        logs[name] = fit(model, train, val)
        save_atomically(model.cpu().state_dict(), DEFAULT_RESULTS / f"{name}_model.pth")
        write_json(logs, DEFAULT_RESULTS / "training_log.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
