"""Build the bank: ask every known mistake the public questions of its task.

What trained weights predict is left out, since no submission has those of the solution. Where two
mistakes change the answers of one function, both at once are asked as well.
"""

import hashlib
import inspect
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from ..assignment import ASSIGNMENT
from ..assignment.mistakes import DoesNotApply, Mistake, all_mistakes, make
from ..engine.check import Check
from ..engine.command import Bar
from ..engine.diagnosis import BOTH, Bank, Known, as_stored
from ..engine.judging import accepts, agrees, judge
from ..engine.references import References, worker_seed
from ..engine.sandbox.pool import Workers
from ..engine.submission import Submission

LARGEST = 1 << 18  # bytes of an answer that is kept of two mistakes at once


def refresh(former: Bank | None, solution: Path, references: References,
            changed: Collection[str] | None = None) -> tuple[Bank, int]:
    """The bank for today's mistakes and references, and how many mistakes were asked anything.

    Args:
        former: the stored bank, of which is kept what still holds; None for a new one.
        references: the public ones.
        changed: checks whose questions are others than when `former` was made; None for all.
    """
    known = list(all_mistakes().values())
    former = former if former is not None and changed is not None else Bank({}, {}, {})
    checks = {mistake.name: _to_ask(mistake, former, references, changed) for mistake in known}
    # What was answered before still holds where none that is in it is asked again, and while the
    # check does not take it for right.
    answers = {number: {name: answer for name, answer in former.answers.get(number, {}).items()
                        if all(part in checks and number not in {
                            check.number for check in checks[part]} for part in name.split(BOTH))
                        and not ("value" in answer and accepts(
                            ASSIGNMENT.by_number[number], reference, answer["value"],
                            reference.expected))}
               for number, reference in references.by_number.items()}
    asked = [mistake for mistake in known if checks[mistake.name]]
    if asked:
        with Workers(ASSIGNMENT) as workers, ThreadPoolExecutor(workers.slots) as pool:
            def ask(checks: list[Check], *ways: Mistake) -> None:
                for way in ways:
                    with suppress(DoesNotApply):  # one may change a passage that the other needs
                        return _ask(way, checks, solution, references, workers, answers)

            for done in Bar([pool.submit(ask, checks[one.name], one) for one in asked],
                            desc="known mistakes", unit="mistake"):
                done.result()
            pairs = []
            for one, other in combinations([m for m in known if m.edits], 2):
                new = {*checks[one.name], *checks[other.name]}
                meet = [check for check in _meet(one.name, other.name, answers, references)
                        if check in new]
                if meet:
                    pairs.append((meet, together(one, other), together(other, one)))
            for done in Bar([pool.submit(ask, *pair) for pair in pairs], desc="pairs", unit="pair"):
                done.result()
    named = {name for by_name in answers.values() for name in by_name}
    return Bank({mistake.name: Known(*(getattr(mistake, field.name) for field in fields(Known)))
                 for mistake in known if mistake.name in named},
                {number: dict(sorted(by_name.items())) for number, by_name in answers.items()
                 if by_name},
                {mistake.name: digest(mistake) for mistake in known}), len(asked)


def digest(mistake: Mistake) -> str:
    """12 hex digits of what a mistake does; its texts do not count."""
    done = [(mistake.edits, inspect.getsource(mistake.change) if mistake.change else "")]
    return hashlib.sha256(repr((mistake.task, done)).encode()).hexdigest()[:12]


def _to_ask(mistake: Mistake, former: Bank, references: References,
            changed: Collection[str] | None) -> list[Check]:
    """The checks that a mistake is to be asked: all of its task, or those that have changed."""
    checks = [check for check in ASSIGNMENT.every_check if check.task_number == mistake.task
              and check.measured is None]
    if former.digests.get(mistake.name) != digest(mistake):
        return checks
    return [check for check in checks if check.number in (changed or ())]


def together(*mistakes: Mistake) -> Mistake:
    """Mistakes in code, all of them in one submission."""
    edits: dict[str, list[tuple[str, str]]] = {}
    for file, changes in (change for mistake in mistakes for change in mistake.edits.items()):
        edits.setdefault(file, []).extend(changes)
    return replace(mistakes[0], name=BOTH.join(mistake.name for mistake in mistakes), edits=edits)


def _ask(mistake: Mistake, checks: list[Check], solution: Path, references: References,
         workers: Workers, answers: dict[str, dict[str, Any]]) -> None:
    """Add to `answers` what a mistake answers wrongly, and not as one of its parts alone does."""
    with tempfile.TemporaryDirectory(prefix="mistake-") as folder:
        made = Submission(make(mistake, solution, Path(folder) / "submission"), ())
        inquiry = workers.about(made)
        futures = [inquiry.ask(references.by_number[check.number].question, mistake.task,
                               worker_seed(references.made)) for check in checks]
        given = [future.result() for future in futures]
    for check, answer in zip(checks, given):
        reference, stored = references.by_number[check.number], as_stored(answer)
        others = answers[check.number]
        # An error that two raise together tells of neither: other code has it for other reasons.
        if (stored is not None and (BOTH not in mistake.name if "error" in stored else
                                    reference.question.truth is None)
                and not judge(check, references.tier, reference, answer).passed
                and not any(agrees(check, reference, answer, others[part])
                            for part in mistake.name.split(BOTH) if part in others)):
            others[mistake.name] = stored


def _meet(one: str, other: str, answers: dict[str, dict[str, Any]],
          references: References) -> list[Check]:
    """The checks of functions whose answers both change, where they fail for one of them."""
    checks = [[check for check in ASSIGNMENT.every_check if name in answers.get(check.number, ())
               and sum(references.by_number[check.number].size) <= LARGEST]
              for name in (one, other)]
    asked = [{(check.task_number, references.by_number[check.number].question.asked)
              for check in some} for some in checks]
    return [check for check in dict.fromkeys(checks[0] + checks[1])
            if (check.task_number, references.by_number[check.number].question.asked)
            in asked[0] & asked[1]]
