"""Task 1.11: an epoch of training and one of validation."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

SMALL = {"feature_map_sizes": [(4, 4), (2, 2)], "anchor_scales": [[8, 12], [16, 24]],
         "image_size": 32}
CPU = torch.device("cpu")


class TinyDetector(nn.Module):
    """Maps of 4 x 4 and 2 x 2 cells from 32 x 32 pixels, two anchors each."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 8, stride=8), nn.BatchNorm2d(32), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(32, 32, 2, stride=2), nn.BatchNorm2d(32), nn.ReLU())
        self.heads = nn.ModuleList(nn.Conv2d(32, 16, 1) for _ in range(2))

    def forward(self, images):
        fine = self.stem(images)
        return [self.heads[0](fine), self.heads[1](self.down(fine))]


@pytest.fixture
def squares(problem1):
    """(loader, anchors): one black square of 8 or 16 pixels in each of eight images, and an
    empty image."""
    items = []
    for index in range(8):
        side, x, y = (8, 16)[index % 2], 4 * (index % 4), 2 * index
        image = torch.ones(3, 32, 32)
        image[:, y : y + side, x : x + side] = 0
        box = torch.tensor([[x, y, x + side, y + side]], dtype=torch.float32)
        items.append((image, {"boxes": box, "labels": torch.tensor([index % 2])}))
    items.append((torch.ones(3, 32, 32), {"boxes": torch.zeros(0, 4),
                                          "labels": torch.zeros(0, dtype=torch.int64)}))
    loader = DataLoader(items, batch_size=4, collate_fn=problem1.dataset.collate_fn)
    return loader, problem1.utils.generate_anchors(**SMALL)


def test_training_lowers_every_loss(problem1, squares):
    loader, anchors = squares
    torch.manual_seed(0)
    model = TinyDetector().eval()
    criterion, optimizer = problem1.loss.DetectionLoss(), torch.optim.Adam(model.parameters(), 0.01)
    history = [problem1.train.train_epoch(model, loader, criterion, optimizer, CPU, anchors)
               for _ in range(25)]
    assert all(module.training for module in model.modules())
    for name in ("loss_obj", "loss_cls", "loss_loc", "loss_total"):
        assert type(history[0][name]) is float
        assert history[-1][name] < 0.5 * history[0][name]


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


def test_validation_changes_neither_weights_nor_statistics(problem1, squares):
    loader, anchors = squares
    model = TinyDetector().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    validate, criterion = problem1.train.validate, problem1.loss.DetectionLoss()
    first = validate(model, loader, criterion, CPU, anchors)
    assert validate(model, loader, criterion, CPU, anchors) == first
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
