"""Name the mistake: compare wrong answers with what known mistakes answer to the same questions.

A bank of mistakes is data beside the references (`mistakes.json`, `mistakes.npz`): title,
explanation and rule of each, and its answers to the public questions of its task. A mistake is
named only if it explains every answer of the task that the submission gave, right ones included.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .check import Check
from .compare import Wrong
from .judging import Outcome, accepts
from .messages import NO_ANSWER
from .references import Reference, load_tree, save_tree
from .sandbox import wire
from .sandbox.channel import Answer

FILE = "mistakes"


@dataclass(frozen=True)
class Known:
    """What is told about a mistake.

    Args:
        name: unique, for example "anchors-scale-major".
        title: what the code does, to follow "your code".
        explanation: two sentences for a student: why it is wrong, and what to look at.
        rule: id of the rule that it breaks.
        task: the task that it costs.
    """

    name: str
    title: str
    explanation: str
    rule: str
    task: str


@dataclass(frozen=True)
class Diagnosis:
    """The known mistakes that answer like a submission, and what is told about them."""

    names: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Bank:
    """Known mistakes, and their wrong answers by check number and mistake.

    `digests` tells of every mistake, named here or not, what it did when it was asked. An answer
    is `{"value": ...}`, or `{"error": type name}` where the mistake raises; questions
    that a mistake answers rightly are not in.
    """

    known: dict[str, Known]
    answers: dict[str, dict[str, dict[str, Any]]]
    digests: dict[str, str]


def as_stored(answer: Answer) -> dict[str, Any] | None:
    """An answer as the bank keeps it; None where there is nothing to compare with."""
    if answer.status == "ok":
        return {"value": answer.value}
    if answer.status == "error":
        return {"error": _error(answer)}
    return None


def _error(answer: Answer) -> str:
    """What tells one error from another: its type; of weights and logs the kit's own sentence."""
    error = answer.error or {}
    return str(error["message"] if error["type"] == "Unusable" else error["type"])


def save_bank(bank: Bank, folder: Path) -> list[Path]:
    """Write both files."""
    made = {"known": [asdict(known) for known in bank.known.values()], "digests": bank.digests}
    return save_tree(FILE, made, bank.answers, folder)


def load_bank(folder: Path) -> Bank | None:
    """Read the bank; None where there is none, since grading works without."""
    try:
        made, answers = load_tree(FILE, folder)
        known = {entry["name"]: Known(**entry) for entry in made["known"]}
    except (OSError, ValueError, KeyError, TypeError, wire.WireError, json.JSONDecodeError):
        return None
    return Bank(known, answers, made.get("digests", {}))


def same(got: Any, expected: Any) -> bool:
    """Whether two values agree in structure, shapes and numbers (to 1e-4)."""
    if isinstance(expected, np.ndarray) or isinstance(got, np.ndarray):
        try:
            got, expected = np.asarray(got), np.asarray(expected)
            return got.shape == expected.shape and np.allclose(
                got.astype(np.float64), expected.astype(np.float64), 1e-4, 1e-6, equal_nan=True)
        except (TypeError, ValueError):
            return False
    if isinstance(expected, dict):
        return isinstance(got, dict) and set(got) == set(expected) and all(
            same(got[key], expected[key]) for key in expected)
    if isinstance(expected, (list, tuple)):
        return isinstance(got, (list, tuple)) and len(got) == len(expected) and all(
            same(a, b) for a, b in zip(got, expected))
    if isinstance(expected, float) and isinstance(got, (int, float)):
        return bool(np.isclose(got, expected, 1e-4, 1e-6, equal_nan=True))
    return type(got) is type(expected) and got == expected


def agrees(check: Check, reference: Reference, answer: Answer, stored: dict[str, Any]) -> bool:
    """Whether an answer is that of a known mistake.

    The check judges it, with the mistake's answer in the place of the solution's: so the check's
    own tolerance counts, and only what the check looks at.
    """
    if "error" in stored:
        return answer.status == "error" and _error(answer) == stored["error"]
    if answer.status in NO_ANSWER:
        return False
    # A mistake may answer in a form that the check cannot judge; then both must be the same.
    return accepts(check, reference, answer.value, stored["value"]) or same(
        answer.value, stored["value"])


def diagnose(outcomes: dict[str, Outcome], bank: Bank) -> dict[str, Diagnosis]:
    """Which mistakes account for failed checks, by check number.

    Args:
        outcomes: of the public tier, by check number.
    """
    told = {}
    for number, outcome in outcomes.items():
        if not isinstance(outcome.error, Wrong) or number not in bank.answers:
            continue
        task = {n: o for n, o in outcomes.items() if o.check.task is outcome.check.task}
        names = [name for name in bank.answers[number] if _explains(name, task, bank)]
        if names:
            told[number] = Diagnosis(tuple(names), _tell([bank.known[name] for name in names]))
    return told


def _explains(name: str, task: dict[str, Outcome], bank: Bank) -> bool:
    """Whether a mistake explains a task: what the submission answers is what the mistake answers.

    Checks of functions that the mistake does not change do not matter.
    """
    stored = {number: bank.answers.get(number, {}).get(name) for number in task}
    changed = {_asked(task[number]) for number, value in stored.items() if value is not None}
    for number, outcome in task.items():
        wrong = stored[number]
        if wrong is None:
            if not outcome.passed and _asked(outcome) in changed:
                return False
        elif outcome.passed or outcome.answer is None or not agrees(
                outcome.check, outcome.reference, outcome.answer, wrong):
            return False
    return True


def _asked(outcome: Outcome) -> str:
    """Which function of the submission a check asks."""
    return outcome.reference.question.asked


def _tell(known: list[Known]) -> str:
    """One mistake by its name; of several only what they share."""
    if len(known) == 1:
        return f"It looks as if your code {known[0].title}. {known[0].explanation}"
    rules = sorted({k.rule for k in known})
    titles = "; or ".join(k.title for k in known[:3])
    more = f"; or {len(known) - 3} more" if len(known) > 3 else ""
    return (f"Several known mistakes answer like this: your code {titles}{more}. "
            f"All break {' or '.join(rules)}.")
