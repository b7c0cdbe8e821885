"""The results that trainings have stored, and those of the committed reference."""

import json
from pathlib import Path
from typing import Any

from .. import runs

Study = dict[str, list[dict[str, Any]]]  # group, such as `keypoints-sigma-1` -> results by seed


def load(folder: Path = runs.RESULTS) -> tuple[Study, list[str]]:
    """The results in a folder, and names of those that other code or data than those here led to.

    Whether they are outdated is seen only where the data are drawn.

    Raises:
        FileNotFoundError: one is missing, with the command that makes it.
        ValueError: a file is damaged.
    """
    study: Study = {}
    outdated = []
    for run in runs.RUNS.values():
        path = folder / run.path.name
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: run `python -m handout.study` (hours)")
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}): delete it and run "
                             "`python -m handout.study`") from error
        study.setdefault(run.group, []).append(result)
        if (run.data / "train_annotations.json").is_file() and result["key"] != run.key():
            outdated.append(run.name)
    return study, outdated


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
