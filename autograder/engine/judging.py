"""Judge an answer: right, wrong, none, or a fault of the grader."""

from dataclasses import dataclass
from typing import Any

from .check import Check, Judgement
from .compare import Wrong
from .messages import NO_ANSWER, no_answer
from .references import Reference
from .sandbox.channel import Answer


class NoAnswer(Wrong):
    """The submission gave no answer: it raised, crashed or ran out of time."""


@dataclass(frozen=True)
class Outcome:
    """One check on the inputs of one tier.

    Args:
        answer: what the submission answered; None where the grader broke before it came.
        error: why the check failed: `Wrong`, `NoAnswer`, or, where it is the grader's fault, any
            other exception; None where it passed.
        judgement: what the check said beside that.
        stood_in: tasks whose functions were answered from the record, see `follow_through`.
    """

    check: Check
    tier: str
    reference: Reference
    answer: Answer | None
    error: Exception | None
    judgement: Judgement
    stood_in: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the check found nothing wrong."""
        return self.error is None


def judge(check: Check, tier: str, reference: Reference, answer: Answer,
          stood_in: tuple[str, ...] = ()) -> Outcome:
    """Judge an answer: the one place where a check meets what a submission said."""
    error, judgement = None, Judgement(check)
    try:
        value = value_of(answer, reference)
        check.run(value, reference.expected, reference.question, judgement)
    except Exception as failure:
        error = failure
    return Outcome(check, tier, reference, answer, error, judgement, stood_in)


def value_of(answer: Answer, reference: Reference) -> Any:
    """The value that came back.

    Raises:
        NoAnswer: none did.
    """
    if answer.status in NO_ANSWER:
        raise NoAnswer(no_answer(answer, reference.question))
    return answer.value


def accepts(check: Check, reference: Reference, value: Any, expected: Any) -> bool:
    """Whether a check passes a value where `expected` is what the solution answered."""
    try:
        check.run(value, expected, reference.question, Judgement(check))
    except Exception:  # a wrong answer may have any form, and make the check raise anything
        return False
    return True


def is_fair(check: Check, reference: Reference) -> bool:
    """Whether the check passes when it is given the solution's own answer."""
    return accepts(check, reference, reference.expected, reference.expected)
