"""The bank of known mistakes: each is a small wrong variant of the solution.

For instructors only. Students and Gradescope get what the mistakes answer, as data (see
`autograder.engine.diagnosis`); this folder and the solution stay at home.
"""

import functools
import importlib
import pkgutil
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .. import ASSIGNMENT
from ..report import NAME


class DoesNotApply(ValueError):
    """A mistake's passage is not in the solution (any more); the message says which."""


@dataclass(frozen=True)
class Mistake:
    """A known mistake.

    Args:
        name: unique, lower case with hyphens: "anchors-scale-major".
        title: what the code does, a verb phrase to follow "your code": "puts all cells of one
            scale before the next scale".
        explanation: two sentences that a student understands: what goes wrong because of it, and
            what to do instead (without the solution's code).
        sentence: of the rules, which it breaks: "P1.anchors.order/1" is the first of that rule.
        task: the one task whose points it costs.
        edits: file of the solution -> pairs of a passage, which occurs there once, and what stands
            in its place.
        change: for mistakes in results instead of code: a function that changes the folder of the
            submission.
    """

    name: str
    title: str
    explanation: str
    sentence: str
    task: str
    edits: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    change: Callable[[Path], object] | None = None

    @property
    def rule(self) -> str:
        """Id of the rule it breaks, which messages name."""
        return self.sentence.partition("/")[0]


def mistake(name: str, title: str, explanation: str, sentence: str,
            passages: Iterable[tuple[str, str]] = (),
            change: Callable[[Path], object] | None = None) -> Mistake:
    """A mistake as it is written down: its task is that of the rule, and each of the `passages`,
    with what stands in its place, is of the first file that holds it, the task's own before others.
    """
    rule = sentence.partition("/")[0]
    task = {check.rule: check.task for check in ASSIGNMENT.every_check}[rule]
    texts = _texts(f"problem{task.number[0]}")
    own = [file for file in task.files if file in texts]
    edits: dict[str, list[tuple[str, str]]] = {}
    for old, new in passages:
        file = next((file for file in (*own, *texts) if old in texts[file]), [*own, *texts][0])
        edits.setdefault(file, []).append((old, new))
    return Mistake(name, title, explanation, sentence, task.number, edits, change)


@functools.cache
def _texts(problem: str) -> dict[str, str]:
    """The code of a problem of the solution, by file."""
    return {path.relative_to(ASSIGNMENT.solution).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted((ASSIGNMENT.solution / problem).glob("*.py"))}


def all_mistakes() -> dict[str, Mistake]:
    """Every mistake by name, from the modules of this package: each has a list `MISTAKES`."""
    found: dict[str, Mistake] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        for mistake in importlib.import_module(f"{__name__}.{module.name}").MISTAKES:
            if mistake.name in found:
                raise ValueError(f"there are two mistakes named {mistake.name}")
            found[mistake.name] = mistake
    return found


def edited(mistake: Mistake, solution: Path) -> dict[str, str]:
    """The files of the solution that a mistake changes in code: name -> text with the mistake.

    Raises:
        DoesNotApply: a passage is missing, or is there more than once.
    """
    files: dict[str, str] = {}
    for name, replacements in mistake.edits.items():
        text = (solution / name).read_text(encoding="utf-8")
        for old, new in replacements:
            if text.count(old) != 1:
                raise DoesNotApply(
                    f"{mistake.name}: {name} holds {text.count(old)} times: {old.strip()[:80]}")
            text = text.replace(old, new)
        files[name] = text
    return files


def make(mistake: Mistake, solution: Path, to: Path) -> Path:
    """Copy the mistake's problem of the solution, and the report, into the new folder `to` and make
    it there.

    Raises:
        DoesNotApply: see `edited`.
    """
    texts = edited(mistake, solution)
    problem = f"problem{mistake.task[0]}"
    shutil.copytree(solution / problem, to / problem,
                    ignore=shutil.ignore_patterns("__pycache__", "visualizations", "runs"))
    if (solution / NAME).is_file():
        shutil.copy(solution / NAME, to)
    for name, text in texts.items():
        (to / name).write_text(text, encoding="utf-8")
    if mistake.change is not None:
        mistake.change(to)
    return to
