"""Points, floors and targets: read from `points.toml`, which an instructor edits.

A graded check bears `@graded("1.3.2")` and gets its points from the file, as the attributes that
gradescope-utils' decorators set.
"""

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradescope_utils.autograder_utils.decorators import number, partial_credit, weight

from .measure import thresholds
from .questions import Check

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("points.toml")


class BadPoints(ValueError):
    """The file cannot be used; the message is one line for the person who edited it."""


@dataclass(frozen=True)
class Accuracy:
    """How the accuracy of a trained network becomes points.

    Args:
        share: full points from this share of what the reference reaches.
        step: points are granted in multiples of this.
        floor: no points here and below; None where the mean pose sets it.
        standard_errors: how far above what the mean pose reaches the floor lies.
    """

    share: float
    step: float
    floor: float | None = None
    standard_errors: float | None = None

    def thresholds(self, reference: float, mean_pose: float = 0.0, error: float = 0.0) -> dict:
        """Floor and target of a term.

        Args:
            reference: accuracy of the reference.
            mean_pose: accuracy of answering the mean pose for every image.
            error: its standard error.

        Raises:
            ValueError: the reference is too close to the floor to tell good from bad.
        """
        floor = self.floor
        if floor is None:
            floor = mean_pose + self.standard_errors * error
        return thresholds(reference, floor, self.share)


@dataclass(frozen=True)
class Points:
    """What the file says: points by check number, accuracy rules by check number."""

    by_number: dict[str, float]
    accuracy: dict[str, Accuracy]

    def match(self, numbers: list[str]) -> None:
        """Hold the file against the checks that exist.

        Raises:
            BadPoints: it names a check that does not exist.
        """
        unknown = [number for number in self.by_number if number not in numbers]
        if unknown:
            raise BadPoints(f"{FILE.name} gives points to check {unknown[0]}, "
                            "which does not exist")


def load(path: Path = FILE) -> Points:
    """Read and validate a file of points.

    Raises:
        BadPoints: see there.
    """
    def bad(reason: str) -> BadPoints:
        return BadPoints(f"{path.name}: {reason}")

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise bad(f"there is no such file in {path.parent}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad(f"not valid TOML: {error}") from None
    odd = [key for key in content if key not in ("total", "points", "accuracy")]
    if odd:
        raise bad(f"unknown entry {odd[0]}: known are total, points and accuracy")
    for key in ("points", "accuracy"):
        if not isinstance(content.get(key), dict):
            raise bad(f"there is no section [{key}]")
    points = _flat(content["points"])
    for check, value in points.items():
        if not _is_number(value) or value < 0:
            raise bad(f"check {check} needs a number of points from 0, got {value!r}")
    total = content.get("total")
    if not _is_number(total) or total <= 0:
        raise bad(f"total needs a positive number, got {total!r}")
    if not math.isclose(sum(points.values()), total):
        raise bad(f"the points of the {len(points)} checks add up to {sum(points.values()):g}, "
                  f"but total = {total:g}")
    rules = {}
    for check, values in _flat(content["accuracy"], depth=3).items():
        if check not in points:
            raise bad(f"[accuracy.{check}] is about a check without points")
        try:
            rules[check] = _accuracy(values)
        except ValueError as error:
            raise bad(f"[accuracy.{check}] {error}") from None
    return Points({check: float(value) for check, value in points.items()}, rules)


def _flat(tree: dict[str, Any], depth: int = 9) -> dict[str, Any]:
    """`{"1": {"3": {"2": x}}}` as `{"1.3.2": x}`: TOML reads the dots of `1.3.2 = x` as levels."""
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict) and depth > 1:
            flat.update({f"{key}.{rest}": leaf for rest, leaf in _flat(value, depth - 1).items()})
        else:
            flat[key] = value
    return flat


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _accuracy(values: Any) -> Accuracy:
    known = ("floor", "standard_errors", "share", "step")
    values = values if isinstance(values, dict) else {}
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"unknown entry {key}: known are {', '.join(known)}")
        if not _is_number(value) or value < 0:
            raise ValueError(f"{key} needs a number from 0, got {value!r}")
    if ("floor" in values) == ("standard_errors" in values):
        raise ValueError("needs either floor or standard_errors")
    for key in ("share", "step"):
        if not values.get(key):
            raise ValueError(f"needs a {key} above 0")
    if values["share"] > 1:
        raise ValueError(f"the reference itself would not reach a share of {values['share']:g}")
    if values.get("floor", 0) >= values["share"]:
        raise ValueError(f"the floor {values['floor']:g} is not below the target, which is at most "
                         f"the share {values['share']:g}")
    return Accuracy(**values)


@functools.cache
def points() -> Points:
    """The file of the kit, read once."""
    return load()


def follows(check: Check, reference: Any) -> bool:
    """Whether floor and target of stored references are those that the file asks for.

    Args:
        reference: the check's `question`, and its thresholds as `expected`.
    """
    rule = points().accuracy.get(check.number)
    if rule is None:
        return True
    mean_pose = getattr(check.ask, "mean_pose", None)
    measured = mean_pose(reference.question) if mean_pose else ()
    try:
        return rule.thresholds(reference.expected["reference"], *measured) == reference.expected
    except ValueError:  # with these numbers there would be no target
        return False


def graded(check: str, partial: bool = False) -> Callable:
    """Decorator: the function is the graded check with this number, worth what the file says.

    Args:
        partial: the check may grant a part of its points through its argument `set_score`.

    Raises:
        BadPoints: the file cannot be used, or gives the check no points.
    """
    if check not in points().by_number:
        raise BadPoints(f"{FILE.name} gives no points to check {check}")
    value = points().by_number[check]
    if not partial:
        return lambda function: number(check)(weight(value)(function))
    if check not in points().accuracy:
        raise BadPoints(f"{FILE.name} has no section [accuracy.{check}]")
    return lambda function: number(check)(partial_credit(value)(function))
