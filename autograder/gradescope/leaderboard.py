"""An optional leaderboard: accuracies of the trained networks on images that no check uses.

The questions are those of two accuracy checks, drawn for a tier of their own. They are stored
beside the references, without an answer of the solution, since nothing is compared with it.
"""

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..engine import references
from ..engine.assignment import Assignment
from ..engine.check import Question
from ..engine.sandbox.pool import Workers
from ..engine.submission import Submission

NAME = "leaderboard"


def columns(assignment: Assignment) -> dict[str, tuple[str, Callable[[Any, Any], float]]]:
    """Columns: number of the check whose question is asked -> title, and a function that measures
    an answer against the truth (`COLUMNS` of the assignment's module `leaderboard`).
    """
    found: dict[str, tuple[str, Callable[[Any, Any], float]]] = importlib.import_module(
        f"{assignment.package}.leaderboard").COLUMNS
    return found


def save(assignment: Assignment, seed: int, made: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the questions and store them beside the references in `folder`.

    Args:
        made: how the references are made.
    """
    checks = [assignment.by_number[number] for number in columns(assignment)
              if number in assignment.by_number]
    return references.save_tree(NAME, made, {
        check.number: references.stored(references.draw(check, seed, NAME, made))
        for check in checks}, folder)


def entries(submission: Submission, workers: Workers, seconds: float,
            folder: Path) -> list[dict[str, Any]]:
    """The leaderboard in the format of results.json; a network that gives no answer has 0.

    Args:
        seconds: time limit.
        folder: of the references.
    """
    _, stored = references.load_tree(NAME, folder)
    inquiry = workers.about(submission, seconds)
    rows = []
    for number, (title, measure) in columns(workers.assignment).items():
        if number not in stored:
            continue
        question = Question(**stored[number])
        answer = inquiry.ask(question, number, references.worker_seed(number)).result()
        value = 0.0
        if answer.status == "ok":
            try:
                value = float(measure(answer.value, question.truth))
            except Exception:  # the answer was forged and cannot be measured
                pass
        rows.append({"name": title, "value": round(value, 2) if math.isfinite(value) else 0.0,
                     "order": "desc"})
    return rows
