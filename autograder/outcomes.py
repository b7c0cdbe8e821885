"""What a check made of an answer."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .channel import Answer
from .compare import Wrong
from .messages import BROKE_STATUSES, broke
from .questions import Check
from .references import Reference


class Broke(Wrong):
    """The submission gave no answer: it raised, crashed or ran out of time."""


@dataclass(frozen=True)
class Outcome:
    """One check on the inputs of one tier.

    Args:
        function: the decorated check.
        answer: what the submission answered; None where the grader broke before it came.
        error: why the check failed: `Wrong`, `Broke`, or, where it is the grader's fault, any
            other exception; None where it passed.
        score: points, where the check grants a part of them.
        stood_in: tasks whose functions were answered from the record, see `follow_through`.
        remarks: what the check noticed beside its verdict.
    """

    check: Check
    function: Callable
    tier: str
    reference: Reference
    answer: Answer | None
    error: BaseException | None
    score: float | None = None
    stood_in: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.error is None


def judge(function: Callable, reference: Reference, value: Any, expected: Any = None) -> None:
    """Run a check on a value.

    Args:
        expected: another answer than the reference's to compare with.

    Raises:
        Wrong: the check fails.
    """
    given = {"answer": value, "question": reference.question,
             "expected": reference.expected if expected is None else expected,
             "remark": lambda sentence: None, "measured": lambda name, accuracy, claims: None}
    names = inspect.signature(function).parameters
    function(**{name: given[name] for name in names if name in given})


def value_of(answer: Answer, reference: Reference) -> Any:
    """The value that came back.

    Raises:
        Broke: none did.
    """
    if answer.status in BROKE_STATUSES:
        raise Broke(broke(answer, reference.question))
    return answer.value


def is_fair(function: Callable, reference: Reference) -> bool:
    """Whether the check passes when it is given the solution's own answer."""
    try:
        judge(function, reference, reference.expected)
    except Exception:
        return False
    return True
