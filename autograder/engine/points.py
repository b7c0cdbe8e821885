"""Points, floors and targets: read from the `points.toml` of an assignment.

An instructor edits that file; every error is one line that says where it is wrong.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeGuard

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SECTIONS = ("total", "off", "explain_hidden", "points", "extra", "accuracy", "late", "manual")
EXPLAINED = ("after_published", "after_due_date", "never")


class BadPoints(ValueError):
    """The file cannot be used; the message is one line for the person who edited it."""


def task_of(number: str) -> str:
    """The task of a check: `"1.3"` of `"1.3.2"`."""
    return number.rpartition(".")[0]


@dataclass(frozen=True)
class Accuracy:
    """How the accuracy of a trained network becomes points.

    Args:
        target: full points from this share of what the reference reaches.
        step: points are granted in multiples of this.
        floor: no points up to this share of it; None where chance sets the floor.
        standard_errors: how far above chance the floor lies then.
    """

    target: float
    step: float
    floor: float | None = None
    standard_errors: float | None = None

    def thresholds(self, reference: float, chance: float = 0.0,
                   error: float = 0.0) -> dict[str, float]:
        """Floor and target of a term, for an accuracy that is rounded to .01, given those of the
        reference and of an answer that does not look at the images (with its standard error).

        Raises:
            ValueError: the reference is too close to the floor to tell good from bad.
        """
        reference = round(reference, 4)  # as it is written down, so that it can be derived again
        floor = (chance + (self.standard_errors or 0.0) * error if self.floor is None
                 else self.floor * reference)
        # Rounded before floor and ceil, since 100 * .58 is 57.99999999999999.
        target = math.floor(round(100 * self.target * reference, 6)) / 100
        floor = math.ceil(round(100 * floor, 6)) / 100
        if target <= floor:
            raise ValueError(f"the reference reaches {reference:.3f}: its target {target:.2f} is "
                             f"not above the floor {floor:.2f}. Train the reference first "
                             "(make train)")
        return {"reference": reference, "floor": floor, "target": target}

    def credit(self, accuracy: float, floor: float, target: float, points: float) -> float:
        """Points between floor and target, in steps, `points` from the target on; the accuracy
        counts to .01."""
        share = min(1.0, max(0.0, (round(accuracy, 2) - floor) / (target - floor)))
        if share == 1:
            return points
        return min(points, round(round(points * share / self.step) * self.step, 6))


@dataclass(frozen=True)
class Late:
    """What late work costs.

    Args:
        due: a time with its zone.
        grace_minutes: after it that count as in time.
        free_days: late days that cost nothing; a day that has begun counts as one.
        per_day: share of the points of the checks that each further day costs.
        last_day: work that is later than so many days gets no points; None for no such day.
    """

    due: datetime
    grace_minutes: float = 0
    free_days: float = 0
    per_day: float = 0
    last_day: float | None = None

    def days(self, submitted: datetime) -> int:
        """Days late, 0 for work in time."""
        return max(0, math.ceil((submitted - self.due - timedelta(minutes=self.grace_minutes))
                                / timedelta(days=1)))

    def kept(self, score: float, days: float, possible: float) -> float:
        """The points that are left of a score."""
        if self.last_day is not None and days > self.last_day:
            return 0.0
        return max(0.0, score - max(0.0, days - self.free_days) * self.per_day * possible)


@dataclass(frozen=True)
class Points:
    """What the file says.

    Args:
        name: of the file.
        total: what the points add up to.
        by_number, extra: points by check number; extra points come on top of the total.
        accuracy: rules of accuracies by check number.
        off: tasks and checks that are not graded.
        explain_hidden: "after_due_date" or "after_published": when students read why they fail on
            hidden inputs; "never".
        late: the rule for late work, None where there is none.
        manual: points that a person gives, by question; they come on top of the total.
    """

    name: str
    total: float
    by_number: dict[str, float]
    extra: dict[str, float]
    accuracy: dict[str, Accuracy]
    off: tuple[str, ...] = ()
    explain_hidden: str = "never"
    late: Late | None = None
    manual: dict[str, float] = field(default_factory=dict)

    def of(self, number: str) -> float:
        """The points of a check, 0 where the file names none."""
        return self.by_number.get(number, self.extra.get(number, 0.0))

    def match(self, checks: Mapping[str, bool]) -> None:
        """Hold the file against the checks that exist: number -> whether its points follow from an
        accuracy.

        Raises:
            BadPoints: they do not fit; the message is the first difference.
        """
        def bad(reason: str) -> BadPoints:
            return BadPoints(f"{self.name} {reason}")

        tasks = set(map(task_of, checks))
        for number in [*self.by_number, *self.extra]:
            if number not in checks:
                raise bad(f"gives points to check {number}, which does not exist")
        for name in self.off:
            if name not in checks and name not in tasks:
                raise bad(f"switches off {name}, which is neither a task nor a check")
        for number, measured in checks.items():
            if number not in self.by_number and number not in self.extra:
                raise bad(f"gives no points to check {number}: write 0 if it is not to count")
            if measured and number not in self.accuracy:
                raise bad(f"has no section [accuracy.{number}]")
        for number in self.accuracy:
            if not checks.get(number):
                raise bad(f"has a section [accuracy.{number}], but the points of that check do not "
                          "follow from an accuracy")
        for number, rule in self.accuracy.items():
            if self.of(number) and rule.step > self.of(number):
                raise bad(f"grants check {number} in steps of {rule.step:g}, and it has only "
                          f"{self.of(number):g} points")
        counted = [value for number, value in self.by_number.items()
                   if not {number, task_of(number)} & {*self.off}]
        if not math.isclose(sum(counted), self.total):
            raise bad(f"says total = {self.total:g}, but the points of the {len(counted)} checks "
                      f"add up to {sum(counted):g}: change points, or write "
                      f"total = {sum(counted):g}")


def load_points(path: Path) -> Points:
    """Read and validate a file of points.

    Raises:
        BadPoints: it cannot be used.
    """
    def bad(reason: str) -> BadPoints:
        return BadPoints(f"{path.name}: {reason}")

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise bad(f"there is no such file in {path.parent}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad(f"not valid TOML: {error}") from None
    odd = [key for key in content if key not in SECTIONS]
    if odd:
        raise bad(f"unknown entry {odd[0]}: known are {', '.join(SECTIONS)}")
    for key in ("points", "accuracy", "extra", "manual"):
        if not isinstance(content.get(key, {} if key != "points" else None), dict):
            raise bad(f"there is no section [{key}]")
    points, extra = (_flat(content.get(key, {})) for key in ("points", "extra"))
    manual = content.get("manual", {})
    for check, value in [*points.items(), *extra.items(), *manual.items()]:
        if not _is_number(value) or value < 0:
            what = "question" if check in manual else "check"
            raise bad(f"{what} {check} needs a number of points from 0, got {value!r}")
    twice = sorted(points.keys() & extra.keys())
    if twice:
        raise bad(f"check {twice[0]} stands in [points] and in [extra]")
    total = content.get("total")
    if not _is_number(total) or total <= 0:
        raise bad(f"total needs a positive number, got {total!r}")
    off = content.get("off", [])
    if not isinstance(off, list) or not all(isinstance(name, str) for name in off):
        raise bad('off needs a list of tasks and checks in quotes, for example off = ["2.7"]')
    rules = {}
    for check, values in _flat(content.get("accuracy", {}), depth=3).items():
        try:
            rules[check] = _accuracy(values)
        except ValueError as error:
            raise bad(f"[accuracy.{check}] {error}") from None
    explained = content.get("explain_hidden", EXPLAINED[0])
    if explained not in EXPLAINED:
        raise bad(f"explain_hidden needs one of {', '.join(EXPLAINED)}, got {explained!r}")
    try:
        late = _late(content["late"]) if "late" in content else None
    except ValueError as error:
        raise bad(f"[late] {error}") from None
    return Points(path.name, total, points, extra, rules, tuple(off), explained, late, manual)


def _late(values: Any) -> Late:
    values = _numbers(values, [field.name for field in fields(Late)], "due")
    if values.get("per_day", 0) > 1:
        raise ValueError(f"per_day is a share: .1 for a tenth of all points a day, got "
                         f"{values['per_day']}")
    due = values.get("due")
    if not isinstance(due, datetime) or due.tzinfo is None:
        raise ValueError("due needs a time with its zone, without quotes, for example "
                         "2027-02-01T23:59:00-05:00")
    if values.get("last_day", math.inf) < values.get("free_days", 0):
        raise ValueError(f"last_day = {values['last_day']:g} lies before the end of free_days = "
                         f"{values['free_days']:g}")
    return Late(**values)


def _flat(tree: dict[str, Any], depth: int = 9) -> dict[str, Any]:
    """`{"1": {"3": {"2": x}}}` as `{"1.3.2": x}`: TOML reads the dots of `1.3.2 = x` as levels.
    What lies deeper than `depth` levels is the number's content."""
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict) and depth > 1:
            flat.update({f"{key}.{rest}": leaf for rest, leaf in _flat(value, depth - 1).items()})
        else:
            flat[key] = value
    return flat


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(values: Any, known: Sequence[str], other: str = "") -> dict[str, Any]:
    """The entries of a section, all of them numbers from 0 but one `other`."""
    found: dict[str, Any] = values if isinstance(values, dict) else {}
    for key, value in found.items():
        if key not in known:
            raise ValueError(f"unknown entry {key}: known are {', '.join(known)}")
        if key != other and (not _is_number(value) or value < 0):
            raise ValueError(f"{key} needs a number from 0, got {value!r}")
    return found


def _accuracy(values: Any) -> Accuracy:
    values = _numbers(values, ("floor", "standard_errors", "target", "step"))
    if ("floor" in values) == ("standard_errors" in values):
        raise ValueError("needs either floor or standard_errors")
    for key in ("target", "step"):
        if not values.get(key):
            raise ValueError(f"needs a {key} above 0")
    if values["target"] > 1:
        raise ValueError(f"the reference itself would not reach a target of {values['target']:g}")
    if values.get("floor", 0) >= values["target"]:
        raise ValueError(f"the floor {values['floor']:g} is not below the target "
                         f"{values['target']:g}")
    return Accuracy(**values)
