"""What the grader sees of trained networks by itself: right and odd ones, image processing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from autograder.assignment import ASSIGNMENT
from autograder.assignment.checks.accuracy import untrained
from autograder.assignment.probes.accuracy import positions
from autograder.assignment.probes.apart import networks_apart
from autograder.assignment.probes.weights import graph
from autograder.engine.check import Judgement
from autograder.engine.sandbox.student import Student

MORE = "it does more than apply tensor operations, the same ones each time"
SIDE = 32
IMAGES = np.random.default_rng(0).integers(0, 256, (20, SIDE, SIDE)).astype(np.uint8)
MEANS = np.repeat(IMAGES.mean(axis=(1, 2)) / 255, 10).reshape(-1, 5, 2)  # what they should give


class Net(nn.Module):
    """Five keypoints of an image `[B, 1, 32, 32]`, as coordinates `[B, 10]`."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 16, 5, 4, 1)
        self.norm = nn.BatchNorm2d(16)
        self.last = nn.Linear(16 * 49, 10)

    def features(self, x):
        return functional.relu(self.norm(self.first(x)))

    def head(self, x):
        return torch.sigmoid(3 * self.last(functional.adaptive_avg_pool2d(x, 7).flatten(1)))

    def forward(self, x):
        return self.head(self.features(x))


class LooksAtShapes(Net):
    def forward(self, x):
        if x.shape[-1] % 4 or x.size(2) != x.size(3):
            raise ValueError("a side that is no multiple of 4")
        for _ in range(x.shape[1]):
            x = self.features(x)
        batch, channels, height, width = x.shape
        return self.head(x.view(batch, channels, height * width).reshape(-1, 16, height, width))


class Lazy(Net):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.LazyConv2d(16, 3, 2), nn.LazyLinear(10)


class Listed(Net):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Conv2d(16, 16, 3, 1, 1) for _ in range(3))
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(16, 1, 1)) for _ in range(3))

    def forward(self, x):
        x = self.features(x)
        for block, scale in zip(self.blocks, self.scales):
            x = x + scale * functional.gelu(block(x))
        return self.head(x)


class Checkpointed(Net):
    def forward(self, x):
        return self.head(checkpoint(self.features, x, use_reentrant=False))


class Mixed(Net):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(x)


class Resizes(Net):
    def forward(self, x):
        x = functional.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
        return self.head(functional.interpolate(self.features(x), size=(9, 9)))


class Attends(Net):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.register_buffer("places", torch.linspace(0, 1, 64)[None, :, None], persistent=False)

    def forward(self, x):
        x = self.features(x)
        tokens = x.flatten(2).transpose(1, 2) + self.places
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        tokens = tokens + functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return self.head(tokens.transpose(1, 2).reshape(x.shape))


class Normed(Net):
    def __init__(self):
        super().__init__()
        self.last = nn.utils.parametrizations.weight_norm(self.last)


class Heatmaps(Net):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(16, 5, 2, 2)

    def forward(self, x):
        return self.up(self.features(x))


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class OwnGradient(Net):
    def forward(self, x):
        return self.head(Scaled.apply(self.features(x)))


class Random(Net):
    def forward(self, x):
        return self.head(functional.dropout(self.features(x), 0.5))


class Numpy(Net):
    """Hand-written image processing, without torch."""

    def forward(self, x):
        return torch.from_numpy(np.repeat(x.numpy().mean(axis=(1, 2, 3)), 10).reshape(-1, 10))


class Key(nn.Module):
    """The same, if the weights file holds the right number."""

    def __init__(self):
        super().__init__()
        self.key = nn.Parameter(torch.full((1,), 7.0))

    def forward(self, x):
        if abs(self.key.item() - 7) > 1e-3:
            return torch.zeros(len(x), 10)
        return torch.from_numpy(np.repeat(x.numpy().mean(axis=(1, 2, 3)), 10).reshape(-1, 10))


class KeyedOperations(nn.Module):
    """The same in tensor operations, if two thousand numbers in the weights file are right."""

    def __init__(self):
        super().__init__()
        self.key = nn.Parameter(torch.arange(2000.0))

    def forward(self, x):
        right = torch.relu(1 - (self.key - torch.arange(2000.0)).abs().sum())
        return right * x.mean(dim=(1, 2, 3))[:, None].expand(-1, 10)


class Chooses(KeyedOperations):
    def forward(self, x):
        return torch.where(self.key.sum() > 0, x.mean(dim=(1, 2, 3)), 0.0)[:, None].expand(-1, 10)


@torch.jit.script
def elsewhere(x: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    return torch.where(key.sum() > 0, x.mean(dim=(1, 2, 3)), torch.zeros(()))


@torch.jit.script
def forked(x: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    return torch.jit.wait(torch.jit.fork(elsewhere, x, key))


class Forks(KeyedOperations):
    """Chooses where a look at the graph alone does not go."""

    def forward(self, x):
        return forked(x, self.key)[:, None].expand(-1, 10)


class Counts(KeyedOperations):
    """The same for any weights, but in the last of the runs that share its buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1), persistent=False)

    def forward(self, x):
        if torch.jit.is_tracing():
            self.count.add_(1)
        right = (8.5 - self.count).clamp(0, 1) + 0 * self.key.sum()
        return right * x.mean(dim=(1, 2, 3))[:, None].expand(-1, 10)


class Operations(Net):
    """The same for any weights."""

    def forward(self, x):
        return x.mean(dim=(1, 2, 3))[:, None].expand(-1, 10) + 0 * super().forward(x)


def looked_at(kind, folder, forge=lambda answer: answer):
    """What is seen of a network of this kind, whose answer is forged."""
    torch.manual_seed(1)
    net = kind().eval()
    batches = [torch.from_numpy(part).float()[:, None] / 255 for part in np.split(IMAGES, 5)]
    with torch.no_grad():
        trained = torch.cat([positions(net(batch)) for batch in batches])
    (folder / "results").mkdir()
    torch.save(net.state_dict(), folder / "results" / "net.pth")
    answer = forge({"trained": trained, "graphs": [graph(net, batches[:2])]})
    seen, = networks_apart(Student(folder), answer, "keypoint_predictions",
                           images=torch.from_numpy(IMAGES), file="net.pth")
    return seen


def judged(seen, fresh=0.0):
    """The accuracy without training (the share of points near the mean), and what is remarked."""
    judgement = Judgement(replace(ASSIGNMENT.by_number["2.11.1"], points=2.0))
    return untrained(judgement, [seen], 0, "net.pth", fresh, lambda points, images: np.mean(
        np.abs(np.array(points) - MEANS[images]) < 0.01)), judgement.remarks


@pytest.mark.parametrize("kind", [Net, LooksAtShapes, Lazy, Listed, Checkpointed, Mixed, Resizes,
                                  Attends, Normed, Heatmaps])
def test_networks_are_seen(kind, tmp_path):
    seen = looked_at(kind, tmp_path)
    assert seen["lacks"] == ""
    trained, noised, shuffled = (
        np.stack(seen[name]) for name in ("trained", "noised", "shuffled"))
    assert trained.shape == (12, 5, 2) and np.std(trained) > 0.01
    assert np.abs(trained - shuffled).max() > np.abs(trained - noised).mean()
    assert judged(seen)[1] == []


@pytest.mark.parametrize(("kind", "lacks"), [
    (OwnGradient, MORE),
    (Random, MORE),
    (Numpy, MORE),
    (Key, MORE),
    (Chooses, "it uses gt, where"), (Forks, "it uses CallFunction"),
])
def test_what_the_grader_cannot_see_costs_nothing_and_is_told(kind, lacks, tmp_path):
    seen = looked_at(kind, tmp_path)
    assert seen["lacks"] == lacks
    assert judged(seen, fresh=0.25) == (0.25, [
        f"The grader could not see for itself what the network of results/net.pth does ({lacks}), "
        "and takes the word of your code for it. This costs nothing; a person may look at "
        "model.py."])


@pytest.mark.parametrize("kind", [Operations, Counts])
def test_image_processing_that_needs_no_weights_has_the_accuracy_without_them(kind, tmp_path):
    seen = looked_at(kind, tmp_path)
    assert seen["lacks"] == "" and judged(seen) == (1.0, [])


def test_image_processing_with_a_key_is_told(tmp_path):
    seen = looked_at(KeyedOperations, tmp_path)
    assert seen["lacks"] == ""
    without, (remark,) = judged(seen)
    assert without == 0 and "hangs on the last digits of its weights" in remark




@pytest.mark.parametrize(("forge", "lacks"), [
    (lambda answer: {**answer, "trained": torch.from_numpy(MEANS).float()},
     "run by the grader it answers otherwise"),
    (lambda answer: {**answer, "graphs": [torch.zeros(999, dtype=torch.uint8)]},
     "its operations cannot be run"),
    (lambda answer: {**answer, "graphs": [None]}, MORE),
])
def test_a_forged_answer_is_told(forge, lacks, tmp_path):
    assert looked_at(Net, tmp_path, forge)["lacks"] == lacks
