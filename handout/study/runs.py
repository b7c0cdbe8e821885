"""The trainings of the study. Each is stored as JSON and done again only when code or data change.

`python -m handout.study` does what is missing, one training after another, each in a process of
its own; interrupted, it goes on with the last finished epoch.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine.digests import code_of
from datasets.constants import ANCHOR_SCALES

from ..problems import KIT

RESULTS = Path(__file__).with_name("results")
WORK = KIT / "build" / "study"  # weights and checkpoints
SEEDS = (0, 1, 2)
EPOCHS, LONG_EPOCHS = 10, 30
GIVEN = [list(scales) for scales in ANCHOR_SCALES]
# What the rules leave open and brings the loss down in as many minutes.
RECIPE: dict[str, Any] = {"batch_size": 8, "mirrored": True}
# What a result depends on, beside the settings and the data.
CODE = {"detector": ("dataset", "utils", "loss", "model", "evaluate", "train"),
        "keypoints": ("dataset", "model", "evaluate", "train")}


@dataclass(frozen=True)
class Run:
    """One training.

    Args:
        name: of the file with its results.
        kind: "detector" or "keypoints".
        profile: of the data, "standard" or "classic".
        seed: of weights and batches.
        options: what differs from the reference, see `training`.
    """

    name: str
    kind: str
    profile: str
    seed: int
    epochs: int
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The name without the seed."""
        return self.name.rsplit("-", 1)[0]

    @property
    def path(self) -> Path:
        return RESULTS / f"{self.name}.json"

    @property
    def data(self) -> Path:
        """Folder with the splits."""
        place = KIT / "datasets" if self.profile == "standard" else KIT / "datasets" / "classic"
        return place / ("detection" if self.kind == "detector" else "keypoints")

    def key(self) -> str:
        """Changes when settings, data or code do, and not when a comment or a docstring does."""
        problem = KIT / "solution" / ("problem1" if self.kind == "detector" else "problem2")
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        for module in CODE[self.kind]:
            digest.update(code_of((problem / f"{module}.py").read_bytes()))
        for split in ("train", "val"):
            digest.update((self.data / f"{split}_annotations.json").read_bytes())
        return digest.hexdigest()[:16]

    def done(self) -> bool:
        """Whether a result is stored that belongs to this code and data."""
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))["key"] == self.key()
        except (OSError, ValueError, KeyError):
            return False


def _group(kind: str, name: str, profile: str = "standard", seeds: tuple[int, ...] = SEEDS,
           epochs: int = EPOCHS, **options: Any) -> list[Run]:
    return [Run(f"{kind}-{name}-{seed}", kind, profile, seed, epochs, options)
            for seed in seeds]


RUNS = {run.name: run for group in (
    _group("keypoints", "pooling", head="pooling"),  # the assignment's RegressionNet
    _group("keypoints", "flatten", head="flatten"),
    _group("keypoints", "pooling-no-dropout", head="pooling", dropout=False),
    _group("keypoints", "flatten-no-dropout", head="flatten", dropout=False),
    _group("keypoints", "soft-argmax", head="soft-argmax"),
    _group("keypoints", "heatmap", head="heatmap"),  # one factor at a time around this one
    _group("keypoints", "size-32", head="heatmap", heatmap_size=32),
    _group("keypoints", "sigma-1", head="heatmap", sigma=1.0),
    _group("keypoints", "sigma-3", head="heatmap", sigma=3.0),
    _group("keypoints", "sigma-4", head="heatmap", sigma=4.0),
    _group("keypoints", "no-skip", head="heatmap", skip=False),
    _group("keypoints", "size-128", head="heatmap", heatmap_size=128),
    _group("keypoints", "classic", "classic", (0,), LONG_EPOCHS, head="heatmap"),
    _group("detector", "small-anchors", scales=[GIVEN[0]] * 3),
    _group("detector", "large-anchors", scales=[GIVEN[2]] * 3),
    _group("detector", "one-anchor", scales=[[24], [64], [128]]),
    _group("detector", "plain", plain=True),
    _group("detector", "standard"),
    _group("detector", "classic", "classic"),
    _group("detector", "recipe", seeds=(0,), **RECIPE),
    _group("detector", "iou-target", seeds=(0,), neg_threshold=0.5, iou_target=True, **RECIPE),
    _group("detector", "giou", seeds=(0,), neg_threshold=0.5, giou=True, **RECIPE),
) for run in group}


def missing() -> list[Run]:
    """Runs without a result of this code and data.

    Raises:
        FileNotFoundError: with the command that draws the data.
    """
    for run in RUNS.values():
        if not (run.data / "train_annotations.json").is_file():
            command = "make datasets" if run.profile == "standard" else (
                "python -m datasets generate --profile classic --out datasets/classic")
            raise FileNotFoundError(f"{run.data} holds no data: run `{command}`")
    return [run for run in RUNS.values() if not run.done()]


def work_off(threads: int | None = None) -> int:
    """Do what is missing; exit code 0, or that of the training that failed."""
    waiting = missing()
    print(f"{len(RUNS) - len(waiting)} of {len(RUNS)} trainings are done", file=sys.stderr)
    environment = dict(os.environ)
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    for number, run in enumerate(waiting, 1):
        print(f"[{number}/{len(waiting)}] {run.name}: {run.epochs} epochs", file=sys.stderr)
        code = subprocess.run([sys.executable, "-m", "handout.study.training", run.name], cwd=KIT,
                              env=environment).returncode
        if code:
            return code
    return 0
