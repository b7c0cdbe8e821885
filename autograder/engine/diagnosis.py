"""Name the mistake: compare wrong answers with what known mistakes answer to the same questions.

A bank of mistakes is data beside the references (`mistakes.json`, `mistakes.npz`): title,
explanation and rule of each, and its answers to the public questions of its task. A mistake that
explains every answer of a task, right ones included, is named first. Real code makes several at
once: then a mistake is named where its answer is the one that came, if no other mistake answers
like this there, and if all checks fail that it would make fail.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .assignment import load
from .compare import Wrong
from .judging import Outcome, agrees, what_went_wrong
from .messages import show
from .references import Reference, load_tree, save_tree
from .sandbox import wire
from .sandbox.channel import Answer

FILE = "mistakes"
MOST = 3  # mistakes that are named where the answer is that of several


@dataclass(frozen=True)
class Known:
    """What is told about a mistake.

    Args:
        name: unique, for example "anchors-scale-major".
        title: what the code does, to follow "your code".
        explanation: two sentences for a student: why it is wrong, and what to look at.
        rule: id of the rule that it breaks.
        task: the task that it costs.
        pair: two mistakes that it consists of, or nothing.
    """

    name: str
    title: str
    explanation: str
    rule: str
    task: str
    pair: Sequence[str] = ()


@dataclass(frozen=True)
class Diagnosis:
    """The known mistakes that answer like a submission, and what is told about them."""

    names: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Bank:
    """Known mistakes, and their wrong answers by check number and mistake.

    `digests` tells of every mistake, named here or not, what it did when it was asked. An answer
    is `{"value": ...}`, or `{"error": type and message}` where the mistake raises; questions
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
        return {"error": what_went_wrong(answer)}
    return None


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


def agreements(task: Mapping[str, Outcome], bank: Bank,
               agreeing: Callable[[Outcome, dict[str, dict[str, Any]]], set[str]],
               ) -> dict[str, set[str]]:
    """Number of each failed check -> mistakes that answer it like the submission, by `agreeing`
    (see `judging.Judge.agreeing`)."""
    return {n: agreeing(o, bank.answers.get(n, {})) for n, o in task.items() if not o.passed}


def diagnose(task: Mapping[str, Outcome], bank: Bank, agree: Mapping[str, set[str]],
             ) -> dict[str, Diagnosis]:
    """Which mistakes account for failed checks of a task, by check number; `agree` as `agreements`
    has it."""
    wrong = [n for n in agree if isinstance(task[n].error, Wrong) and n in bank.answers]
    told: dict[str, Diagnosis] = {}
    for number in wrong:
        names = [name for name in bank.answers[number] if _explains(name, task, bank, agree)]
        if names:
            told[number] = Diagnosis(tuple(names), _tell([bank.known[name] for name in names]))
    alone = {number: names for number in wrong if number not in told
             if 1 <= len(names := possible(number, task, bank, agree)) <= MOST}
    rest = [number for number in agree if number not in told and number not in alone]
    for number, names in alone.items():
        more = f" It may not be all that is wrong in {', '.join(rest)}." if rest else ""
        told[number] = Diagnosis(tuple(names), _tell([bank.known[name] for name in names]) + more)
        rest = []  # said once
    return told


def alike_apart(package: str, number: str, reference: Reference, answers: Sequence[Answer],
                ) -> list[tuple[int, str]]:
    """Which of several wrong answers to a check are the same, in a process that may be lost.

    Returns:
        for each, the place of the first one that is the same, and how that one reads.
    """
    check, found = load(package).by_number[number], []
    firsts: dict[int, tuple[Answer, dict[str, Any], str]] = {}
    for place, answer in enumerate(answers):
        stored = as_stored(answer) or {"error": answer.status}
        # A check may take anything for right where too little is expected, so ask both ways.
        first = next((other for other, (theirs, wrong, _) in firsts.items()
                      if agrees(check, reference, answer, wrong)
                      and agrees(check, reference, theirs, stored)), place)
        reads = stored["error"] if "error" in stored else show(stored["value"])
        firsts.setdefault(first, (answer, stored, reads))
        found.append((first, firsts[first][2]))
    return found


def possible(number: str, task: Mapping[str, Outcome], bank: Bank,
             agree: Mapping[str, set[str]]) -> list[str]:
    """Mistakes that answer one check like the submission, if all checks of the task fail that they
    make fail."""
    names = [name for name in bank.answers.get(number, {}) if name in agree[number]
             and all(n in agree for n in task if name in bank.answers.get(n, {}))]
    # Both mistakes of a pair are found one by one, where they show one by one.
    return [name for name in names if not bank.known[name].pair] or names


def _explains(name: str, task: Mapping[str, Outcome], bank: Bank,
              agree: Mapping[str, set[str]]) -> bool:
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
        elif outcome.passed or name not in agree[number]:
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
    titles = "; or ".join(k.title for k in known[:MOST])
    more = f"; or {len(known) - MOST} more" if len(known) > MOST else ""
    return (f"Several known mistakes answer like this: your code {titles}{more}. "
            f"All break {' or '.join(rules)}.")
