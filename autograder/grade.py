"""Grade one submission: take it in, run the checks, keep the rows."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import checks, results, sources
from .catalogue import all_checks, selected
from .diagnosis import Bank, load_bank
from .plugin import GradePlugin
from .references import References, load
from .rules import load_rules
from .submission import Submission, take_in
from .worker.layers import REQUIRED
from .workers import DEFAULT_KIND, Workers, WorkersBroke


class NotIsolated(ValueError):
    """The machine cannot lock student code down as far as was asked for."""


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
        require_isolation: refuse to run without the layers of `worker.layers.REQUIRED`.
        json: where results.json goes, if anywhere; rewritten after every check.
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


DEFAULT = Options()


def grade(
    source: Path | Submission,
    options: Options = DEFAULT,
    progress: Callable[[results.Row, int], None] = lambda row, total: None,
    references: list[References] | None = None,
    workers: Workers | None = None,
    bank: Bank | None = None,
) -> results.Grade:
    """Grade the submission in the folder `source`.

    Args:
        source: the folder, or what was taken in from one already.
        progress: called after every outcome with the row and the number of outcomes to come in all.
        references: instead of the stored ones.
        workers: warm ones, which stay open; `slots`, `threads`, `workers` and `isolate` are theirs.
        bank: known mistakes, instead of the stored ones.

    Raises:
        NoSubmission, BadReferences: one-line errors for the person at the terminal.
        NotIsolated: a layer is missing that `require_isolation` asks for.
        WorkersBroke: no check could be run.
    """
    references = references or [load(tier) for tier in options.tiers]
    with tempfile.TemporaryDirectory(prefix="submission-") as folder:
        submission = source if isinstance(source, Submission) else take_in(source, Path(folder))
        notes = [*submission.notes, *sources.read(submission.root)]
        outcome = results.Grade([], notes, references[0].made)

        def changed(row: results.Row | None) -> None:
            if options.json is not None:
                results.write(outcome, options.json)
            if row is not None:
                progress(row, len(outcome.rows) * len(references))

        try:
            with contextlib.nullcontext(workers) if workers else Workers(
                    options.slots, options.threads, options.workers, options.isolate) as warm:
                outcome.layers = warm.layers()
                missing = [name for name in REQUIRED if outcome.layers[name] is not None]
                if options.require_isolation and missing:
                    raise NotIsolated(f"this machine lacks {', '.join(missing)}: "
                                      "see `python -m autograder doctor`")
                plugin = GradePlugin(references, warm.about(submission, options.budget),
                                     bank or load_bank(), outcome, load_rules(), options.only,
                                     changed)
                _run_pytest(plugin)
                plugin.finish()
        finally:
            # Where the workers did not even start, no row has been planned yet.
            outcome.rows = outcome.rows or [
                results.Row(check) for check in all_checks() if selected(check, options.only)]
            changed(None)
    return outcome


def _run_pytest(plugin: GradePlugin) -> None:
    """Run the check modules and nothing else: no ini file, conftest, cache or output of pytest."""
    folder = Path(checks.__file__).parent
    modules = sorted(str(path) for path in folder.glob("test_*.py"))
    # Terminal and capture are off because rows are the output; the code under test is elsewhere.
    off = ("terminal", "cacheprovider", "faulthandler", "logging", "warnings",
           "unraisableexception", "threadexception")
    arguments = [*modules, "-c", str(folder / "pytest.ini"), f"--rootdir={folder}",
                 "--import-mode=importlib", "--noconftest", "--disable-plugin-autoload",
                 "--capture=no", *(f"-pno:{name}" for name in off)]
    code = pytest.main(arguments, plugins=[plugin])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise WorkersBroke(f"pytest ended with {pytest.ExitCode(code).name}")
