import sys
from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent


class Averages(OrderedDict):
    """Running averages."""

    def __init__(self):
        super().__init__()
        self._count = 0

    def update_with(self, losses):
        self._count += 1
        for name, value in losses.items():
            value = value.detach().double().cpu().numpy()
            self[name] = self.get(name, 0.0) * (self._count - 1) / self._count + float(value) / self._count


def to_device(targets, device):
    return [{name: value.to(device) for name, value in target.items()} for target in targets]


def train_epoch(model, dataloader, criterion, optimizer, device, anchors, scheduler=None, max_norm=10.0):
    model = model.to(device).train()
    anchors = [a.to(device) for a in anchors]
    averages = Averages()
    for images, targets in dataloader:
        images = images.to(device)
        losses = criterion(model(images), to_device(targets, device), anchors)
        for parameter in model.parameters():
            parameter.grad = None
        losses["loss_total"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        averages.update_with(losses)
    averages["lr"] = optimizer.param_groups[0]["lr"]
    return averages


def validate(model, dataloader, criterion, device, anchors):
    was_training = model.training
    model.eval()
    averages = Averages()
    with torch.inference_mode():
        for images, targets in dataloader:
            averages.update_with(criterion(model(images.to(device)), to_device(targets, device), [a.to(device) for a in anchors]))
    model.train(was_training)
    return averages


def main(argv=None):
    """As in the others."""
    return 0


if __name__ == "__main__":
    sys.exit(main())
