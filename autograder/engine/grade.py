"""Grade one submission: take it in, run the checks, keep the rows."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import results, sources
from .assignment import Assignment
from .diagnosis import Bank, load_bank
from .files import FULL
from .grading import Grading
from .references import References, load
from .sandbox.layers import REQUIRED
from .sandbox.pool import DEFAULT_KIND, Workers
from .submission import Submission, take_in


@dataclass(frozen=True)
class Options:
    """How to grade.

    Args:
        tiers: which inputs: public, or public and hidden.
        only: a problem, task or check number, or several; None for all.
        slots: checks side by side; threads: torch threads of each.
        budget: seconds after which remaining checks are given up.
        workers: "fork" or "spawn".
        isolate: False leaves the lock-down out; for measuring what it costs, and nothing else.
        require_isolation: refuse to run without the layers of `sandbox.layers.REQUIRED`.
        json: where results.json goes, if anywhere; rewritten after every check.
        before: what earlier grades of the same work said.
    """

    tiers: tuple[str, ...] = ("public",)
    only: str | Collection[str] | None = None
    slots: int = max(1, min(4, os.cpu_count() or 1))
    threads: int = 1
    budget: float = 900.0
    workers: str = DEFAULT_KIND
    isolate: bool = True
    require_isolation: bool = False
    json: Path | None = None
    before: results.Before = field(default_factory=results.Before)


DEFAULT = Options()
Progress = Callable[[results.Row, int], None]


def grade(
    assignment: Assignment,
    source: Path | Sequence[Path] | Submission,
    options: Options = DEFAULT,
    progress: Progress = lambda row, total: None,
    references: list[References] | None = None,
    workers: Workers | None = None,
    bank: Bank | None = None,
    run: Callable[[Grading], None] = Grading.run,
) -> results.Grade:
    """Grade a submission.

    Args:
        source: its folder or zip file, several of them, or what was taken in of them already.
        progress: called after every outcome with the row and the number of outcomes to come in all.
        references: instead of the stored ones.
        workers: warm ones, which stay open; `slots`, `threads`, `workers` and `isolate` are theirs.
        bank: known mistakes, instead of the stored ones.
        run: judges all checks of a grading: one after another, or as a run of pytest
            (`pytest_plugin.run`).

    Raises:
        NoSubmission, BadReferences: one-line errors for the person at the terminal.
        ValueError: a layer is missing that `require_isolation` asks for.
        WorkersBroke: no check could be run.
    """
    with prepared(assignment, source, options, progress, references, workers, bank) as grading:
        run(grading)
    return grading.grade


@contextlib.contextmanager
def prepared(
    assignment: Assignment,
    source: Path | Sequence[Path] | Submission,
    options: Options = DEFAULT,
    progress: Progress = lambda row, total: None,
    references: list[References] | None = None,
    workers: Workers | None = None,
    bank: Bank | None = None,
) -> Iterator[Grading]:
    """A grading with planned rows that has judged nothing yet; arguments as for `grade`."""
    references = references or [load(assignment, tier) for tier in options.tiers]
    with (contextlib.nullcontext("") if isinstance(source, Submission)
          else tempfile.TemporaryDirectory(prefix="submission-")) as folder:
        if isinstance(source, Submission):
            submission = source
        else:
            first, *more = [source] if isinstance(source, Path) else source
            submission = take_in(first, Path(folder), assignment.problems, *more)
        notes, imports, lines, broken = sources.read(
            submission.root, assignment.libraries, assignment.modules)
        submission = replace(submission, imports=imports, lines=lines, broken=broken)
        outcome = results.Grade(assignment, notes=[*submission.notes, *notes],
                                made=references[0].made, before=options.before)

        def write() -> None:
            if options.json is not None:
                results.write(outcome, options.json)

        def changed(row: results.Row | None) -> None:
            try:
                write()
            except OSError as error:
                if error.errno not in FULL:  # what student code has written goes with its process
                    raise
            if row is not None:
                progress(row, len(outcome.rows) * len(references))

        try:
            with contextlib.nullcontext(workers) if workers else Workers(
                    assignment, options.slots, options.threads, options.workers,
                    options.isolate) as warm:
                outcome.layers = warm.layers()
                if options.require_isolation:
                    require_isolation(outcome.layers)
                grading = Grading(assignment, references, warm.about(submission, options.budget),
                                  lambda: bank or load_bank(assignment.references), outcome,
                                  options.only, changed)
                yield grading
                grading.close()
        finally:
            # Where the workers did not even start, no row has been planned yet.
            outcome.rows = outcome.rows or [
                results.Row(check, planned=tuple(r.tier for r in references))
                for check in assignment.selected(options.only)]
            write()


def require_isolation(layers: dict[str, str | None]) -> None:
    """Refuse a machine that cannot hold hostile code.

    Raises:
        ValueError: a layer of `sandbox.layers.REQUIRED` is missing.
    """
    missing = [name for name in REQUIRED if layers[name] is not None]
    if missing:
        raise ValueError(f"this machine lacks {', '.join(missing)}: "
                         "see `python -m autograder doctor`")
