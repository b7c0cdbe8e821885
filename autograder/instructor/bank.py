"""Build the bank: ask every known mistake the public questions of its task.

What trained weights predict is left out, since no submission has those of the solution. So are
pairs whose parts show in answers of different functions: there each part is named by itself.
"""

import hashlib
import inspect
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields
from pathlib import Path

from ..assignment import ASSIGNMENT
from ..assignment.mistakes import Mistake, all_mistakes, make, parts
from ..engine.check import Check
from ..engine.diagnosis import Bank, Known, as_stored
from ..engine.judging import judge
from ..engine.references import References, worker_seed
from ..engine.sandbox.pool import Workers
from ..engine.submission import Submission


def refresh(former: Bank | None, solution: Path, references: References,
            changed: Collection[str] | None = None, mistakes: Iterable[Mistake] | None = None,
            progress: Callable[[list[Mistake]], Iterable[Mistake]] = iter) -> tuple[Bank, int]:
    """The bank for today's mistakes and references, and how many mistakes were asked anything.

    Args:
        former: the stored bank, of which is kept what still holds; None for a new one.
        references: the public ones.
        changed: checks whose questions are others than when `former` was made; None for all.
        mistakes: all of them, unless given.
        progress: wraps the list of mistakes that are asked.
    """
    known = list(mistakes) if mistakes is not None else list(all_mistakes().values())
    former = former if former is not None and changed is not None else Bank({}, {}, {})
    checks = {mistake.name: _to_ask(mistake, former, references, changed) for mistake in known}
    bank = Bank({}, {}, {mistake.name: digest(mistake) for mistake in known})
    asked = [mistake for mistake in known if checks[mistake.name]]
    answers: dict[str, dict[str, dict]] = {}
    if asked:
        with Workers(ASSIGNMENT) as workers:
            for mistake in progress(asked):
                answers[mistake.name] = _wrong_answers(
                    mistake, checks[mistake.name], solution, references, workers)
    # Parts come before the pair.
    for mistake in sorted(known, key=lambda mistake: len(mistake.pair)):
        wrong = answers.get(mistake.name, {})
        wrong |= {number: by_name[mistake.name] for number, by_name in former.answers.items()
                  if mistake.name in by_name and number in references.by_number
                  and number not in {check.number for check in checks[mistake.name]}}
        if wrong and (not mistake.pair or _meet(mistake.pair, bank, references)):
            bank.known[mistake.name] = Known(
                *(getattr(mistake, field.name) for field in fields(Known)))
            for number, answer in wrong.items():
                bank.answers.setdefault(number, {})[mistake.name] = answer
    bank.answers.update({n: bank.answers[n] for n in references.by_number if n in bank.answers})
    return bank, len(asked)


def digest(mistake: Mistake) -> str:
    """12 hex digits of what a mistake does; its texts do not count."""
    done = [(part.edits, inspect.getsource(part.change) if part.change else "")
            for part in parts(mistake)]
    return hashlib.sha256(repr((mistake.task, done)).encode()).hexdigest()[:12]


def _to_ask(mistake: Mistake, former: Bank, references: References,
            changed: Collection[str] | None) -> list[Check]:
    """The checks that a mistake is to be asked: all of its task, or those that have changed."""
    checks = [check for check in ASSIGNMENT.every_check if check.task_number == mistake.task
              and check.measured is None]
    if former.digests.get(mistake.name) != digest(mistake):
        return checks
    return [check for check in checks if check.number in (changed or ())]


def _wrong_answers(mistake: Mistake, checks: list[Check], solution: Path, references: References,
                   workers: Workers) -> dict[str, dict]:
    """What a mistake answers wrongly, by check number."""
    with tempfile.TemporaryDirectory(prefix="mistake-") as folder:
        made = Submission(make(mistake, solution, Path(folder) / "submission"), ())
        inquiry = workers.about(made)
        futures = [inquiry.ask(references.by_number[check.number].question, mistake.task,
                               worker_seed(references.made)) for check in checks]
        answers = [future.result() for future in futures]
    wrong = {}
    for check, answer in zip(checks, answers):
        reference, stored = references.by_number[check.number], as_stored(answer)
        if (stored is not None and ("error" in stored or reference.question.truth is None)
                and not judge(check, references.tier, reference, answer).passed):
            wrong[check.number] = stored
    return wrong


def _meet(names: tuple[str, ...], bank: Bank, references: References) -> bool:
    """Whether several mistakes change answers of one function in one task."""
    changed = []
    for name in names:
        numbers = [number for number, answers in bank.answers.items() if name in answers]
        changed.append({(number.rpartition(".")[0], references.by_number[number].question.asked)
                        for number in numbers})
    return bool(set.intersection(*changed))
