from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, Iterable, Optional

import torch
from torch import Tensor, nn


@dataclass
class RunningMean:
    steps: int = 0
    values: dict[str, float] = field(default_factory=dict)

    def add(self, losses: dict[str, Tensor]) -> None:
        self.steps += 1
        for name, loss in losses.items():
            old = self.values.get(name, 0.0)
            self.values[name] = old + (loss.item() - old) / self.steps


def _pass(step: Optional[Callable[[Tensor], None]], model: nn.Module, dataloader: Iterable, criterion: Callable, device, anchors) -> dict[str, float]:
    mean = RunningMean()
    model.train(step is not None)
    with nullcontext() if step else torch.inference_mode():
        for images, targets in dataloader:
            losses = criterion(model(images.to(device, non_blocking=True)), targets, anchors)
            if step is not None:
                step(losses["loss_total"])
            mean.add(losses)
    return mean.values


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def train_epoch(model, dataloader, criterion, optimizer, device, anchors) -> dict[str, float]:
    return _pass(partial(_step, optimizer), model, dataloader, criterion, device, anchors)


validate = partial(_pass, None)


def main(argv=None) -> int:
    return 0


if __name__ == "__main__":
    sys.exit(main())
