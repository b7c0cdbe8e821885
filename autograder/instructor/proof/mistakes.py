"""Proof that the grader is right: every known mistake is made in a copy of the solution and graded.

What comes out is a matrix of mistakes against checks: caught, named, nothing lost outside of its
own task.
"""

import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ...assignment import ASSIGNMENT
from ...assignment.mistakes import Mistake, make
from ...assignment.tasks import TASKS
from ...engine.check import order
from ...engine.diagnosis import Bank
from ...engine.files import write_whole
from ...engine.grade import Options, grade
from ...engine.points import task_of
from ...engine.references import References
from ...engine.results import PASSED, Grade
from ...engine.sandbox.pool import Workers

# What the checks of a task run beside its own files and those of the tasks that it needs.
STARTS = {"1.14": ("problem1/evaluate.py",)}
NAMED_SHARE = 0.95  # of the mistakes must be named


@dataclass(frozen=True)
class Proved:
    """What became of one mistake.

    Args:
        task: where it may lose points.
        lost: number of each check that fails -> the points lost, 0 if the check has none.
        named: mistakes that messages name as the only one.
        several: checks whose message offers more than one.
        known: whether the bank has answers of it; none depends on trained weights.
    """

    mistake: str
    task: str
    lost: dict[str, float]
    named: tuple[str, ...]
    several: tuple[str, ...]
    known: bool

    @property
    def caught(self) -> bool:
        """Whether a check of its own task fails."""
        return any(task_of(number) == self.task for number in self.lost)

    @property
    def right_name(self) -> bool:
        """Whether it is named, and nothing else."""
        return self.named == (self.mistake,) and not self.several

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Other tasks that lose points."""
        return tuple(sorted({task_of(n) for n in self.lost} - {self.task}, key=order))

    @property
    def unfair(self) -> tuple[str, ...]:
        """Those of them that follow-through should have saved.

        It gives tasks the right values of functions. It cannot give them a network: without usable
        weights there is no accuracy.
        """
        unavoidable = {task.number for task in TASKS.values()
                       if self.task in task.needs and not TASKS[self.task].functions}
        return tuple(task for task in self.elsewhere if task not in unavoidable)


def prove(mistakes: Iterable[Mistake], references: References, bank: Bank, solution: Path,
          workers: Workers) -> Iterable[Proved]:
    """Make each mistake, and grade it by the checks that might notice it.

    Args:
        references: the public ones; bank: what mistakes are named from.
    """
    for mistake in mistakes:
        with tempfile.TemporaryDirectory(prefix="mistake-") as folder:
            made = make(mistake, solution, Path(folder) / "submission")
            options = Options(only=reached(mistake, references, solution))
            result = grade(ASSIGNMENT, made, options, references=[references], workers=workers,
                           bank=bank)
        yield Proved(
            mistake.name, mistake.task, _lost(result),
            named=tuple(dict.fromkeys(row.mistakes[0] for row in result.rows
                                      if len(row.mistakes) == 1)),
            several=tuple(row.check.number for row in result.rows if len(row.mistakes) > 1),
            known=mistake.name in bank.known)


def reached(mistake: Mistake, references: References, solution: Path) -> set[str]:
    """The tasks whose checks can notice a mistake.

    They import a file that it changes. If it changes `results/`, they may also read that folder.
    """
    found = {task for task in TASKS if mistake.edits.keys() & _imported(task, solution)}
    if mistake.change is not None:
        found |= {task_of(number) for number, reference in references.by_number.items()
                  if reference.question.results and number[0] == mistake.task[0]}
    return found


def _imported(task: str, solution: Path) -> set[str]:
    """The files of the solution that run in a task's checks."""
    starts = [file for number in (task, *TASKS[task].needs) for file in TASKS[number].files]
    waiting, found = [*starts, *STARTS.get(task, ())], set()
    while waiting:
        name = waiting.pop()
        if name in found or not (solution / name).is_file() or not name.endswith(".py"):
            continue
        found.add(name)
        text = (solution / name).read_text(encoding="utf-8")
        waiting += [f"{name.split('/')[0]}/{module}.py"
                    for module in re.findall(r"^ *(?:from|import) (\w+)", text, re.M)]
    return found


def lost_by_solution(references: References, solution: Path, workers: Workers) -> list[str]:
    """One line for every check in which the solution itself loses points."""
    result = grade(ASSIGNMENT, solution, references=[references], workers=workers)
    return [f"the solution fails check {number}" for number in _lost(result)]


def _lost(result: Grade) -> dict[str, float]:
    """See `Proved.lost`."""
    return {row.check.number: row.check.points - row.score for row in result.rows
            if row.verdict != PASSED or row.score < row.check.points}


def failures(proved: list[Proved]) -> list[str]:
    """One line for everything that a proof must not show."""
    lines = [f"{p.mistake} is not caught by a check of its task" for p in proved if not p.caught]
    lines += [f"{p.mistake} loses points in {', '.join(p.unfair)} as well"
              for p in proved if p.unfair]
    named, nameable = (sum(map(bool, flags)) for flags in (
        [p.right_name for p in proved], [p.known for p in proved]))
    if named < NAMED_SHARE * nameable:
        lines.append(f"only {named} of {nameable} mistakes are named, less than "
                     f"{NAMED_SHARE:.0%}")
    return lines


def summary(proved: list[Proved]) -> list[str]:
    """The numbers, and the exceptions from them."""
    lines = [f"{len(proved)} mistakes: {sum(p.caught for p in proved)} caught, "
             f"{sum(p.right_name for p in proved)} named, "
             f"{sum(not p.elsewhere for p in proved)} lose points in their own task alone"]
    for p in proved:
        if not p.right_name:
            lines.append(f"  {p.mistake}: not named (named: {', '.join(p.named) or 'none'}; "
                         f"several in: {', '.join(p.several) or 'none'})")
        if p.elsewhere:
            lines.append(f"  {p.mistake}: {', '.join(p.elsewhere)} as well"
                         + ("" if p.unfair else ", which needs its network"))
    return lines


def write(proved: list[Proved], folder: Path) -> list[Path]:
    """Write `matrix.json` and `matrix.md`, a table per task."""
    content = {"checks": [check.number for check in ASSIGNMENT.checks],
               "mistakes": [{**asdict(p), "caught": p.caught, "right_name": p.right_name,
                             "elsewhere": p.elsewhere} for p in proved]}
    paths = [folder / "matrix.json", folder / "matrix.md"]
    write_whole(paths[0], json.dumps(content, indent=1) + "\n")
    write_whole(paths[1], "\n".join(_tables(proved)) + "\n")
    return paths


def _tables(proved: list[Proved]) -> Iterable[str]:
    yield "# Known mistakes against checks\n"
    yield from summary(proved)
    yield "\n`x`: the check fails. Elsewhere: other tasks that lose points.\n"
    numbers = [check.number for check in ASSIGNMENT.checks]
    for task in sorted({p.task for p in proved}, key=order):
        own = [number for number in numbers if task_of(number) == task]
        yield f"## Task {task}\n"
        yield f"| mistake | {' | '.join(own)} | elsewhere | named |"
        yield "|---" * (len(own) + 3) + "|"
        for p in proved:
            if p.task == task:
                cells = ["x" if number in p.lost else "" for number in own]
                yield (f"| {p.mistake} | {' | '.join(cells)} | {', '.join(p.elsewhere)} | "
                       f"{'yes' if p.right_name else 'no'} |")
        yield ""
