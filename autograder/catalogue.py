"""Find the graded checks without running them: the modules of `autograder/checks`."""

import importlib
import pkgutil
from collections.abc import Collection
from types import FunctionType

from . import checks as package
from .points import points
from .questions import Check
from .tasks import TASKS, order


def describe(function: FunctionType) -> Check:
    """The check that a decorated test function is."""
    return Check(
        number=function.__number__,
        title=" ".join((function.__doc__ or "").split()),
        points=float(function.__weight__),
        rule=function.__rule__,
        ask=function.__ask__,
    )


def check_functions() -> list[FunctionType]:
    """The function of every graded check, in the order of their numbers."""
    found = []
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("test_"):
            continue
        content = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        found += [value for name, value in content.items()
                  if name.startswith("test_") and hasattr(value, "__number__")]
    return sorted(found, key=lambda function: order(function.__number__))


def all_checks() -> list[Check]:
    """Every graded check, in the order of their numbers.

    Raises:
        BadPoints: `points.toml` does not fit them.
    """
    found = [describe(function) for function in check_functions()]
    points().match([check.number for check in found])
    return found


def selected(check: Check, only: str | Collection[str] | None) -> bool:
    """Whether a check belongs to `only`: a problem ("1"), task ("1.2") or check ("1.2.3"), or
    several of these.
    """
    if only is None:
        return True
    parts = check.number.split(".")
    names = {".".join(parts[:length]) for length in (1, 2, 3)}
    return bool(names & ({only} if isinstance(only, str) else set(only)))


def known_selections() -> set[str]:
    """What `only` may be: problems, tasks and check numbers."""
    return {"1", "2", *TASKS, *(check.number for check in all_checks())}
