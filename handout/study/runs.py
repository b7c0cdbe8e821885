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

from datasets.constants import ANCHOR_SCALES

from ..problems import KIT

RESULTS = Path(__file__).with_name("results")
WORK = KIT / "build" / "study"  # weights and checkpoints
SEEDS = (0, 1, 2)
DETECTOR_EPOCHS, KEYPOINT_EPOCHS, LONG_EPOCHS = 10, 10, 30
GIVEN = [list(scales) for scales in ANCHOR_SCALES]
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
        """Changes when anything does that the result depends on."""
        problem = KIT / "solution" / ("problem1" if self.kind == "detector" else "problem2")
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        for module in CODE[self.kind]:
            digest.update((problem / f"{module}.py").read_bytes())
        for split in ("train", "val"):
            digest.update((self.data / f"{split}_annotations.json").read_bytes())
        return digest.hexdigest()[:16]

    def done(self) -> bool:
        """Whether a result is stored that belongs to this code and data."""
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))["key"] == self.key()
        except (OSError, ValueError, KeyError):
            return False


def _detectors() -> list[Run]:
    def run(name: str, seed: int, profile: str = "standard", **options: Any) -> Run:
        return Run(f"detector-{name}-{seed}", "detector", profile, seed, DETECTOR_EPOCHS, options)

    found = [run("small-anchors", 0, scales=[GIVEN[0]] * 3),
             run("large-anchors", 0, scales=[GIVEN[2]] * 3),
             run("one-anchor", 0, scales=[[24], [64], [128]])]
    for seed in SEEDS:
        found += [run("plain", seed, plain=True), run("standard", seed)]
    return [*found, *(run("classic", seed, "classic") for seed in SEEDS)]


def _keypoints() -> list[Run]:
    found: list[Run] = []

    def add(name: str, epochs: int = KEYPOINT_EPOCHS, profile: str = "standard",
            seeds: tuple[int, ...] = SEEDS, **options: Any) -> None:
        found.extend(Run(f"keypoints-{name}-{seed}", "keypoints", profile, seed, epochs, options)
                     for seed in seeds)

    add("pooling", head="pooling")  # the assignment's RegressionNet
    add("flatten", head="flatten")
    add("pooling-no-dropout", head="pooling", dropout=False)
    add("flatten-no-dropout", head="flatten", dropout=False)
    add("soft-argmax", head="soft-argmax")
    add("heatmap", head="heatmap")  # one factor at a time around this one
    add("size-32", head="heatmap", heatmap_size=32)
    add("sigma-1", head="heatmap", sigma=1.0)
    add("sigma-3", head="heatmap", sigma=3.0)
    add("sigma-4", head="heatmap", sigma=4.0)
    add("no-skip", head="heatmap", skip=False)
    add("size-128", head="heatmap", heatmap_size=128)
    add("classic", LONG_EPOCHS, "classic", seeds=(0,), head="heatmap")
    return found


RUNS = {run.name: run for run in [*_keypoints(), *_detectors()]}


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
