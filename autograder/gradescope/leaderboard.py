"""An optional leaderboard: accuracies of the trained networks on images that no check uses.

The questions are those of two accuracy checks, drawn for a tier of their own. They are stored
beside the references, without an answer of the solution, since nothing is compared with it.
"""

import contextlib
import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..engine import references
from ..engine.assignment import Assignment, load
from ..engine.check import Question
from ..engine.sandbox.bounded import Fault, OutOfBounds
from ..engine.sandbox.channel import Answer
from ..engine.sandbox.pool import Workers
from ..engine.submission import Submission

NAME = "leaderboard"


def columns(assignment: Assignment) -> dict[str, tuple[str, Callable[[Any, Any], float]]]:
    """Columns: number of the check whose question is asked -> title, and a function that measures
    an answer against the truth (`COLUMNS` of the assignment's module `leaderboard`)."""
    found: dict[str, tuple[str, Callable[[Any, Any], float]]] = importlib.import_module(
        f"{assignment.package}.leaderboard").COLUMNS
    return found


def save(assignment: Assignment, seed: int, made: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the questions and store them beside the references in `folder`."""
    checks = [assignment.by_number[number] for number in columns(assignment)
              if number in assignment.by_number]
    return references.save_tree(NAME, made, {
        check.number: references.stored(references.draw(check, seed, NAME, made))
        for check in checks}, folder)


def entries(submission: Submission, workers: Workers, seconds: float,
            folder: Path) -> list[dict[str, Any]]:
    """The leaderboard in the format of results.json, within so many seconds, of the questions in
    `folder`; a network that gives no answer has 0."""
    made, stored = references.load_tree(NAME, folder)
    seed = references.worker_seed(made, submission.digest())
    inquiry = workers.about(submission, seconds)
    rows = []
    for number, (title, _) in columns(workers.assignment).items():
        if number not in stored:
            continue
        question = Question(**stored[number])
        task = workers.assignment.by_number[number].task_number
        answer = inquiry.ask(question, task, seed).result()
        value = 0.0
        if answer.status == "ok":
            # An answer that was forged may keep whoever measures it busy, or make it raise.
            with contextlib.suppress(OutOfBounds, Fault):
                value = workers.bounded.call(f"{__name__}.measured", workers.assignment.package,
                                             number, answer, question.truth)
        rows.append({"name": title, "value": round(value, 2) if math.isfinite(value) else 0.0,
                     "order": "desc"})
    return rows


def measured(package: str, number: str, answer: Answer, truth: Any) -> float:
    """The value of the column with this number, in a process that may be lost."""
    return float(columns(load(package))[number][1](answer.value, truth))
