"""Whose score changes against an earlier folder of grades, and why."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine.check import order
from ...engine.text import printable
from .entry import GRADED, Entry, load_all
from .tables import write_table

FILE = "compare.csv"
SHOWN = 110  # characters of a message on the terminal
NOT_GRADED = {"score": 0.0, "points": 0.0, "message": "Not graded."}


@dataclass(frozen=True)
class Change:
    """A check whose points differ.

    Args:
        check: its number; "" where only one of the two runs could grade the submission.
        other: whether the student has handed in something else since.
    """

    student: str
    name: str
    check: str
    before: float
    after: float
    message_before: str
    message_after: str
    other: bool


def earlier(folder: Path) -> dict[str, Entry]:
    """The entries of a folder of grades by student.

    Raises:
        ValueError: it holds none.
    """
    entries = load_all(folder)
    if not entries:
        raise ValueError(f"there are no grades in {folder} to compare with")
    return {entry.student: entry for entry in entries}


def between(old: Mapping[str, Entry], new: Sequence[Entry]) -> list[Change]:
    """Every change of points, by student and check. Where both runs graded the same tasks, a check
    that one of them lacks gave no points there."""
    found = []
    for entry in new:
        before = old.get(entry.student)
        if before is None:
            continue
        other = before.source != entry.source
        if GRADED not in (before.status, entry.status):
            continue
        if before.status != entry.status:
            found.append(Change(entry.student, entry.name, "", before.score, entry.score,
                                _told(before), _told(entry), other))
            continue
        numbers = before.checks.keys() & entry.checks.keys()
        if before.version.get("only") == entry.version.get("only"):
            numbers = before.checks.keys() | entry.checks.keys()
        for number in sorted(numbers, key=order):
            was, now = (each.checks.get(number, NOT_GRADED) for each in (before, entry))
            if abs(was["score"] - now["score"]) > 1e-9:
                worth = [""] * 2 if was["points"] == now["points"] else [
                    f"(worth {check['points']:g}) " for check in (was, now)]
                found.append(Change(entry.student, entry.name, number, was["score"], now["score"],
                                    worth[0] + was["message"], worth[1] + now["message"], other))
    return found


def _told(entry: Entry) -> str:
    return entry.status + (f": {entry.error}" if entry.error else "")


def summary(found: Sequence[Change], old: Mapping[str, Entry], new: Sequence[Entry]) -> list[str]:
    """Lines for the terminal: numbers, checks, then every student's changes from old to new
    entries."""
    by_student: dict[str, list[Change]] = {}
    for change in found:
        by_student.setdefault(change.student, []).append(change)
    differences = {student: round(sum(c.after - c.before for c in own), 9)
                   for student, own in by_student.items()}
    both = sum(entry.student in old for entry in new)
    up, down = (sum(sign * d > 0 for d in differences.values()) for sign in (1, -1))
    lines = [f"{up + down} of {both} scores change: {up} up, {down} down"]
    if len(by_student) > up + down:
        lines[0] += f"; {len(by_student) - up - down} stay with other points in their checks"
    lines += [f"  {number}: for {count}" for number, count in sorted(
        Counter(change.check for change in found if change.check).items(),
        key=lambda item: order(item[0]))]
    known = {entry.student for entry in new}
    lines += [f"{student}: only in the earlier grades" for student in old if student not in known]
    lines += [f"{entry.student}: not in the earlier grades" for entry in new
              if entry.student not in old]
    for student, own in by_student.items():
        name = f" ({printable(own[0].name)})" if own[0].name else ""
        lines.append(f"{student}{name}: {differences[student]:+g}"
                     + (", another submission" if own[0].other else ""))
        for change in own:
            lines.append(f"  {change.check or 'all'}: {change.before:g} -> {change.after:g}")
            lines += [f"      {when}: {textwrap.shorten(text, SHOWN, placeholder=' ...')}"
                      for when, text in (("before", change.message_before),
                                         ("now", change.message_after))]
    return lines


def write(found: Sequence[Change], path: Path) -> None:
    """Write compare.csv: a row per change."""
    write_table(path, ["student", "name", "check", "before", "now", "message before",
                       "message now", "another submission"],
                [[c.student, c.name, c.check, c.before, c.after, c.message_before,
                  c.message_after, "yes" if c.other else "no"] for c in found])
