"""Judge an answer: right, wrong, none, or a fault of the grader."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .assignment import Assignment, load
from .check import Check, Judgement
from .compare import Wrong
from .messages import NO_ANSWER, no_answer
from .references import Reference
from .sandbox import wire
from .sandbox.bounded import Bounded, Fault, OutOfBounds
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
        called: the functions that were.
        other: how it fails with the submission's own functions, where both runs fail.
        aside: what is said of the earlier tasks, unless the mistake has a name.
    """

    check: Check
    tier: str
    reference: Reference
    answer: Answer | None
    error: Exception | None
    judgement: Judgement
    stood_in: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    other: "Outcome | None" = None
    aside: str = ""

    @property
    def passed(self) -> bool:
        """Whether the check found nothing wrong."""
        return self.error is None


def judge(check: Check, tier: str, reference: Reference, answer: Answer) -> Outcome:
    """Judge an answer to the inputs of a tier: the one place where a check meets what a submission
    said."""
    error, judgement = None, Judgement(check)
    called: tuple[str, ...] = ()
    try:
        value = value_of(answer, reference)
        called = answer.called
        check.run(value, reference.expected, reference.question, judgement, answer.handed,
                  wire.unpack(answer.seen)["value"] if answer.seen else None)
    except Exception as failure:
        error = failure
    return Outcome(check, tier, reference, answer, error, judgement, called=called)


# Types of errors that come of the machine, whatever is judged: a file or a module is out of reach.
MACHINE = ("FileNotFoundError", "ImportError", "ModuleNotFoundError", "OSError", "PermissionError")


class Judge:
    """Judges in a process that may be lost, since an answer may be made to keep it busy."""

    def __init__(self, assignment: Assignment, bounded: Bounded) -> None:
        self.assignment, self.bounded = assignment, bounded

    def judge(self, check: Check, tier: str, reference: Reference, answer: Answer) -> Outcome:
        """As the function of this name."""
        if answer.status in NO_ANSWER:
            return judge(check, tier, reference, answer)
        judgement = Judgement(check)
        try:
            said = self.bounded.call(f"{__name__}.judge_apart", self.assignment.package,
                                     check.number, tier, reference, answer)
        except OutOfBounds:
            error: Exception = Wrong("What came back takes too much time or memory to be judged.")
            return Outcome(check, tier, reference, answer, error, judgement)
        except Fault as failure:
            return Outcome(check, tier, reference, answer, failure, judgement)
        judgement.score, judgement.remarks, judgement.accuracy = said["judgement"]
        return Outcome(check, tier, reference, answer, _error(*said["error"]), judgement,
                       called=said["called"])

    def agreeing(self, outcome: Outcome, stored: dict[str, dict[str, Any]]) -> set[str]:
        """Which of several wrong answers a submission's is, see `agrees`."""
        answer = outcome.answer
        if answer is None:
            return set()
        errors = {name for name, wrong in stored.items() if "error" in wrong and agrees(
            outcome.check, outcome.reference, answer, wrong)}
        values = {name: wrong for name, wrong in stored.items() if "value" in wrong}
        if answer.status in NO_ANSWER or not values:
            return errors
        try:
            return errors | set(self.bounded.call(
                f"{__name__}.agree_apart", self.assignment.package, outcome.check.number,
                outcome.reference, answer, values))
        except (OutOfBounds, Fault):  # a forged reply has no name
            return errors


def judge_apart(package: str, number: str, tier: str, reference: Reference,
                answer: Answer) -> dict[str, Any]:
    """As `judge`, in a process that may be lost, of the check with this number in the assignment's
    package.

    Returns:
        `error`: name of the type ("" if there is none) and message; `judgement`: its fields;
        `called`: see `Answer`.
    """
    outcome = judge(_check(package, number), tier, reference, answer)
    error, said = outcome.error, outcome.judgement
    return {"error": ("" if error is None else type(error).__name__, str(error)),
            "judgement": (said.score, said.remarks, said.accuracy), "called": outcome.called}


def agree_apart(package: str, number: str, reference: Reference, answer: Answer,
                stored: dict[str, dict[str, Any]]) -> list[str]:
    """Names of the `stored` wrong answers (see `diagnosis.as_stored`) that an answer agrees with,
    in a process that may be lost."""
    check = _check(package, number)
    named = [name for name, wrong in stored.items() if agrees(check, reference, answer, wrong)]
    # Where a check finds a fault without comparing, its words tell one fault from another.
    why = failure(check, reference, answer.value, reference.expected)
    return named or [name for name, wrong in stored.items() if isinstance(why, Wrong)
                     and not accepts(check, reference, wrong["value"], wrong["value"])
                     and str(failure(check, reference, wrong["value"], reference.expected))
                     == str(why)]


def _check(package: str, number: str) -> Check:
    return next(check for check in load(package).every_check if check.number == number)


def _error(kind: str, message: str) -> Exception | None:
    known = {"": None, "Wrong": Wrong(message), "NoAnswer": NoAnswer(message)}
    # The grader's own fault is told by the name of its type alone.
    return known[kind] if kind in known else type(kind, (Exception,), {})(message)


def value_of(answer: Answer, reference: Reference) -> Any:
    """The value that came back.

    Raises:
        NoAnswer: none did.
    """
    try:
        if answer.status not in NO_ANSWER:
            return answer.value
    except wire.WireError:
        answer = replace(answer, status="garbage")
    raise NoAnswer(no_answer(answer, reference.question))


def failure(check: Check, reference: Reference, value: Any, expected: Any) -> Exception | None:
    """Why a check fails a value where `expected`, and not what the reference holds, is what the
    solution answered; None where it passes."""
    try:
        check.run(value, expected, reference.question, Judgement(check))
    except Exception as error:  # a wrong answer may have any form, so that anything is raised
        return error
    return None


def accepts(check: Check, reference: Reference, value: Any, expected: Any) -> bool:
    """Whether a check passes a value, see `failure`."""
    return failure(check, reference, value, expected) is None


def is_fair(check: Check, reference: Reference) -> bool:
    """Whether the check passes when it is given the solution's own answer."""
    return accepts(check, reference, reference.expected, reference.expected)


def same(got: Any, expected: Any) -> bool:
    """Whether two values agree in structure, shapes and numbers (to 1e-4)."""
    if isinstance(expected, np.ndarray) or isinstance(got, np.ndarray):
        lists = isinstance(got, (list, tuple)) or isinstance(expected, (list, tuple))
        try:
            got, expected = np.asarray(got), np.asarray(expected)
            alike = got.shape == expected.shape and got.dtype.kind == expected.dtype.kind
            return alike and not lists and np.allclose(
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
    """Whether an answer is that of a known mistake, `stored` as by `diagnosis.as_stored`.

    The check judges it, with the mistake's answer in the place of the solution's: so the check's
    own tolerance counts, and only what the check looks at.
    """
    if "error" in stored:
        return answer.status == "error" and what_went_wrong(answer) == stored["error"]
    if answer.status in NO_ANSWER:
        return False
    # A mistake may answer in a form that the check cannot judge; then both must be the same.
    why = failure(check, reference, answer.value, stored["value"])
    # Of what is wrong by itself, as a sum that is none, the right one is not that of the mistake.
    if why is None and accepts(check, reference, stored["value"], stored["value"]) or same(
            answer.value, stored["value"]):
        return True
    # Beside the mistake, numbers may be of another type; where that is all, it is no mistake.
    value = typed(answer.value, reference.expected) if "the type of " in str(why) else None
    return (value is not None and accepts(check, reference, value, stored["value"])
            and not accepts(check, reference, value, reference.expected))


def typed(got: Any, expected: Any) -> Any:
    """A value whose arrays have the types of those in `expected`, where their numbers allow it."""
    if isinstance(got, np.ndarray) and isinstance(expected, np.ndarray):
        with np.errstate(invalid="ignore"):
            cast = got.astype(expected.dtype) if got.dtype.kind in "biuf" else got
        return cast if np.allclose(cast, got, 1e-6, equal_nan=True) else got
    if isinstance(got, dict) and isinstance(expected, dict):
        return {key: typed(value, expected.get(key)) for key, value in got.items()}
    if isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple)):
        return [*map(typed, got, expected), *got[len(expected):]]
    return got


def what_went_wrong(answer: Answer) -> str:
    """What tells one error from another: type and message without its numbers, or the kit's own
    sentence about a file. Many mistakes raise errors of the same type."""
    error = answer.error or {}
    if error["type"] in ("Unusable", "Missing"):
        return str(error["message"])
    return f"{error['type']}: " + re.sub(r"\d+", "0", str(error["message"])[:200])
