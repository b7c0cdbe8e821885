import sys
from pathlib import Path

import torch

from runtime import choose_device

DEFAULT_RESULTS = Path(__file__).resolve().parent / "results"


class History(dict):
    def __init__(self):
        super().__init__(train_loss=[], val_loss=[])


def fit(model, train_loader, val_loader, num_epochs):
    device = choose_device()
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, num_epochs))
    history = History()
    for _ in range(num_epochs):
        model.train()
        mean = seen = 0
        for images, targets in train_loader:
            images, targets = images.to(device), targets.to(device)
            loss = (model(images) - targets).pow(2).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            seen += len(images)
            mean += (loss.item() - mean) * len(images) / seen
        scheduler.step()
        history["train_loss"].append(mean)
        history["val_loss"].append(measure(model, val_loader, device))
    return history


def measure(model, loader, device):
    model.eval()
    squares = numbers = 0
    with torch.inference_mode():
        for images, targets in loader:
            error = model(images.to(device)) - targets.to(device)
            squares += error.square().sum(dtype=torch.float64).item()
            numbers += error.numel()
    return squares / numbers


def train_heatmap_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None, run=None):
    return fit(model, train_loader, val_loader, num_epochs)


train_regression_model = train_heatmap_model


def main(argv=None):
    return 0


if __name__ == "__main__":
    sys.exit(main())
