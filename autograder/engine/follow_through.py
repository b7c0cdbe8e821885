"""One mistake costs one task: a check that fails after a wrong earlier task is graded again.

In the second run the wrong functions of earlier tasks are answered from what the solution's
functions gave on the very inputs of the check (`sandbox.recording`). A submission may have changed
some of them together with the code that calls them; so where the right values of all do not help,
those of some are tried.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from typing import Any

from .assignment import Assignment
from .check import Check
from .compare import OF_FORM, Wrong
from .judging import NoAnswer, Outcome
from .messages import functions as called_of
from .messages import tasks
from .references import Reference
from .sandbox.channel import Answer

Judging = Callable[[Check, str, Reference, Answer], Outcome]
Asking = Callable[[Outcome, dict[str, Any]], "Future[Answer]"]
ENDED = "timeout", "waited", "hung"  # statuses of code that had to be ended
Tables = dict[str, dict[str, Any]]  # task -> its wrong functions, and what is recorded of each


def follow_through(outcomes: Iterable[Outcome], wrong: set[str], assignment: Assignment,
                   ask: Asking, judge: Judging) -> Iterator[Outcome]:
    """Grade checks of one task again where earlier functions are `wrong`; yields what changes.
    `ask(outcome, earlier)` puts the check's question once more."""
    again = [(outcome, tables, _ask(outcome, tables, ask))
             for outcome in filter(_may_follow, outcomes)
             if (tables := _tables(outcome, wrong, assignment))]
    for outcome, tables, future in again:
        try:
            changed = _second(outcome, future, tables, assignment, ask, judge)
        except Exception as failure:  # the workers broke; points must not be lost for that
            changed = replace(outcome, answer=None, error=failure)
        if changed is not None:
            yield changed


def use_others(outcomes: Iterable[Outcome], assignment: Assignment, ask: Asking,
               judge: Judging) -> Iterator[Outcome]:
    """Grade checks again that raise: earlier functions may be right, and give what these cannot
    use, such as an array for tensors. Yields those that pass with values of the record."""
    again = [(outcome, tables, _ask(outcome, tables, ask)) for outcome in outcomes
             if _may_follow(outcome) and _raised(outcome) and not outcome.stood_in
             and (tables := _tables(outcome, None, assignment))]
    for outcome, tables, future in again:
        with suppress(Exception):  # the workers broke: the first outcome stands
            second = judge(outcome.check, outcome.tier, outcome.reference, future.result())
            used = _used(second, tables)
            if second.passed and used:
                called = called_of(used, assignment)
                yield replace(second, stood_in=used, aside=(
                    f"Points given: with other right values of {called} your code for this check "
                    "is right. It cannot use your own: look at their types and dtypes. "
                    f"({outcome.error})"))


def _tables(outcome: Outcome, wrong: set[str] | None, assignment: Assignment) -> Tables:
    """What is recorded of the earlier functions that are wrong, or of all of them."""
    recorded, task = outcome.reference.earlier, outcome.check.task
    tables = {need: {name: recorded[name] for name in assignment.tasks[need].functions
                     if name in recorded and (wrong is None or name in wrong)}
              for need in task.needs}
    return {need: table for need, table in tables.items() if table}


def _raised(outcome: Outcome) -> bool:
    """Whether it raised while it ran, and not for want of a function."""
    answer = outcome.answer
    return (answer is not None and answer.status == "error" and answer.error is not None
            and answer.error["stage"] == "run" and answer.error["type"] != "NotImplementedError")


def _may_follow(outcome: Outcome) -> bool:
    answer = outcome.answer
    if not isinstance(outcome.error, Wrong) or answer is None or answer.status == "budget":
        return False
    # Where the asked file cannot be imported, no right earlier functions help, and an unwritten
    # function names its own task.
    error = answer.error or {}
    own = outcome.reference.question.files(outcome.check.task)
    return not (error.get("stage") == "import" and error["file"] in (*own, None)) and not (
        error.get("type") == "NotImplementedError"
        and error["message"].startswith(f"Task {outcome.check.task_number} "))


def _ask(outcome: Outcome, tables: Tables, ask: Asking) -> "Future[Answer]":
    return ask(outcome, {"answer": {name: table for some in tables.values()
                                    for name, table in some.items()}})


def _second(outcome: Outcome, future: "Future[Answer]", tables: Tables, assignment: Assignment,
            ask: Asking, judge: Judging) -> Outcome | None:
    """The outcome of the second run, or None where the first one stands as it is."""
    answer = future.result()
    if answer.status in ENDED:
        return None
    if answer.status == "budget":  # whether it would have got points is not known
        return judge(outcome.check, outcome.tier, outcome.reference, answer)
    second = judge(outcome.check, outcome.tier, outcome.reference, answer)
    stood_in = _used(second, tables)
    if second.passed:
        return replace(second, stood_in=stood_in)
    causes = _causes(outcome, tables)
    if answer.status == "ok" and not stood_in and (
            outcome.answer is None or outcome.answer.status != "hung"):
        # Nothing came from the record: the first run was the same.
        if isinstance(outcome.error, NoAnswer) or not causes:
            return None
        return replace(outcome, aside=(
            f"Your code does not call {called_of(causes, assignment)} here: if it shares "
            f"other code with {tasks(causes, assignment)}, the cause may lie there."))
    part = _with_some(outcome, tables, ask, judge)
    if part is not None:
        return part
    if answer.error is not None and answer.error["type"] == "Unrecorded":
        return None if not causes else replace(outcome, aside=(
            f"No right values could be put in here for {tasks(causes, assignment)}: your "
            f"code calls {answer.error['message']}. Look at this call; if it is right, mend "
            f"{called_of(causes, assignment)} first."))
    second = replace(second, stood_in=stood_in)
    if isinstance(second.error, NoAnswer) and (
            not isinstance(outcome.error, NoAnswer) or str(second.error) == str(outcome.error)):
        stage = (answer.error or {}).get("stage")
        if stage == "import":  # more than functions is needed of a file that raises
            return None
        if stage == "missing":
            return None if str(second.error) == str(outcome.error) else replace(
                outcome, aside=f"No right values could be put in here: {second.error}")
        # Students can see for themselves how their code ends, and not with values of the record.
        return replace(outcome, aside=(
            f"With the right values of {called_of(stood_in, assignment)} it fails as well."))
    return replace(second, other=outcome)


def _causes(outcome: Outcome, tables: Tables) -> list[str]:
    """Those of the tasks that may be why a check fails: none where a name or the kind of a result
    is wrong."""
    if isinstance(outcome.error, NoAnswer):
        return list(tables)
    return [] if OF_FORM.search(str(outcome.error)) else [
        need for need in tables if need not in outcome.check.beside]


def _with_some(outcome: Outcome, tables: Tables, ask: Asking, judge: Judging) -> Outcome | None:
    """The outcome with the right values of some of these tasks alone, where that is right: what a
    submission has changed throughout then keeps its own values."""
    for count in range(len(tables) - 1, 0, -1):
        some = [{need: tables[need] for need in needs} for needs in combinations(tables, count)]
        for part, future in [(part, _ask(outcome, part, ask)) for part in some]:
            answer = future.result()
            if answer.status in (*ENDED, "budget"):
                return None
            second = judge(outcome.check, outcome.tier, outcome.reference, answer)
            if second.passed:
                return replace(second, stood_in=_used(second, part))
    return None


def _used(second: Outcome, tables: Tables) -> tuple[str, ...]:
    """The tasks whose functions were called, where that is known, or could be."""
    known = second.answer is not None and second.answer.status == "ok"
    return tuple(need for need, table in tables.items()
                 if not known or any(name in second.called for name in table))
