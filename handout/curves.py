"""How the loss falls while the detector learns eight images by heart: once as it should, and three
times with a mistake. Trained by `python -m handout curves` (minutes), kept in curves.json.
"""

import json
from pathlib import Path

FILE = Path(__file__).with_name("curves.json")
INDENT = None  # of the file: rows of numbers are long
STEPS, BATCH = 60, 8
RUNS = ("healthy", "learning rate 100 times too high", "gradients never set to zero",
        "anchors in another order")


def load() -> dict[str, list[float]]:
    """Name of a run -> `loss_total` at each step."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def measure() -> dict[str, list[float]]:
    """Train all four anew."""
    return {name: [round(loss, 4) for loss in _losses(name)] for name in RUNS}


def _losses(name: str) -> list[float]:
    import torch

    import datasets

    from . import problems

    code = problems.solution(1)
    samples = datasets.draw("standard", "detection", "train", 641, BATCH)
    images = torch.stack([torch.tensor(s.image).permute(2, 0, 1) / 255 for s in samples])
    targets = [{"boxes": torch.tensor(s.boxes), "labels": torch.tensor(s.labels)} for s in samples]
    anchors = code.utils.generate_anchors(code.utils.MAP_SIZES, code.utils.ANCHOR_SCALES)
    if name == RUNS[3]:  # all cells of a scale before the next scale
        anchors = [a.reshape(-1, 3, 4).transpose(0, 1).reshape(-1, 4) for a in anchors]
    torch.manual_seed(0)
    model = code.model.MultiScaleDetector()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1 if name == RUNS[1] else 1e-3)
    if name == RUNS[2]:
        optimizer.zero_grad = dict  # type: ignore[method-assign,assignment]
    loader, criterion, cpu = [(images, targets)], code.loss.DetectionLoss(), torch.device("cpu")
    return [code.train.train_epoch(model, loader, criterion, optimizer, cpu, anchors)["loss_total"]
            for _ in range(STEPS)]
