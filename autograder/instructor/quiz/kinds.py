"""What a kind of question is, and how numbers, boxes and lists are written on a sheet."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.check import Question

Rng = np.random.Generator
TENTHS = ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")  # of five keypoints


@dataclass(frozen=True)
class Item:
    """A question on a sheet, which any submission can answer.

    Args:
        text: what the sheet asks.
        question: what the submission is asked; its answer is the key.
        shown: writes an answer as an option. A ValueError says that there is none to be asked for,
            for example the best of two equals.
        others: further options, wrong ones near the key given the answer, the likely ones first.
        choices: all options there are, where these are few: classes, maps, keypoints.
    """

    text: str
    question: Question
    shown: Callable[[Any], str]
    others: Callable[[Any], Iterable[str]] = lambda answer: ()
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of question about the work of a task, whose known mistakes give wrong options;
    `draw(rng, profile)` makes one for a profile of data."""

    name: str
    task: str
    draw: Callable[[Rng, str], Item]


class Kinds(dict[str, Kind]):
    """Kinds by name, filled by a decorator."""

    def add(self, task: str) -> Callable[[Callable[[Rng, str], Item]], Callable[[Rng, str], Item]]:
        """The decorated function draws a kind of question about a task; its name is the kind's."""
        def decorate(draw: Callable[[Rng, str], Item]) -> Callable[[Rng, str], Item]:
            name = draw.__name__.strip("_").replace("_", "-")
            self[name] = Kind(name, task, draw)
            return draw
        return decorate


def number(value: Any, digits: int = 2) -> str:
    """A single number with so many digits behind the point.

    Raises:
        ValueError: it is none, or too near the middle between two of these: another machine might
            round it to the other.
    """
    value = float(np.asarray(value, np.float64).reshape(()))
    if not np.isfinite(value):
        return "nan" if np.isnan(value) else "infinity"
    if abs(value * 10**digits % 1 - 0.5) < 1e-3:
        raise ValueError("too near the middle")
    shown = f"{value:.{digits}f}"
    return shown if float(shown) else shown.lstrip("-")


def numbers(values: Any, digits: int = 0) -> str:
    """A row of numbers: a box, offsets, a point."""
    return f"({', '.join(number(value, digits) for value in np.asarray(values).reshape(-1))})"


def listed(values: Any) -> str:
    """Whole numbers in their order; `none` of an empty list."""
    return ", ".join(str(int(value)) for value in np.asarray(values).reshape(-1)) or "none"


def near(value: Any, steps: Iterable[float]) -> Iterable[str]:
    """The value, and others at these distances from it, with two digits behind the point."""
    middle = float(np.asarray(value, np.float64).reshape(()))
    return (f"{abs(middle + step):.2f}" for step in steps)


def table(values: np.ndarray) -> str:
    """Rows of numbers, a line each."""
    return "\n".join("  ".join(f"{value:g}" for value in row) for row in values.tolist())
