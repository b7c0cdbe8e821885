"""What the engine is told of an assignment, and how it finds the rest.

An assignment is a package with an `ASSIGNMENT`. Beside it lie

    checks/        modules `test_*.py` of graded checks
    points.toml    their points
    probes/        PROBES: what questions may ask beyond the engine's own (optional)
    recorded.py    RECORDED: earlier functions that can be answered from a record (optional)
    figures/       DRAW and ALWAYS: figures of answers (optional)
    references/    stored answers of the solution and of known mistakes
"""

import functools
import importlib
import pkgutil
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .check import Check, Task, order
from .points import Points, load_points

RULE = re.compile(r"^- \*\*([A-Z]\w*\.[a-z0-9.\-]+)\*\* (.+?)(?=^- \*\*|^#|^\s*$|\Z)", re.M | re.S)


@dataclass(frozen=True, eq=False)
class Assignment:
    """An assignment.

    Args:
        package: its dotted name.
        title: what it is called.
        problems: the folders of a submission.
        tasks: in the order in which they are done.
        rules_file: Markdown in which `- **P1.iou.tiny** text` states a rule.
        solution: the reference implementation; student code must not see it.
        libraries: what student code may import beside the standard library.
        hints: task number -> where to look when it has failed twice.
        methods: probe -> the code before the brackets of a call, and the inputs that stand within
            them, to show what was asked; `{num_classes}` in the code is the input of this name.
        unfilled: says, of what is handed in beside the code (name -> content), what is still empty.
    """

    package: str
    title: str
    problems: tuple[str, ...]
    tasks: Mapping[str, Task]
    rules_file: Path
    solution: Path
    libraries: frozenset[str]
    hints: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unfilled: Callable[[Mapping[str, bytes]], Sequence[str]] = lambda handed: ()

    @property
    def folder(self) -> Path:
        """Where the package lies."""
        return Path(str(importlib.import_module(self.package).__file__)).parent

    @property
    def checks_folder(self) -> Path:
        """Where its checks lie."""
        return self.folder / "checks"

    @property
    def references(self) -> Path:
        """Where its references lie."""
        return self.folder / "references"

    @property
    def modules(self) -> frozenset[str]:
        """The modules that students write: the files of the tasks, there or not."""
        return frozenset(Path(file).stem for task in self.tasks.values()
                         for file in task.files if file.endswith(".py"))

    @functools.cached_property
    def points(self) -> Points:
        """Its points file.

        Raises:
            BadPoints: it cannot be used, or does not fit the checks.
        """
        return load_points(self.folder / "points.toml")

    @functools.cached_property
    def rules(self) -> dict[str, str]:
        """Rule id -> its text on one line, in the order of the file."""
        return {identifier: " ".join(text.split()) for identifier, text in
                RULE.findall(self.rules_file.read_text(encoding="utf-8"))}

    @functools.cached_property
    def every_check(self) -> tuple[Check, ...]:
        """Every check, task by task, those that are switched off as well.

        Raises:
            BadPoints: see `points`.
            ValueError: two checks have one number, one has no task or no rule, or a module of
                checks cannot be imported.
            OSError: the rules cannot be read.
        """
        found: dict[str, Check] = {}
        for check in self._written():
            if check.number in found:
                raise ValueError(f"there are two checks with the number {check.number}")
            task = self.tasks.get(check.task_number)
            if task is None:
                raise ValueError(f"there is no task for check {check.number}")
            if check.rule not in self.rules:
                raise ValueError(f"{self.rules_file.name} has no rule {check.rule}, which check "
                                 f"{check.number} tests")
            found[check.number] = replace(
                check, task=task, points=self.points.of(check.number),
                extra=check.number in self.points.extra,
                accuracy=self.points.accuracy.get(check.number))
        self.points.match({
            check.number: check.measured is not None and check.measured.per_image is not None
            for check in found.values()})
        place = {task: index for index, task in enumerate(self.tasks)}
        return tuple(sorted(found.values(), key=lambda check: (
            place[check.task_number], order(check.number))))

    @functools.cached_property
    def checks(self) -> tuple[Check, ...]:
        """The checks that are graded, task by task; raises as `every_check`."""
        return tuple(check for check in self.every_check if not is_selected(check, self.points.off))

    @functools.cached_property
    def by_number(self) -> dict[str, Check]:
        """Graded checks by their numbers."""
        return {check.number: check for check in self.checks}

    def _written(self) -> Iterator[Check]:
        """The checks as their modules define them."""
        name = f"{self.package}.checks"
        for module in pkgutil.iter_modules([str(self.checks_folder)]):
            if module.name.startswith("test_"):
                try:
                    content = vars(importlib.import_module(f"{name}.{module.name}"))
                except Exception as error:  # whoever edits a check reads one line
                    raise ValueError(f"checks/{module.name}.py cannot be imported: "
                                     f"{type(error).__name__}: {error}") from error
                yield from (value for value in content.values() if isinstance(value, Check))

    def selected(self, only: str | Collection[str] | None) -> list[Check]:
        """The checks of a problem ("1"), task ("1.2"), check ("1.2.3"), rule ("P1.iou.tiny") or
        all rules that begin so ("P1.iou"), or several of these."""
        return [check for check in self.checks if only is None or is_selected(check, only)]

    def selections(self) -> set[str]:
        """What may be selected: problems, tasks, check numbers and rules."""
        return {name for check in self.checks for name in _selections(check)}

    def inner_order(self) -> list[str]:
        """Task numbers, each after the tasks that it needs."""
        done: dict[str, None] = {}

        def visit(number: str) -> None:
            if number not in done:
                for need in self.tasks[number].needs:
                    visit(need)
                done[number] = None

        for number in self.tasks:
            visit(number)
        return list(done)


def is_selected(check: Check, only: str | Collection[str]) -> bool:
    """Whether a check is selected, see `Assignment.selected`."""
    return bool(_selections(check) & ({only} if isinstance(only, str) else set(only)))


def _selections(check: Check) -> set[str]:
    return {".".join(parts[:length]) for parts in (check.number.split("."), check.rule.split("."))
            for length in range(1, len(parts) + 1)}


@functools.cache
def load(package: str) -> Assignment:
    """The assignment of a package, for example `"autograder.assignment"`.

    Raises:
        ImportError: there is no such package.
        TypeError: it defines no assignment.
    """
    assignment = getattr(importlib.import_module(package), "ASSIGNMENT", None)
    if not isinstance(assignment, Assignment):
        raise TypeError(f"{package} defines no ASSIGNMENT")
    return assignment
