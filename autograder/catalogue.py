"""Find the graded checks without running them: the modules of `autograder/checks`."""

import importlib
import pkgutil
from types import FunctionType

from . import checks as package
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


def all_checks() -> list[Check]:
    """Every graded check, in the order of their numbers."""
    found = []
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("test_"):
            continue
        content = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        found += [describe(value) for name, value in content.items()
                  if name.startswith("test_") and hasattr(value, "__number__")]
    return sorted(found, key=lambda check: order(check.number))


def selected(check: Check, only: str | None) -> bool:
    """Whether a check belongs to `only`: a problem ("1"), task ("1.2") or check ("1.2.3")."""
    return only is None or check.number == only or check.number.startswith(f"{only}.")


def known_selections() -> set[str]:
    """What `only` may be: problems, tasks and check numbers."""
    return {"1", "2", *TASKS, *(check.number for check in all_checks())}
