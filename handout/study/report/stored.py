"""The trainings as they are stored: read once, averaged over seeds, and looked at for age."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import runs

GROUPS: dict[str, list[runs.Run]] = {}  # by the name without the seed
for run in runs.RUNS.values():
    GROUPS.setdefault(run.name.rsplit("-", 1)[0], []).append(run)


@dataclass(frozen=True)
class Stored:
    """Results of trainings by name, such as `keypoints-sigma-1-0`.

    Args:
        results: what each training has written, see `study.training`.
        outdated: names of those that other code or data than those here have led to.
    """

    results: dict[str, dict]
    outdated: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Trainings of the study that have no result yet."""
        return [name for name in runs.RUNS if name not in self.results]

    def of(self, group: str) -> list[dict]:
        """Results of a group such as `keypoints-sigma-1`, by seed; those there are."""
        names = (run.name for run in GROUPS[group])
        return [self.results[name] for name in names if name in self.results]

    def has(self, *groups: str) -> bool:
        """Whether each group has a result."""
        return all(self.of(group) for group in groups)


def load(folder: Path = runs.RESULTS) -> Stored:
    """Read a folder of results.

    Whether they are outdated is seen only where the data are drawn.

    Raises:
        FileNotFoundError: there is none, with the command that makes them.
        ValueError: a file is damaged.
    """
    results, outdated = {}, []
    for run in runs.RUNS.values():
        path = folder / run.path.name
        if not path.is_file():
            continue
        try:
            results[run.name] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}): delete it and run "
                             "`python -m handout.study`") from error
        if (run.data / "train_annotations.json").is_file() and (
                results[run.name]["key"] != run.key()):
            outdated.append(run.name)
    if not results:
        raise FileNotFoundError(f"no results in {folder}: run `python -m handout.study` (hours)")
    return Stored(results, tuple(outdated))


def of_reference(problem: int) -> dict[str, dict]:
    """`metrics` and `training_log` of the committed reference of a problem.

    Raises:
        FileNotFoundError: these or the weights are missing, with the command that makes them.
        ValueError: a file is damaged.
    """
    folder = runs.KIT / "solution" / f"problem{problem}" / "results"
    weights = {1: ("best_model",), 2: ("heatmap_model", "regression_model")}[problem]
    for path in (*(folder / f"{name}.pth" for name in weights), folder / "metrics.json",
                 folder / "training_log.json"):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: run `make train PROBLEM={problem}`")
    return {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("metrics", "training_log")}


def spread(values: list[float]) -> tuple[float, float, float]:
    """Mean, lowest and highest of a few values."""
    return float(np.mean(values)), min(values), max(values)
