"""The numbers of a class: pure functions from entries to numbers.

A student counts where the submission was graded: without a submission, or where the grader broke,
there is nothing to learn about the checks. S is the number of students that count, C of checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...assignment.tasks import TASKS
from ...engine.check import order
from ...engine.points import task_of
from ...engine.results import GRADER_BROKE as CHECK_BROKE
from ...engine.results import NOT_RUN, PASSED
from .entry import GRADED, Entry

TAIL = 0.27  # of a class in its upper, and in its lower group
FEW = 10  # with fewer students a correlation of zero has a standard error above a third
ALL = 5  # this many failing a check that half of all students pass happens once in 32 classes


@dataclass(frozen=True)
class PointsTable:
    """What was earned, as arrays.

    Args:
        numbers: of the checks, in order.
        points: `[C]`, what each is worth.
        earned: `[S, C]` points, nan where a student's grade has no such check.
        shares: `[S, C]` in 0..1: of a check's points, or whether it passed if it is worth none.
        passed: `[S, C]`, bool.
    """

    entries: list[Entry]
    numbers: list[str]
    points: np.ndarray
    earned: np.ndarray
    shares: np.ndarray
    passed: np.ndarray


@dataclass(frozen=True)
class ItemAnalysis:
    """A check as a test item.

    Args:
        students: who have it in their grades.
        passing: share of them that pass it.
        share: difficulty: mean share of its points, 1 where all get all.
        item_rest, upper_lower: discrimination, see the functions; None where it is undefined.
        groups: mean share of the points in the lower and in the upper group, None without.
        broke: grades in which the grader itself broke on it.
    """

    number: str
    points: float
    students: int
    passing: float
    share: float
    item_rest: float | None
    upper_lower: float | None
    groups: tuple[float, float] | None
    broke: int

    @property
    def task(self) -> str:
        """The task that the check is of."""
        return task_of(self.number)


class TaskLoss(NamedTuple):
    """Mean points lost in a task, points it is worth, and students who lose some of them."""

    mean: float
    worth: float
    students: int

    @property
    def earned(self) -> float:
        """Mean share of the points, in 0..1."""
        return 1 - self.mean / self.worth if self.worth else 1.0


@dataclass(frozen=True)
class Claim:
    """An accuracy that a student reports, beside what the weights reach."""

    entry: Entry
    number: str
    name: str
    measured: float
    claimed: float


def graded(entries: Sequence[Entry]) -> list[Entry]:
    """Those that count."""
    return [entry for entry in entries if entry.status == GRADED]


def points_table(entries: Sequence[Entry]) -> PointsTable:
    """The points of those that count."""
    own = graded(entries)
    numbers = sorted({number for entry in own for number in entry.checks}, key=order)
    column = {number: i for i, number in enumerate(numbers)}
    points = np.zeros(len(numbers))
    earned = np.full((len(own), len(numbers)), np.nan)
    shares, passed = earned.copy(), np.zeros(earned.shape, dtype=bool)
    for row, entry in enumerate(own):
        for number, check in entry.checks.items():
            i = column[number]
            points[i] = check["points"]
            earned[row, i] = check["score"]
            passed[row, i] = check["verdict"] == PASSED
            shares[row, i] = (check["score"] / check["points"] if check["points"]
                              else float(passed[row, i]))
    return PointsTable(own, numbers, points, earned, shares, passed)


def lost_per_task(table: PointsTable) -> dict[str, TaskLoss]:
    """What the class loses in each task."""
    lost = table.points - table.earned  # [S, C]
    tasks = {}
    for task in TASKS:
        own = [i for i, number in enumerate(table.numbers) if task_of(number) == task]
        if own:
            losses = np.nansum(lost[:, own], axis=1)
            tasks[task] = TaskLoss(float(losses.mean()), float(table.points[own].sum()),
                                   int((losses > 0).sum()))
    return tasks


def item_rest(shares: np.ndarray, rest: np.ndarray) -> float | None:
    """Correlation of a check with the points of all others.

    Of a check that passes or fails this is the point-biserial correlation, corrected for the
    check's own part in the total (Henrysson, "Correction of item-total correlations in item
    analysis", Psychometrika 28, 1963).

    Args:
        shares, rest: `[S]`.

    Returns:
        -1..1, or None with fewer than `FEW` students or where one of the two does not vary.
    """
    if len(shares) < FEW:
        return None
    x, y = shares - shares.mean(), rest - rest.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 1e-9 else None


def upper_lower(shares: np.ndarray, rest: np.ndarray) -> tuple[float, float] | None:
    """Mean share of a check's points in the lower and in the upper group of a class.

    Their difference is the discrimination index D. The groups are the 27 % with the fewest and the
    27 % with the most points in all other checks (Kelley, "The selection of upper and lower groups
    for the validation of test items", Journal of Educational Psychology 30, 1939). Who ties with
    the last of a group belongs to it, so that nothing depends on the order of students.

    Returns:
        None with fewer than `FEW` students or where the groups have a student in common.
    """
    if len(shares) < FEW:
        return None
    size, ranked = round(TAIL * len(rest)), np.sort(rest)
    low, high = ranked[size - 1], ranked[-size]
    if high <= low:
        return None
    return float(shares[rest <= low].mean()), float(shares[rest >= high].mean())


def items(entries: Sequence[Entry]) -> list[ItemAnalysis]:
    """Difficulty and discrimination of every check, in the order of their numbers."""
    made = points_table(entries)
    total = np.nansum(made.earned, axis=1)
    found = []
    for i, number in enumerate(made.numbers):
        has = ~np.isnan(made.earned[:, i])
        shares, rest = made.shares[has, i], (total - made.earned[:, i])[has]
        groups = upper_lower(shares, rest)
        broke = sum(entry.checks.get(number, {}).get("verdict") in (CHECK_BROKE, NOT_RUN)
                    for entry in entries)
        found.append(ItemAnalysis(
            number, float(made.points[i]), len(shares), float(made.passed[has, i].mean()),
            float(shares.mean()), item_rest(shares, rest),
            groups[1] - groups[0] if groups else None, groups, broke))
    return found


def suspicious(items: Sequence[ItemAnalysis]) -> dict[str, str]:
    """Checks that look broken: number -> reason, in a sentence.

    A negative correlation counts beyond two standard errors of a zero one, 2 / sqrt(S), and only
    where the upper group does worse than the lower one as well.
    """
    reasons = {}
    for item in items:
        why = []
        if item.broke:
            why.append(f"The grader itself broke on it for {students(item.broke)}.")
        if item.share == 0 and item.students >= ALL:
            why.append(f"None of {students(item.students)} gets a point for it.")
        lower, upper = item.groups or (0.0, 0.0)
        if (upper < lower and item.item_rest is not None
                and item.item_rest < -2 / np.sqrt(item.students)):
            why.append("Students who do well elsewhere lose it: the upper 27 % of the class get "
                       f"{upper:.0%} of its points, the lower 27 % {lower:.0%} (item-rest "
                       f"correlation {item.item_rest:.2f}). It may refuse right answers.")
        if why:
            reasons[item.number] = " ".join(why)
    return reasons


def students(count: int) -> str:
    """`1 student`, `2 students`."""
    return f"{count} student{'s' * (count != 1)}"


def by_mistake(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Known mistake -> who made it, the most frequent mistake first."""
    made: dict[str, list[Entry]] = {}
    for entry in graded(entries):
        for name in entry.mistakes:
            made.setdefault(name, []).append(entry)
    return dict(sorted(made.items(), key=lambda pair: (-len(pair[1]), pair[0])))


def claims(entries: Sequence[Entry]) -> dict[str, list[Claim]]:
    """Check number -> claims about its accuracy; a student may claim in several places."""
    found: dict[str, list[Claim]] = {}
    for entry in graded(entries):
        for number, accuracy in entry.accuracies.items():
            found.setdefault(number, []).extend(
                Claim(entry, number, accuracy["name"], accuracy["measured"], claimed)
                for _, claimed in accuracy["claimed"])
    return {number: found[number] for number in sorted(found, key=order) if found[number]}
