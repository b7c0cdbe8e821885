"""How long the students' commands take: measured by `python -m handout times`, kept in times.json.

Seconds are CPU seconds: of the whole process tree where a command is measured, of one thread where
a training step is.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import problems

FILE = Path(__file__).with_name("times.json")
INDENT = 2  # of the file
STEPS = 5
BATCH = {"detector": 16, "HeatmapNet": 32, "RegressionNet": 32}


def load() -> dict:
    """What was measured."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def measure() -> dict:
    """Measure everything anew; takes minutes."""
    import torch

    from datasets.recipe import Recipe

    torch.set_num_threads(1)
    problem1 = problems.solution(1)
    grade = "-m", "autograder", "grade", str(problems.SOLUTION)
    with tempfile.TemporaryDirectory() as folder:
        data, work = Path(folder, "datasets"), Path(folder, "work")
        found = {"datasets": _cpu_seconds("-m", "datasets", "generate", "--out", str(data)),
                 "grade one task": _cpu_seconds(*grade, "--only", "1.3"),
                 "grade": _cpu_seconds(*grade)}
        shutil.copytree(problems.SOLUTION, work)
        shutil.copy(problems.KIT / "starter" / "report.py", work)
        found["report"] = _cpu_seconds(str(work / "report.py"), "--overwrite", "--data", str(data))
    return found | {
        "float32 step": _steps(problem1, problems.solution(2)),
        "steps per epoch": {name: -(-Recipe().train // size) for name, size in BATCH.items()},
        "machine": problem1.runtime.describe_machine(torch.device("cpu")),
    }


def _cpu_seconds(*arguments: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, *arguments], cwd=problems.KIT, check=True,
                   stdout=subprocess.DEVNULL)
    after = os.times()
    return round(after.children_user + after.children_system
                 - before.children_user - before.children_system, 1)


def _steps(problem1, problem2) -> dict[str, float]:
    """Seconds of one training step in float32: the median of a few, after one to warm up."""
    import torch
    from torch.nn import functional

    import datasets

    anchors = problem1.utils.generate_anchors(problem1.utils.MAP_SIZES,
                                              problem1.utils.ANCHOR_SCALES)
    samples = datasets.draw("standard", "detection", "train", 641, BATCH["detector"])
    targets = [{"boxes": torch.tensor(s.boxes), "labels": torch.tensor(s.labels)} for s in samples]
    criterion = problem1.loss.DetectionLoss()
    cases = {
        "detector": (problem1.model.MultiScaleDetector(), (3, 224, 224),
                     lambda maps: criterion(maps, targets, anchors)["loss_total"]),
        "HeatmapNet": (problem2.model.HeatmapNet(), (1, 128, 128),
                       lambda maps: functional.mse_loss(maps, torch.zeros_like(maps))),
        "RegressionNet": (problem2.model.RegressionNet(), (1, 128, 128),
                          lambda points: functional.mse_loss(points, torch.zeros_like(points))),
    }
    seconds = {}
    for name, (model, shape, loss_of) in cases.items():
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        images, times = torch.rand(BATCH[name], *shape), []
        for _ in range(STEPS + 1):
            begin = time.process_time()
            loss = loss_of(model(images))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            times.append(time.process_time() - begin)
        seconds[name] = round(sorted(times[1:])[STEPS // 2], 3)
    return seconds
