"""One mistake costs one task: what fails beside a wrong earlier task is graded once more.

In the second run the functions of the wrong earlier tasks are answered from what the solution's
functions gave on the very inputs of the check (`autograder.worker.earlier`).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from graphlib import TopologicalSorter

from .compare import Wrong
from .messages import tasks
from .outcomes import Outcome, judge, value_of
from .tasks import FUNCTIONS, NEEDS

Outcomes = dict[tuple[str, str], Outcome]  # by check number and tier


def failing(outcomes: Outcomes, tiers: list[str]) -> set[str]:
    """Tasks that lose points in some of the tiers."""
    return {o.check.task for o in outcomes.values() if not o.passed and o.tier in tiers}


def follow_through(outcomes: Outcomes, ask: Callable[[Outcome, dict], Future]) -> Iterator[Outcome]:
    """Grade again where an earlier task is wrong; replaces and yields the outcomes that change.

    Args:
        ask: `ask(outcome, earlier)` puts the check's question once more.
    """
    tiers = list(dict.fromkeys(tier for _, tier in outcomes))
    for position, tier in enumerate(tiers):
        for task in TopologicalSorter(NEEDS).static_order():
            wrong = failing(outcomes, tiers[:position + 1])
            needs = [need for need in NEEDS.get(task, ()) if need in wrong]
            again = []
            for outcome in outcomes.values():
                if outcome.check.task == task and outcome.tier == tier and _may_follow(outcome):
                    known = {name: table for name, table in outcome.reference.earlier.items()
                             if any(name in FUNCTIONS.get(need, ()) for need in needs)}
                    stood_in = tuple(need for need in needs
                                     if any(name in known for name in FUNCTIONS.get(need, ())))
                    if known:
                        again.append((outcome, ask(outcome, {"answer": known}), stood_in))
            for outcome, future, stood_in in again:
                changed = _second(outcome, future, stood_in)
                if changed is not None:
                    outcomes[changed.check.number, tier] = changed
                    yield changed


def _may_follow(outcome: Outcome) -> bool:
    answer = outcome.answer
    if not isinstance(outcome.error, Wrong) or answer is None or answer.status == "budget":
        return False
    # A stub says its own task, and no earlier function makes it any fuller.
    return not (answer.status == "error" and answer.error["type"] == "NotImplementedError"
                and answer.error["message"].startswith(f"Task {outcome.check.task} "))


def _second(outcome: Outcome, future: Future, stood_in: tuple[str, ...]) -> Outcome | None:
    """The outcome of the second run, or None where it tells no more than the first."""
    try:
        answer = future.result()
    except Exception as failure:  # the workers broke; points must not be lost for that
        return replace(outcome, answer=None, error=failure)
    if answer.status in ("timeout", "budget"):
        return None
    if answer.status == "error" and answer.error["type"] == "Unrecorded":
        return replace(outcome, error=type(outcome.error)(
            f"{outcome.error}\nThis may follow from {tasks(stood_in)}, but could not be graded "
            f"again with its right values: {answer.error['message']}."))
    if answer.status == "ok":
        try:
            value, called = answer.value["answer"], answer.value["called"]
            if not isinstance(called, list):
                raise TypeError
        except (TypeError, KeyError, IndexError):  # a forged reply
            return None
        stood_in = tuple(need for need in stood_in
                         if any(name in called for name in FUNCTIONS[need]))
        if not stood_in:
            return None
        answer = replace(answer, value=value)
    error = None
    try:
        judge(outcome.function, outcome.reference, value_of(answer, outcome.reference))
    except Exception as failure:
        error = failure
    return replace(outcome, answer=answer, error=error, stood_in=stood_in)
