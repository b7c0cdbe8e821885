"""What changes a score after the checks: what an instructor decides by hand, and late days."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...assignment import ASSIGNMENT
from ...engine.points import Late
from .entry import GRADED, GRADER_BROKE, Entry
from .roster import Person
from .tables import moment, number, read_table

TOTAL, DAYS = "total", "late days"
# The most that anybody can have: checks, extra credit, and what a person gives.
POSSIBLE = (sum(check.points for check in ASSIGNMENT.checks)
            + sum(ASSIGNMENT.points.manual.values()))


@dataclass(frozen=True)
class Override:
    """A decision: `what` is a check ("1.3.2"), "late days" or "total"."""

    student: str
    what: str
    value: float
    reason: str


def read_overrides(path: Path) -> list[Override]:
    """The rows of a table `student,what,value,reason`.

    Raises:
        ValueError: a row says nothing that can be done, or not why.
    """
    found = []
    columns = {name: name for name in ("student", "what", "value", "reason")}
    for row in read_table(path, columns, needed=len(columns)):
        value, what = number(row["value"]), row["what"].casefold()
        if what not in (TOTAL, DAYS) and what not in ASSIGNMENT.by_number:
            raise ValueError(f"{path}: {row['student']}: what is {what!r}, and should be a check, "
                             f"{DAYS!r} or {TOTAL!r}")
        if not row["reason"] or not math.isfinite(value) or value < 0:
            raise ValueError(f"{path}: {row['student']}, {what}: needs a value from 0 and a reason")
        most = (POSSIBLE if what == TOTAL else math.inf if what == DAYS
                else ASSIGNMENT.by_number[what].points)
        if value > most:
            raise ValueError(f"{path}: {row['student']}, {what}: {value:g} is more than the "
                             f"{most:g} points that there are")
        found.append(Override(row["student"], what, value, row["reason"]))
    return found


def adjusted(entries: Sequence[Entry], late: Late | None, overrides: Iterable[Override],
             people: dict[str, Person]) -> list[Entry]:
    """The entries with their last scores, and what made them so; overrides may name people as the
    roster does.

    Raises:
        ValueError: an override is about nobody, or about what was not graded.
    """
    own: dict[str, list[Override]] = {entry.student: [] for entry in entries}
    called = {key.casefold(): student for student, person in people.items() for key in person.keys}
    for entry in entries:
        called |= {call.casefold(): entry.student
                   for call in (entry.student, entry.email, entry.number) if call}
    for override in overrides:
        student = called.get(override.student.casefold())
        if student is None:
            raise ValueError(f"an override is about {override.student}, who is not in this class")
        if any(other.what == override.what for other in own[student]):
            raise ValueError(f"there are two decisions on {override.what} of {override.student}")
        own[student].append(override)
    for entry in entries:
        for override in own[entry.student]:
            if override.what not in (TOTAL, DAYS) and override.what not in entry.checks:
                raise ValueError(f"a decision is about check {override.what} of "
                                 f"{override.student}, which was not graded here")
    return [_adjusted(entry, late, own[entry.student]) for entry in entries]


def _adjusted(entry: Entry, late: Late | None, overrides: list[Override]) -> Entry:
    said: list[str] = []
    score, checks, status = entry.score, dict(entry.checks), entry.status

    def decided(matters: Callable[[str], bool], now: float) -> float:
        for override in overrides:
            if matters(override.what):
                said.append(f"{override.what}: {now:g} -> {override.value:g} ({override.reason})")
                now = override.value
        return now

    for name, check in checks.items():
        after = decided(name.__eq__, check["score"])
        checks[name] = {**check, "score": after}
        score += after - check["score"]
    days: float = 0
    if late is not None and entry.submitted:
        days = late.days(moment(entry.submitted))
    elif entry.late:
        days = 1
        said.append("late, by how much is not known" + ": taken for 1 day" * (late is not None))
    days = decided(DAYS.__eq__, days)
    if late is not None and days and status == GRADED:
        left = late.kept(score, days, entry.possible)
        said.append(f"{days:g} day{'s' * (days != 1)} late: {left - score:+g} points")
        score = left
    score = decided(TOTAL.__eq__, score)
    if status == GRADER_BROKE and any(override.what == TOTAL for override in overrides):
        status = GRADED
    return replace(entry, score=round(score, 6), checks=checks, status=status, adjusted=said)
