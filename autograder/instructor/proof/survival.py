"""Which mutants of the solution the checks catch, and which survive.

A mutant is caught when a check of its task fails on the public inputs. Comments of the solution
excuse those that no check should catch (see `excuses`); an excuse that is not true is reported.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ...assignment import ASSIGNMENT
from ...engine.command import Bar
from ...engine.compare import Wrong
from ...engine.judging import judge
from ...engine.references import References, worker_seed
from ...engine.sandbox.pool import Workers
from ...engine.submission import Submission
from .excuses import KINDS, Excuse
from .mutation import Mutant

CAUGHT_SHARE = 0.97  # of the mutants that are not excused must be caught


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: the number of the first check that failed, None if all passed, and
    what it said."""

    mutant: Mutant
    check: str | None
    message: str = ""


def excuse_of(mutant: Mutant, excuses: list[Excuse]) -> Excuse | None:
    """The first excuse that fits."""
    return next((excuse for excuse in excuses if excuse.fits(mutant)), None)


def sample(mutants: list[Mutant], excuses: list[Excuse], every: int) -> list[Mutant]:
    """Every n-th mutant without an excuse, where n is `every`: the same ones each time."""
    return [mutant for mutant in mutants if excuse_of(mutant, excuses) is None][::every]


def try_out(solution: Path, mutants: list[Mutant], references: References,
            workers: Workers) -> list[Verdict]:
    """Ask the checks of each mutant's task until one fails, of as many side by side as there are
    slots of `workers`.

    Args:
        references: the public ones. Checks that read `results/` are left out: they grade what the
            code has written, not the code.

    Raises:
        Wrong: the solution itself fails a check, so that nothing could be concluded.
    """
    checks = [check for check in ASSIGNMENT.checks
              if not references.by_number[check.number].question.results]

    def judged(tasks: Collection[str], file: str = "", text: str = "") -> tuple[str | None, str]:
        """The check that fails where a file has another text, and its message."""
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            root = Path(folder)
            for problem in ASSIGNMENT.problems:
                shutil.copytree(solution / problem, root / problem,
                                ignore=shutil.ignore_patterns("results", "__pycache__"))
            if file:
                (root / file).write_text(text, encoding="utf-8")
            inquiry = workers.about(Submission(root, ()))
            for check in checks:
                if check.task_number in tasks:
                    reference = references.by_number[check.number]
                    answer = inquiry.ask(reference.question, check.task_number,
                                         worker_seed(references.made)).result()
                    error = judge(check, references.tier, reference, answer).error
                    if error is not None:
                        return check.number, str(error)
        return None, ""

    number, message = judged({task for mutant in mutants for task in mutant.tasks})
    if number is not None:
        raise Wrong(f"the solution itself fails check {number}: {message}")
    with ThreadPoolExecutor(workers.slots) as threads:
        verdicts = threads.map(
            lambda mutant: Verdict(mutant, *judged(mutant.tasks, mutant.file, mutant.text)),
            mutants)
        return list(Bar(verdicts, desc="mutants", unit="mutant", total=len(mutants), leave=None))


@dataclass(frozen=True)
class Survival:
    """What the verdicts on all mutants of the solution, or on a sample, amount to."""

    mutants: list[Mutant]
    excuses: list[Excuse]
    verdicts: list[Verdict]

    @cached_property
    def excused(self) -> dict[Mutant, Excuse]:
        """Survivors with an excuse."""
        return {v.mutant: excuse for v in self.verdicts
                if v.check is None and (excuse := excuse_of(v.mutant, self.excuses))}

    @cached_property
    def survivors(self) -> list[Mutant]:
        """Those without."""
        return [v.mutant for v in self.verdicts if v.check is None and v.mutant not in self.excused]

    @property
    def caught(self) -> int:
        return sum(verdict.check is not None for verdict in self.verdicts)

    @property
    def share(self) -> float:
        """Caught mutants among those that are not excused."""
        return self.caught / max(1, self.caught + len(self.survivors))

    def untrue(self) -> list[str]:
        """One line for everything that an excuse says and that is not so."""
        told = []
        whole = len(self.verdicts) == len(self.mutants)
        for excuse in self.excuses:
            if not any(excuse.fits(mutant) for mutant in self.mutants):
                told.append(f"{excuse}: there is no such mutant")
                continue
            told += [f"{excuse}: there is no mutant {change}" for change in excuse.changes
                     if not any(replace(excuse, changes=(change,)).fits(mutant)
                                for mutant in self.mutants)]
            verdicts = [verdict for verdict in self.verdicts if excuse.fits(verdict.mutant)]
            if excuse.kind != "free":
                told += [f"{excuse}: check {v.check} does catch {v.mutant.mutated}"
                         for v in verdicts if v.check is not None]
            elif whole and all(verdict.check is not None for verdict in verdicts):
                told.append(f"{excuse}: every mutant is caught")
        return told

    def failures(self) -> list[str]:
        """One line for everything that a proof must not show."""
        lines = self.untrue()
        if self.share < CAUGHT_SHARE:
            lines.append(f"{self.share:.1%} of the mutants are caught, less than "
                         f"{CAUGHT_SHARE:.0%}")
        return lines

    def summary(self) -> list[str]:
        """The numbers, and the survivors."""
        kinds = Counter(excuse.kind for excuse in self.excused.values())
        lines = [f"{len(self.verdicts)} of {len(self.mutants)} mutants: {self.caught} caught, "
                 f"{len(self.survivors)} survive ({self.share:.1%} caught)"]
        lines += [f"  {kinds[kind]} more {what}" for kind, what in KINDS.items() if kinds[kind]]
        return lines + [f"  survives: {mutant}" for mutant in self.survivors]

    def stored(self) -> dict[str, Any]:
        """What is written down."""
        return {
            "mutants": len(self.mutants), "tried": len(self.verdicts), "caught": self.caught,
            "share": self.share,
            "excused": dict(Counter(excuse.kind for excuse in self.excused.values())),
            "survivors": [_plain(mutant) for mutant in self.survivors],
            "excuses": [{"excuse": str(excuse), "reason": excuse.reason, "mutants": [
                _plain(m) for m, given in self.excused.items() if given is excuse]}
                for excuse in self.excuses],
            "caught_by": [{**_plain(v.mutant), "check": v.check, "message": v.message}
                          for v in self.verdicts if v.check is not None],
        }


def _plain(mutant: Mutant) -> dict[str, Any]:
    return {key: getattr(mutant, key)
            for key in ("file", "line", "function", "operator", "original", "mutated")}
