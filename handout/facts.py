"""What the handout's texts take from the kit: rules, points, thresholds, times, a failed check.

Each is read where it is kept: `rules.md`, the graded checks, the public references, the metrics of
the trained reference, `times.json`, the grader's own output.
"""

import html
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import torch

import datasets
from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import all_mistakes, make
from autograder.assignment.tasks import TASKS
from autograder.engine import references
from autograder.engine.check import Check
from datasets.recipe import Recipe

from . import times
from .problems import KIT, SOLUTION, solution
from .study.runs import RUNS

ENTRY = re.compile(r"^- \*\*(P[12]\.[\w.\-]+)\*\* ", re.M)
EXAMPLE = "iou-zero-by-zero"  # known mistake of which a failed check is shown
RECIPE = Recipe()
SIZES = datasets.shapes.SIZE_RANGES
ERROR_OF_ZEROS = math.pi * 2.0**2 / 64**2  # the squares of a Gaussian sum to pi sigma^2


# --- rules -----------------------------------------------------------------------------------


@cache
def _sections() -> dict[str, str]:
    """Heading of `rules.md` -> the text below it, without rules of the line above."""
    text = ASSIGNMENT.rules_file.read_text(encoding="utf-8")
    parts = re.split(r"^#{1,3} (.+)$", text, flags=re.M)
    return {title: text.strip() for title, text in zip(parts[1::2], parts[2::2])}


def conventions() -> str:
    """What holds for all rules, as Markdown."""
    return _sections()["The rules"]


def rules(task: str) -> str:
    """Interface and rules of a task, as Markdown; every rule can be linked to by its id.

    Raises:
        KeyError: `rules.md` has no section about the task.
    """
    for title, text in _sections().items():
        tasks = re.findall(r"\d\.\d+", title)
        if task in tasks:
            if len(tasks) > 1:  # each task with its own
                own = {check.rule for check in ASSIGNMENT.checks if check.task_number == task}
                entries = re.split(r"(?=^- \*\*)", text, flags=re.M)
                text = "".join(e for e in entries if (rule := ENTRY.match(e)) and rule[1] in own)
            linked = ENTRY.sub(r'- <a class="rule" id="\1" href="#\1">\1</a> ', text)
            return linked + _folded_hint(task)
    raise KeyError(f"{ASSIGNMENT.rules_file.name} has no section about task {task}")


def _folded_hint(task: str) -> str:
    hint = ASSIGNMENT.hints.get(task)
    summary = f"<summary>Where to look when task {task} fails</summary>"
    return f"\n\n<details>{summary}\n\n{hint}\n\n</details>" if hint else ""


# --- checks and points -----------------------------------------------------------------------


def checks(task: str) -> list[Check]:
    """The checks of a problem (`"1"`) or task (`"1.3"`)."""
    return [check for check in ASSIGNMENT.checks if check.number.startswith(f"{task}.")]


def points(task: str) -> float:
    """What these checks give together."""
    return sum(check.points for check in checks(task))


def points_without_training() -> float:
    """What the checks give that look at no file in `results/`."""
    by_number = references.load(ASSIGNMENT, "public").by_number
    return sum(c.points for c in ASSIGNMENT.checks if not by_number[c.number].question.results)


def task(name: str) -> str:
    """Heading of a task, its file, and the tasks it stands on, as Markdown."""
    task, value = TASKS[name], points(name)
    line = files(name)
    if task.needs:
        line += f" · stands on {needs(name)}"
    return f"### Task {name} {task.title} ({value:g} point{'s' * (value != 1)})\n\n{line}"


def files(task: str) -> str:
    """The files of a task, as Markdown."""
    return ", ".join(f"`{name}`" for name in TASKS[task].files)


def needs(task: str) -> str:
    """Links to the tasks that a task stands on."""
    return ", ".join(f"[{name}](#task-{name})" for name in TASKS[task].needs)


def sentence(check: Check) -> str:
    """What a check looks at, for a cell of a table."""
    return re.sub(r"([*|$\[\]])", r"\\\1", check.sentence)


def follow_through_functions() -> str:
    """The functions that are answered from recorded values when a later task is graded again."""
    return ", ".join(f"`{name.split('.')[-1]}`" for task in TASKS.values()
                     for name in task.functions)


@cache
def accuracies() -> dict[str, dict[str, float]]:
    """Floor, target and the reference's accuracy on the public grading images, by check."""
    by_number = references.load(ASSIGNMENT, "public").by_number
    return {check.number: by_number[check.number].expected for check in ASSIGNMENT.checks
            if check.accuracy is not None}


def credits(number: str, accuracy: float) -> str:
    """What an accuracy earns at a check, as a sentence."""
    check, row = ASSIGNMENT.by_number[number], accuracies()[number]
    earned = ASSIGNMENT.points.accuracy[number].credit(
        accuracy, row["floor"], row["target"], check.points)
    return (f"{accuracy:.2f} earns {earned:g} of {check.points:g} points at check {number}, whose "
            f"floor is {row['floor']:.2f} and whose target {row['target']:.2f}")


def questions() -> str:
    """The questions of the report, as Markdown."""
    text = (KIT / "starter" / "report.md").read_text(encoding="utf-8")
    return "\n".join(f"- **{name}** " + " ".join(quoted.replace("> ", "").split())
                     for name, quoted in re.findall(r"^### (Q\d)\n\n((?:> .*\n)+)", text, re.M))


# --- measurements ----------------------------------------------------------------------------


def read_json(problem: str, name: str) -> dict:
    """A JSON file of the solution's results: `read_json("problem1", "metrics.json")`."""
    return json.loads((SOLUTION / problem / "results" / name).read_text(encoding="utf-8"))


def detector() -> dict:
    """Metrics of the reference detector."""
    return read_json("problem1", "metrics.json")


def plain_detector() -> dict:
    """Metrics of the backbone with its heads and nothing else."""
    return json.loads(RUNS["detector-plain-0"].path.read_text(encoding="utf-8"))


def keypoints() -> dict:
    """Metrics of both keypoint networks and of the mean pose."""
    return read_json("problem2", "metrics.json")


@cache
def positives_per_image() -> float:
    """How many anchors of an image are positive, on the average of fifty training images."""
    utils = solution(1).utils
    anchors = torch.cat(utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES))
    samples = datasets.draw(RECIPE.profile, "detection", "train", RECIPE.seed, 50)
    return sum(int(utils.match_anchors_to_targets(
        anchors, torch.tensor(s.boxes), torch.tensor(s.labels))[2].sum()) for s in samples) / 50


def epochs_to_find_peaks() -> int:
    """Epochs until the reference's HeatmapNet has half the error of answering 0 everywhere."""
    losses = read_json("problem2", "training_log.json")["heatmap"]["val_loss"]
    return next(epoch for epoch, loss in enumerate(losses, 1) if loss < ERROR_OF_ZEROS / 2)


def milestones() -> list[tuple[str, float, float, float]]:
    """Name of each network, its validation loss at chance, after one epoch and at the end."""
    code = solution(1)
    anchors = code.utils.generate_anchors(code.utils.MAP_SIZES, code.utils.ANCHOR_SCALES)
    samples = datasets.draw(RECIPE.profile, "detection", "val", RECIPE.seed, 16)
    targets = [{"boxes": torch.tensor(s.boxes), "labels": torch.tensor(s.labels)} for s in samples]
    zeros = [torch.zeros(len(samples), 24, *size) for size in code.utils.MAP_SIZES]
    figure = datasets.draw(RECIPE.profile, "keypoints", "val", RECIPE.seed, 50)
    places = torch.stack([torch.tensor(s.keypoints) for s in figure]) / figure[0].image.shape[0]
    chance = {"detector": float(code.loss.DetectionLoss()(zeros, targets, anchors)["loss_total"]),
              "HeatmapNet": ERROR_OF_ZEROS, "RegressionNet": float(((places - 0.5) ** 2).mean())}
    logs = [read_json("problem1", "training_log.json"),
            *read_json("problem2", "training_log.json").values()]
    return [(name, loss, log["val_loss"][0], log["val_loss"][-1])
            for (name, loss), log in zip(chance.items(), logs)]


def trainings() -> list[tuple[str, dict, float]]:
    """Name, metrics, and seconds of an epoch in float32, of each network of the reference."""
    measured, nets = times.load(), keypoints()
    metrics = {"detector": detector(), "HeatmapNet": nets["heatmap"],
               "RegressionNet": nets["regression"]}
    return [(name, metrics[name], seconds * measured["steps per epoch"][name])
            for name, seconds in measured["float32 step"].items()]


def duration(seconds: float) -> str:
    """`160 s` or `4 min`: what is rounded is not far from it."""
    return f"{seconds:.0f} s" if seconds < 200 else f"{seconds / 60:.0f} min"


# --- a failed check --------------------------------------------------------------------------


def failed_check() -> str:
    """What `make grade TASK=1.3` prints of a known mistake: the grader's own words."""
    known = all_mistakes()
    for example in (known[EXAMPLE], *(each for each in known.values() if each.task == "1.3")):
        with tempfile.TemporaryDirectory(prefix="handout-") as folder:
            make(example, SOLUTION, Path(folder))
            command = [sys.executable, "-m", "autograder", "grade", folder, "--only", "1.3"]
            done = subprocess.run(command, cwd=KIT, capture_output=True, text=True,
                                  env={**os.environ, "COLUMNS": "88"})
        lines = done.stdout.splitlines()
        if not done.returncode and lines and "LOST" in lines[0]:
            break  # a correction may have made a mistake right
    else:
        raise ValueError(f"no example of a failed check fails: {done.stdout[:300]} "
                         f"{done.stderr[-300:]}")
    until = next(i for i, line in enumerate(lines[1:], 1) if not line.startswith(" "))
    return "<pre>" + html.escape("\n".join(lines[:until]).rstrip()) + "</pre>"
