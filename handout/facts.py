"""What the handout's texts take from the kit: rules, points, thresholds, times, a failed check.

Each is read where it is kept: `rules.md`, the graded checks, the public references, the metrics of
the trained reference, `times.json`, the grader's own output.
"""

import html
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch

import datasets
from autograder.assignment import ASSIGNMENT
from autograder.assignment.tasks import TASKS
from autograder.engine import references
from autograder.engine.check import Check
from datasets.recipe import Recipe

from . import figures, times
from .problems import KIT
from .study.runs import RUNS

SOLUTION = KIT / "solution"
ENTRY = re.compile(r"^- \*\*(P[12]\.[\w.\-]+)\*\* ", re.M)
RECIPE = Recipe()
SIZES = datasets.shapes.SIZE_RANGES


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
            return ENTRY.sub(_rule, text)
    raise KeyError(f"{ASSIGNMENT.rules_file.name} has no section about task {task}")


def _rule(match: re.Match) -> str:
    identifier = match[1]
    return f'- <a class="rule" id="{identifier}" href="#{identifier}">{identifier}</a> '


# --- checks and points -----------------------------------------------------------------------


def number(value: float) -> str:
    """2.0 as `2`, 2.5 as `2.5`."""
    return f"{value:g}"


def points(task: str) -> float:
    """What the checks of a problem (`"1"`) or task (`"1.3"`) give together."""
    return sum(c.points for c in ASSIGNMENT.checks if c.number.startswith(f"{task}."))


def points_without_training() -> float:
    """What the checks give that look at no file in `results/`."""
    by_number = references.load(ASSIGNMENT, "public").by_number
    return sum(c.points for c in ASSIGNMENT.checks if not by_number[c.number].question.results)


def task(name: str) -> str:
    """Heading of a task, its file, and the tasks it stands on, as Markdown."""
    task = TASKS[name]
    line = ", ".join(f"`{part}`" for part in task.files)
    if task.needs:
        line += " · stands on " + _links(task.needs)
    return f"### Task {name} {task.title} ({_amount(points(name))})\n\n{line}"


def _amount(value: float) -> str:
    return f"{number(value)} point{'' if value == 1 else 's'}"


def _links(tasks: tuple[str, ...]) -> str:
    return ", ".join(f"[{name}](#task-{name})" for name in tasks)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; columns whose name ends in a colon are set flush right."""
    marks = ["---:" if name.endswith(":") else "---" for name in head]
    names = [name.rstrip(":") for name in head]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [names, marks, *rows])


def points_table() -> str:
    """Every task with its file, what it stands on, its checks and its points."""
    rows = []
    for name, task in TASKS.items():
        of_task = [c for c in ASSIGNMENT.checks if c.task_number == name]
        rows.append((f"[{name}](#task-{name}) {task.title}",
                     ", ".join(f"`{part}`" for part in task.files),
                     _links(task.needs), str(len(of_task)), number(points(name))))
    total = sum(c.points for c in ASSIGNMENT.checks)
    rows.append(("**together**", "", "", f"**{len(ASSIGNMENT.checks)}**", f"**{number(total)}**"))
    return table(("task", "file", "stands on", "checks:", "points:"), rows)


def checks_table(problem: str) -> str:
    """Every check of a problem: number, points, what it looks at, rule."""
    return table(("check", "points:", "what it looks at", "rule"),
                 [(c.number, number(c.points), _escaped(c), f"[{c.rule}](#{c.rule})")
                  for c in ASSIGNMENT.checks if c.number.startswith(f"{problem}.")])


def _escaped(check: Check) -> str:
    return re.sub(r"([*|$\[\]])", r"\\\1", check.sentence)


def follow_through_functions() -> str:
    """The functions that are answered from recorded values when a later task is graded again."""
    return ", ".join(f"`{name.split('.')[-1]}`" for task in TASKS.values()
                     for name in task.functions)


@cache
def _accuracies() -> dict[str, dict]:
    by_number = references.load(ASSIGNMENT, "public").by_number
    return {check.number: by_number[check.number].expected for check in ASSIGNMENT.checks
            if check.measured is not None}


def thresholds_table() -> str:
    """Floor and target of the trained networks on the public grading images."""
    what = {"1.14.1": "detector, mAP at IoU .5", "2.11.1": "HeatmapNet, PCK at .05",
            "2.11.2": "RegressionNet, PCK at .20"}
    points_of = {check.number: check.points for check in ASSIGNMENT.checks}
    return table(
        ("check", "measured", "no points at:", "all points from:", "the reference:", "points:"),
        [(name, what[name], f"{e['floor']:.2f}", f"{e['target']:.2f}", f"{e['reference']:.3f}",
          number(points_of[name])) for name, e in _accuracies().items()])


# --- measurements ----------------------------------------------------------------------------


def read_json(*path: str) -> dict:
    """A JSON file of the solution's results: `read_json("problem1", "metrics.json")`."""
    problem, *rest = path
    file = SOLUTION.joinpath(problem, "results", *rest)
    return json.loads(file.read_text(encoding="utf-8"))


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
    utils = figures.problem1().utils
    anchors = torch.cat(utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES))
    samples = datasets.draw(RECIPE.profile, "detection", "train", RECIPE.seed, 50)
    return sum(int(utils.match_anchors_to_targets(
        anchors, torch.tensor(s.boxes), torch.tensor(s.labels))[2].sum()) for s in samples) / 50


def epochs_to_find_peaks() -> int:
    """Epochs until the reference's HeatmapNet has half the error of answering 0 everywhere."""
    error_of_zeros = math.pi * 2.0**2 / 64**2  # the squares of a Gaussian sum to pi sigma^2
    losses = read_json("problem2", "training_log.json")["heatmap"]["val_loss"]
    return next(epoch for epoch, loss in enumerate(losses, 1) if loss < error_of_zeros / 2)


def pck_table() -> str:
    """PCK of the reference's two networks and of the mean pose."""
    names = {"heatmap": "HeatmapNet", "regression": "RegressionNet",
             "mean_pose": "the mean training pose"}
    metrics = keypoints()
    limits = list(metrics["heatmap"]["pck"])
    return table(("", *(f"PCK@{limit}:" for limit in limits)),
                 [(names[key], *(f"{metrics[key]['pck'][limit]:.3f}" for limit in limits))
                  for key in names])


def times_table() -> str:
    """What takes how long, on the machine where it was measured."""
    measured, keypoint_nets = times.load(), keypoints()
    rows = [
        ("`make datasets`, once `.venv` is there", _duration(measured["datasets"])),
        ("`make grade TASK=1.3`", _duration(measured["grade one task"])),
        ("`make grade`, everything, trained networks too", _duration(measured["grade"])),
    ]
    for name, facts in (("detector", detector()), ("HeatmapNet", keypoint_nets["heatmap"]),
                        ("RegressionNet", keypoint_nets["regression"])):
        per_epoch = measured["float32 step"][name] * measured["steps per epoch"][name]
        slow = _duration(per_epoch * facts["epochs"])
        rows.append((f"training the {name}, {facts['epochs']} epochs, with bfloat16",
                     _duration(facts["seconds"])))
        rows.append((f"the same in float32 ({_duration(per_epoch)} an epoch)", slow))
    return table(("what", "time:"), rows)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def machine() -> str:
    """Where the times were measured."""
    return times.load()["machine"]["processor"]


# --- a failed check --------------------------------------------------------------------------


def failed_check() -> str:
    """What `make grade TASK=1.3` prints when IoU divides 0 by 0: the grader's own words."""
    guard = "torch.where(union > 0, union, torch.ones_like(union))"
    with tempfile.TemporaryDirectory(prefix="handout-") as folder:
        to = Path(folder) / "problem1"
        to.mkdir()
        for path in (SOLUTION / "problem1").glob("*.py"):
            shutil.copyfile(path, to / path.name)
        utils = (to / "utils.py").read_text(encoding="utf-8")
        if guard not in utils:
            raise ValueError("solution/problem1/utils.py no longer divides as the example expects")
        (to / "utils.py").write_text(utils.replace(guard, "union"), encoding="utf-8")
        command = [sys.executable, "-m", "autograder", "grade", folder, "--only", "1.3"]
        done = subprocess.run(command, cwd=KIT, capture_output=True, text=True,
                              env={**os.environ, "COLUMNS": "88"})
    lines = done.stdout.splitlines()
    if done.returncode or not lines or "LOST" not in lines[0]:
        raise ValueError(f"the example of a failed check did not fail: {done.stdout[:300]} "
                         f"{done.stderr[-300:]}")
    until = next(i for i, line in enumerate(lines) if line.startswith(("note:", "Total", "")) and
                 i and not line.startswith(" "))
    return "<pre>" + html.escape("\n".join(lines[:until]).rstrip()) + "</pre>"
