"""One mistake costs one task: a check that fails after a wrong earlier task is graded again.

In the second run the functions of the wrong earlier tasks are answered from what the solution's
functions gave on the very inputs of the check (`sandbox.recording`).
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from .assignment import Assignment
from .check import Check
from .compare import Wrong
from .judging import NoAnswer, Outcome
from .messages import functions as called_of
from .messages import tasks
from .references import Reference
from .sandbox.channel import Answer

Judging = Callable[[Check, str, Reference, Answer], Outcome]


def follow_through(outcomes: Iterable[Outcome], wrong: set[str], assignment: Assignment,
                   ask: "Callable[[Outcome, dict[str, Any]], Future[Answer]]",
                   judge: Judging) -> Iterator[Outcome]:
    """Grade checks of one task again where earlier tasks are `wrong`; yields what changes.
    `ask(outcome, earlier)` puts the check's question once more."""
    again = []
    for outcome in outcomes:
        if not _may_follow(outcome):
            continue
        needs = [assignment.tasks[need] for need in outcome.check.task.needs if need in wrong]
        known = {name: table for name, table in outcome.reference.earlier.items()
                 if any(name in need.functions for need in needs)}
        if known:
            functions = {need.number: need.functions for need in needs
                         if any(name in known for name in need.functions)}
            again.append((outcome, ask(outcome, {"answer": known}), functions))
    for outcome, future, functions in again:
        changed = _second(outcome, future, functions, assignment, judge)
        if changed is not None:
            yield changed


def _may_follow(outcome: Outcome) -> bool:
    answer = outcome.answer
    if not isinstance(outcome.error, Wrong) or answer is None or answer.status == "budget":
        return False
    # An unwritten function names its own task; right earlier functions would not help it.
    error = answer.error or {}
    return not (error.get("type") == "NotImplementedError"
                and error["message"].startswith(f"Task {outcome.check.task_number} "))


def _second(outcome: Outcome, future: "Future[Answer]", functions: dict[str, tuple[str, ...]],
            assignment: Assignment, judge: Judging) -> Outcome | None:
    """The outcome of the second run, or None where the first one stands."""
    try:
        answer = future.result()
    except Exception as failure:  # the workers broke; points must not be lost for that
        return replace(outcome, answer=None, error=failure)
    if answer.status in ("timeout", "waited", "hung"):
        return None
    if answer.status == "budget":  # whether it would have got points is not known
        return judge(outcome.check, outcome.tier, outcome.reference, answer)
    stood_in = tuple(functions)
    if answer.error is not None and answer.error["type"] == "Unrecorded":
        why = (f"{outcome.error}\nThis may follow from {tasks(stood_in, assignment)}, but could "
               f"not be graded again with its right values: {answer.error['message']}.")
        return replace(outcome, error=NoAnswer(why) if isinstance(outcome.error, NoAnswer)
                       else Wrong(why))
    second = judge(outcome.check, outcome.tier, outcome.reference, answer)
    if answer.status == "ok":
        stood_in = tuple(need for need, names in functions.items()
                         if any(name in second.called for name in names))
        if not stood_in and (outcome.answer is None or outcome.answer.status != "hung"):
            if isinstance(outcome.error, NoAnswer):
                return None  # nothing came from the record: the first run was the same
            why = (f"{outcome.error}\nIf your code shares more with {tasks(functions, assignment)} "
                   f"than calls of {called_of(functions, assignment)}, look there first.")
            return replace(outcome, error=Wrong(why))
    return replace(second, stood_in=stood_in)
