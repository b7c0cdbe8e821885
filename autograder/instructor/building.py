"""Build references: run the solution once over seeded questions, and keep what it answers."""

import contextlib
import tempfile
from collections.abc import Collection
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..engine import digests
from ..engine.assignment import Assignment, is_selected
from ..engine.command import Bar
from ..engine.compare import Wrong
from ..engine.judging import same
from ..engine.references import Reference, References, derived, draw, stored, worker_seed
from ..engine.sandbox import wire
from ..engine.sandbox.channel import Answer
from ..engine.sandbox.pool import Workers
from ..engine.submission import take_in


def build(assignment: Assignment, solution: Path, tier: str, seed: int, made: dict[str, Any],
          only: str | Collection[str] | None = None, workers: Workers | None = None) -> References:
    """Ask the solution the questions of checks, those that are switched off as well.

    Args:
        solution: the folder of the one that is asked.
        tier: "public" or "hidden".
        seed: of the questions.
        made: what is recorded about the set, for example the data profile; checks that draw
            grading images read it.
        only: the checks to ask, see `Assignment.selected`; None for all.
        workers: warm ones, which stay open.

    Raises:
        Wrong: the solution could not answer.
        ValueError: it is not good enough for floor and target of an accuracy.
    """
    checks = [check for check in assignment.every_check if only is None or is_selected(check, only)]
    new = {**made, "seed": seed, "probes": probe_code(assignment)}
    if not checks:
        return References(tier, new, {})
    questions = {check.number: draw(check, seed, tier, made) for check in checks}
    by_number = {}
    lent = contextlib.nullcontext(workers) if workers else Workers(assignment)
    with tempfile.TemporaryDirectory(prefix="references-") as folder, lent as warm:
        inquiry = warm.about(take_in(solution, Path(folder), assignment.problems))
        futures: dict[str, Future[Answer]] = {}
        for check in checks:
            earlier = [name for need in check.task.needs
                       for name in assignment.tasks[need].functions]
            futures[check.number] = futures.get(check.like) or inquiry.ask(
                questions[check.number], check.task_number, worker_seed(new),
                {"record": earlier} if earlier else None)
        for check in Bar(checks, desc=f"{tier} references", unit="check", leave=None):
            answer = futures[check.number].result()
            if answer.status != "ok":
                raise Wrong(f"check {check.number}: the solution gave no answer ({answer.status}): "
                            f"{answer.error or answer.detail}")
            question, expected = questions[check.number], answer.value
            if check.measured is not None:
                reached = check.measured.accuracy(expected, question)
                expected = None if reached is None else derived(
                    check, question, {"reference": round(reached, 4)})
            text, arrays = map(_roughly, wire.size_of(answer.value))
            by_number[check.number] = Reference(question, expected, answer.earlier, (text, arrays))
    return References(tier, new, by_number)


def _roughly(size: int) -> int:
    """A size and up to an eighth more: that of a traced network differs from run to run."""
    step: int = 2 ** max(0, size.bit_length() - 4)
    return -(-size // step) * step


def probe_code(assignment: Assignment) -> str:
    """Digest of the code that puts the questions; comments and docstrings do not count."""
    paths = [Path(digests.__file__).with_name("sandbox") / "probes.py",
             *assignment.folder.glob("probes/*.py"),
             *assignment.folder.glob("recorded.py")]
    return digests.digest({path.name: digests.code_of(path.read_bytes()) for path in paths})


def stale(assignment: Assignment, references: References) -> list[str]:
    """Numbers of the checks whose question is not the stored one any more.

    A tolerance, a sentence, points, floors and targets may change: none of them is a question.
    Numbers may differ as far as processors do (`judging.same`).
    """
    if references.made.get("probes") != probe_code(assignment):  # they put the questions
        return [check.number for check in assignment.every_check]
    found = []
    for check in assignment.every_check:
        now = draw(check, references.made["seed"], references.tier, references.made)
        before = references.by_number.get(check.number)
        if before is None or not same(stored(before.question), stored(now)):
            found.append(check.number)
    return found
