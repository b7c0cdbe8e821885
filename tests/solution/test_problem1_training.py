"""Task 1.11: an epoch of training and one of validation, on numbers that one can follow."""

import pytest
import torch
from torch import nn

pytestmark = pytest.mark.proof

CPU = torch.device("cpu")


class OneNumber(nn.Module):
    """Its output is its only parameter, and it notes in which mode it ran."""

    def __init__(self):
        super().__init__()
        self.number = nn.Parameter(torch.tensor(0.0))
        self.modes = []

    def forward(self, images):
        self.modes.append((self.training, torch.is_grad_enabled()))
        return self.number + 0 * images.sum()


def weighted(predictions, targets, anchors):
    """A loss with the gradient of the target; `anchors` is a further loss."""
    return {"loss_total": predictions * targets[0], "other": anchors + targets[0]}


NUMBERS = [(torch.zeros(1), [torch.tensor(value)]) for value in (1.0, 2.0, 6.0)]


def test_one_step_per_batch_with_its_own_gradient(problem1):
    model = OneNumber()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    losses = problem1.train.train_epoch(model, NUMBERS, weighted, optimizer, CPU, torch.tensor(5.0))
    # Steps of -1, -2 and -6. Losses before them: 0 * 1, -1 * 2, -3 * 6; mean -20 / 3.
    assert model.number.item() == -9
    assert losses == pytest.approx({"loss_total": -20 / 3, "other": 8})
    assert model.modes == [(True, True)] * 3


def test_validation_averages_without_learning(problem1):
    model = OneNumber()
    model.number.data.fill_(2.0)
    losses = problem1.train.validate(model, NUMBERS, weighted, CPU, torch.tensor(5.0))
    assert losses == pytest.approx({"loss_total": 6, "other": 8})
    assert all(type(value) is float for value in losses.values())
    assert model.modes == [(False, False)] * 3
    assert model.number.item() == 2 and model.number.grad is None
