"""What changes a score after the checks: what an instructor decides by hand, and late days."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...assignment import ASSIGNMENT
from ...engine.points import Late
from .entry import GRADED, GRADER_BROKE, NO_SUBMISSION, Entry
from .roster import Person
from .tables import moment, number, read_table

TOTAL, DAYS = "total", "late days"


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
        if what in ASSIGNMENT.by_number:
            _bound(f"{path}: {row['student']}, {what}", value, ASSIGNMENT.by_number[what].points)
        found.append(Override(row["student"], what, value, row["reason"]))
    return found


def _bound(where: str, value: float, most: float) -> None:
    if value > most:
        raise ValueError(f"{where}: {value:g} is more than the {most:g} "
                         f"point{'s' * (most != 1)} that there are")


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
    numbers = {number for entry in entries for number in entry.checks}
    # What all can have, with what a person gives, and extra credit.
    most = max((entry.possible for entry in entries), default=0) + sum(
        ASSIGNMENT.by_number[number].points for number in numbers if
        number in ASSIGNMENT.points.extra)
    there = {entry.student: entry for entry in entries}
    for override in overrides:
        student = called.get(override.student.casefold())
        if student is None:
            raise ValueError(f"an override is about {override.student}, who is not in this class: "
                             "write a number, an e-mail or the name of a folder of grades")
        if any(other.what == override.what for other in own[student]):
            raise ValueError(f"there are two decisions on {override.what} of {override.student}")
        own[student].append(override)
        entry = there[student]
        about = f"a decision is about {override.what} of {override.student}"
        if override.what == TOTAL:
            _bound(about, override.value, most)
        elif override.what == DAYS:
            if late is None:
                raise ValueError(f"{about}: points.toml has no section [late]")
            if entry.status == NO_SUBMISSION:
                raise ValueError(f"{about}, who has handed nothing in that could be graded")
        elif override.what not in entry.checks:
            raise ValueError(f"a decision is about check {override.what} of {override.student}, "
                             "which was not graded here")
    return [_adjusted(entry, late, own[entry.student]) for entry in entries]


def _adjusted(entry: Entry, late: Late | None, overrides: list[Override]) -> Entry:
    said: list[str] = []
    score, checks, status = entry.score, dict(entry.checks), entry.status

    def decided(what: str, now: float) -> float:
        for override in overrides:
            if override.what == what:
                said.append(f"{override.what}: {now:g} -> {override.value:g} ({override.reason})")
                now = override.value
        return now

    for name, check in checks.items():
        after = decided(name, check["score"])
        checks[name] = {**check, "score": after}
        score += after - check["score"]
    days: float = 0
    if late is not None and entry.submitted:
        days = late.days(moment(entry.submitted))
    elif entry.late:
        days = 1
        said.append("late, by how much is not known" + ": taken for 1 day" * (late is not None))
    days = decided(DAYS, days)
    if late is not None and days and status == GRADED:
        # A share of what the checks give: an answer that is read later does not change it.
        possible = sum(ASSIGNMENT.points.by_number.get(number, 0.0) for number in checks)
        left = late.kept(score, days, possible)
        why = f", {min(days, late.free_days):g} of them free" * (late.free_days > 0)
        if late.last_day is not None and days > late.last_day:
            why = f"; work that is more than {late.last_day:g} days late gets no points"
        elif days > late.free_days:
            why += (f", each other day {100 * late.per_day:g}% of {possible:g} points"
                    + ", but no more than there were" * (left == 0))
        said.append(f"{days:g} day{'s' * (days != 1)} late{why}: {left - score:+g} points")
        score = left
    score = decided(TOTAL, score)
    if status == GRADER_BROKE and any(override.what == TOTAL for override in overrides):
        status = GRADED
    return replace(entry, score=round(score, 6), checks=checks, status=status, adjusted=said)
