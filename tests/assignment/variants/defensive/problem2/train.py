import sys

import torch
import torch.nn as nn

from runtime import choose_device


def _evaluate(model, loader, device):
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for images, targets in loader:
            out = model(images.to(device=device, dtype=torch.float32))
            targets = targets.to(device)
            assert out.shape == targets.shape
            total += float(((out.double() - targets.double()) ** 2).sum())
            count += out.numel()
    assert count > 0
    return total / count


def _train(model, train_loader, val_loader, num_epochs):
    assert isinstance(model, nn.Module) and num_epochs >= 0
    device = choose_device()
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.999), weight_decay=0)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1.0 if epoch < 0.8 * num_epochs else 0.1)
    log = {"train_loss": [], "val_loss": []}
    for epoch in range(num_epochs):
        model.train()
        total, count = 0.0, 0
        for images, targets in train_loader:
            images, targets = images.to(device), targets.to(device)
            optimizer.zero_grad()
            out = model(images)
            assert out.shape == targets.shape, (out.shape, targets.shape)
            loss = nn.functional.mse_loss(out, targets)
            if not torch.isfinite(loss):
                raise RuntimeError("the loss is not finite")
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * out.numel()
            count += out.numel()
        warm.step()
        log["train_loss"].append(total / count)
        log["val_loss"].append(_evaluate(model, val_loader, device))
    assert len(log["train_loss"]) == len(log["val_loss"]) == num_epochs
    return log


def train_heatmap_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None, run=None):
    return _train(model, train_loader, val_loader, num_epochs)


def train_regression_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None, run=None):
    return _train(model, train_loader, val_loader, num_epochs)


def main(argv=None):
    return 0


if __name__ == "__main__":
    sys.exit(main())
