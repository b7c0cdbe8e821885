"""Grade one submission after another with one warm pool: here, or in a process of its own.

Submissions are graded side by side in one process each, with a pool of one slot: a grader that dies
takes only one submission with it.
"""

import contextlib
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from multiprocessing.context import SpawnProcess
from pathlib import Path

from ...assignment import ASSIGNMENT, report
from ...engine import digests, results
from ...engine.diagnosis import BOTH, load_bank
from ...engine.diagnosis import FILE as BANK
from ...engine.grade import Options, grade
from ...engine.pages.grade_page import write as write_page
from ...engine.references import load
from ...engine.sandbox.layers import REQUIRED
from ...engine.sandbox.pool import Workers, WorkersBroke
from ...engine.submission import Submission
from ...engine.text import line
from ...gradescope.run import unjudged
from ..packaging.contents import KIT, grader
from .entry import GRADED, GRADER_BROKE, NO_SUBMISSION, Entry
from .unnamed import kept

GRACE = 60  # seconds beyond the limit of a submission after which its grader is ended
STARTING, ENDING = 300, 20  # seconds in which a grader must be ready, and must end


class NotGraded(RuntimeError):
    """The grader failed, not the submission; the message is one line."""


@dataclass(frozen=True)
class Setup:
    """How every submission of a class is graded.

    Args:
        tiers: which inputs.
        numbers: the checks; None for all.
        only: the same in words, "" for all.
        seconds: after which remaining checks of a submission are given up.
        require_isolation: refuse to run without the layers that Gradescope has.
    """

    tiers: tuple[str, ...] = ("public",)
    numbers: tuple[str, ...] | None = None
    only: str = ""
    seconds: float = 900.0
    require_isolation: bool = True

    def version(self) -> dict[str, str]:
        """What grades come from, see `Entry.version`."""
        code = grader(KIT)
        # Late days and points that a person gives come on top of a grade.
        code[f"autograder/assignment/{ASSIGNMENT.points.name}"] = repr(
            replace(ASSIGNMENT.points, late=None, manual={})).encode()
        rules = KIT / "handout" / "rules.md"
        stored = [ASSIGNMENT.references / f"{name}.{kind}" for name in (*self.tiers, BANK)
                  for kind in ("json", "npz")]
        return {
            "checks": digests.digest({**code, rules.name: rules.read_bytes()}),
            "references": digests.digest({path.name: path.read_bytes() for path in stored
                                          if path.is_file()}),
            "tiers": " ".join(self.tiers), "only": self.only}


@dataclass(frozen=True)
class Graded:
    """A graded submission: its entry (without the student), results.json and feedback page."""

    entry: Entry
    results: str
    page: str


class Grader:
    """Grades in this process; to be closed.

    Raises:
        ValueError, WorkersBroke: nothing can be graded here.
    """

    def __init__(self, setup: Setup):
        self.setup = setup
        self.references = [load(ASSIGNMENT, tier) for tier in setup.tiers]
        self.bank = load_bank(ASSIGNMENT.references)
        self.version = setup.version()
        self.workers = Workers(ASSIGNMENT, 1)
        layers = self.workers.layers()
        missing = [name for name in REQUIRED if layers[name] is not None]
        if setup.require_isolation and missing:
            self.close()
            raise ValueError(f"this machine lacks {', '.join(missing)}, which Gradescope has: "
                             "see `python -m autograder doctor` and --no-require-isolation")

    def close(self) -> None:
        self.workers.__exit__(None, None, None)

    def grade(self, submission: Submission, label: str) -> Graded:
        """Grade what was taken in.

        Raises:
            NotGraded: the grader broke altogether.
        """
        options = Options(self.setup.tiers, self.setup.numbers, budget=self.setup.seconds)
        try:
            outcome = grade(ASSIGNMENT, submission, options, references=self.references,
                            workers=self.workers, bank=self.bank)
            said = report.answers(submission.handed([report.NAME]).get(report.NAME))
            return _written(outcome, label, replace(
                entry_of(outcome, self.setup, self.version), answers=said))
        except WorkersBroke as error:
            self.close()
            self.workers = Workers(ASSIGNMENT, 1)
            raise NotGraded(line(error)) from None
        except Exception as error:  # a fault of the kit must not end the run
            raise NotGraded(f"{type(error).__name__}: {line(error)}") from None


def entry_of(outcome: results.Grade, setup: Setup, came_from: dict[str, str]) -> Entry:
    """The entry of a submission that was graded, without student and source; the grade rests on the
    digests in `came_from`."""
    late = sum(row.verdict == results.NOT_RUN and any(
        verdict == results.NOT_RUN for verdict, _, _ in row.tiers.values()) for row in outcome.rows)
    broke = [row.check.number for row in outcome.rows if row.verdict == results.GRADER_BROKE
             or row.verdict == results.NOT_RUN and not late]
    error = ""
    if broke:
        error = f"the grader broke on {', '.join(broke[:5])}{' ...' * (len(broke) > 5)}"
    elif late:
        error = f"{late} checks were given up after {setup.seconds:g} s"
    mistakes: dict[str, list[str]] = {}
    for row in outcome.rows:
        for name in row.mistakes[0].split(BOTH) if len(row.mistakes) == 1 else ():
            mistakes.setdefault(name, []).append(row.check.number)
    return Entry(
        "", version=came_from, status=GRADER_BROKE if broke else GRADED, error=error,
        score=outcome.score, possible=outcome.possible,
        given_up=setup.seconds if late else 0.0, seconds=outcome.seconds,
        cpu_seconds=outcome.cpu_seconds, peak_mb=outcome.peak_mb,
        checks={row.check.number: {"verdict": row.verdict, "score": row.score,
                                   "points": row.check.points, "message": row.message}
                for row in outcome.rows},
        mistakes=mistakes, unnamed=kept(outcome.rows),
        accuracies={row.check.number: row.accuracy for row in outcome.rows if row.accuracy},
        notes=list(outcome.notes))


def ungraded(setup: Setup, came_from: dict[str, str], label: str, status: str,
             error: str) -> Graded:
    """What is written down for a submission that could not be graded: its status in a word, the
    error in a sentence."""
    verdict = results.SUBMISSION_BROKE if status == NO_SUBMISSION else results.GRADER_BROKE
    outcome = unjudged(verdict, "Nothing was graded: see the top of the page.")
    outcome.rows = [row for row in outcome.rows
                    if setup.numbers is None or row.check.number in setup.numbers]
    outcome.notes.append(error)
    entry = Entry("", version=came_from, status=status, error=error, possible=outcome.possible)
    return _written(outcome, label, entry)


def _written(outcome: results.Grade, label: str, entry: Entry) -> Graded:
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        page = Path(folder) / "page.html"
        write_page(outcome, label, page)
        text = results.as_json(results.gradescope(outcome))
        return Graded(entry, text, page.read_text(encoding="utf-8"))


class GraderProcess:
    """A `Grader` in a process of its own, started when needed and replaced when it dies.

    Args:
        folder: for its temporary files; other users may pass through it, but not list it.
        cores: that it may use; none for all.
    """

    def __init__(self, setup: Setup, folder: Path, cores: Collection[int] = ()):
        self.setup = setup
        self.folder = folder
        self.cores = cores
        self.process: SpawnProcess | None = None
        self.stopped = False

    def grade(self, submission: Submission, label: str) -> Graded:
        """Grade in the process.

        Raises:
            NotGraded: the process died, took too long, or its grader broke.
            ValueError, WorkersBroke: nothing can be graded on this machine.
        """
        if self.process is None:
            self._start()
        return self._receive((submission, label), self.setup.seconds + GRACE)

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, daemon=True, args=(
            theirs, self.setup, self.folder, self.cores))
        self.process.start()
        theirs.close()
        if self.stopped:
            self.close()
            raise NotGraded("the grader was stopped")
        try:
            self._receive(None, STARTING)
        except NotGraded as error:
            raise WorkersBroke(str(error)) from None

    def _receive(self, job: tuple[Submission, str] | None, seconds: float) -> Graded:
        try:
            self.connection.send(job)
            if not self.connection.poll(seconds):
                raise TimeoutError
            answer = self.connection.recv()
        except TimeoutError:
            self.close()
            raise NotGraded(f"the grader was ended after {seconds:g} s") from None
        except (EOFError, OSError):
            self.close()
            raise NotGraded("the process of the grader died") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the process, and with it all that it has started."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.join()
            self.connection.close()

    def finish(self) -> None:
        """Tell the process that no more work comes, and wait for its end."""
        if self.process is not None:
            self.connection.close()
            self.process.join(ENDING)
            self.close()

    def stop(self) -> None:
        """End the process, for good."""
        self.stopped = True
        self.close()


def _serve(connection, setup: Setup, folder: Path, cores: Collection[int]) -> None:
    """In the process: grade what is sent until the other end closes."""
    if cores:
        os.sched_setaffinity(0, cores)
    signal.signal(signal.SIGINT, lambda *_: None)  # the process that started this one ends it
    tempfile.tempdir = str(folder)
    try:
        connection.recv()
        with contextlib.closing(Grader(setup)) as here:
            connection.send(None)
            while True:
                job = connection.recv()
                try:
                    connection.send(here.grade(*job))
                except NotGraded as error:
                    connection.send(error)
    except (EOFError, BrokenPipeError):
        pass
    except Exception as error:
        connection.send(error)
