"""Grade all submissions of a class: side by side, resumable, and never stopped by one of them."""

import functools
import os
import queue
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path

from ...assignment import ASSIGNMENT
from ...engine.archive import NoSubmission
from ...engine.sandbox.bounded import Bounded
from ...engine.sandbox.folders import remove
from ...engine.submission import Submission
from ...engine.text import line
from . import similarity, weights
from .book import Book
from .cluster import Cluster
from .entry import GRADER_BROKE, NO_SUBMISSION, Entry
from .grader import Graded, GraderProcess, NotGraded, Setup, ungraded
from .intake import Handed
from .weights import Weights


class Local:
    """Grader processes on this machine, one per job. Use as a context manager."""

    def __init__(self, setup: Setup, jobs: int):
        self.width = jobs
        self.folder = Path(tempfile.mkdtemp(prefix="graders-"))
        self.folder.chmod(0o711)  # checks run as other users, each in a folder of its own inside
        self.idle: queue.SimpleQueue[GraderProcess] = queue.SimpleQueue()
        self.all = []
        cores = _cores(jobs)
        for job in range(jobs):
            place = self.folder / str(job)
            place.mkdir(mode=0o711)
            self.all.append(GraderProcess(setup, place, cores[job]))
            self.idle.put(self.all[-1])

    def __enter__(self) -> "Local":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.all:
            process.finish()
        remove(self.folder)

    def grade(self, submission: Submission, label: str) -> Graded:
        process = self.idle.get()
        try:
            return process.grade(submission, label)
        finally:
            self.idle.put(process)

    def stop(self) -> None:
        """End what runs."""
        for process in self.all:
            process.stop()


def _cores(jobs: int) -> list[set[int]]:
    """The cores of every job: one each where there are enough, else none, which means any.

    The processes of a job run one after another; on one core, the caches stay warm between them.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    cores = sorted(affinity(0)) if affinity is not None else []
    return [{core} for core in cores[:jobs]] if jobs <= len(cores) else [set()] * jobs


def grade_class(handed: Sequence[Handed], book: Book, setup: Setup, backend: Local | Cluster,
                done: Callable[[list[Entry], bool], None],
                ) -> tuple[dict[str, similarity.Work], dict[str, dict[str, Weights]]]:
    """Grade every submission that the book does not hold already.

    Args:
        backend: where grading happens, of `width` submissions at a time.
        done: called with the entries of a submission, and whether they were in the book before.

    Returns:
        The code and the weights of every submission by its first student, for
        `similarity.similar` and `weights.alike`.
    """
    works: dict[str, similarity.Work] = {}
    networks: dict[str, dict[str, Weights]] = {}
    stopping = threading.Event()

    def one(each: Handed) -> tuple[list[Entry], bool]:
        if stopping.is_set():
            raise CancelledError
        source, sources = "", []
        with tempfile.TemporaryDirectory(prefix="handed-") as folder:
            try:
                submission = each.take_in(Path(folder))
                source = submission.digest("*")
                kept = book.kept(each, source, setup.seconds)
                code = similarity.sources(submission.root)
                works[each.students[0].id] = code
                networks[each.students[0].id] = weights.read(submission.root, look)
                reader.submit(similarity.read, code)
                sources = sorted(code)
                if kept is not None:
                    return kept, True
                graded = backend.grade(submission, each.label)
            except NoSubmission as error:
                graded = ungraded(setup, book.version, each.label, NO_SUBMISSION, line(error))
            except (NotGraded, OSError) as error:
                graded = ungraded(setup, book.version, each.label, GRADER_BROKE, line(error))
        if stopping.is_set():  # the grader was ended: this is no result
            raise CancelledError
        return book.put(each, graded, source, sources), False

    # Graders leave little time on the cores, but enough for one thread that reads code.
    with (tempfile.TemporaryDirectory(prefix="weights-") as place,
          closing(Bounded(ASSIGNMENT.package, Path(place), weights.SECONDS)) as bounded,
          ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(backend.width) as threads):
        look = functools.partial(bounded.call, f"{weights.__name__}.look")
        try:
            for future in as_completed([threads.submit(one, each) for each in handed]):
                done(*future.result())
        except BaseException:
            stopping.set()
            for pool in (threads, reader):
                pool.shutdown(wait=False, cancel_futures=True)
            backend.stop()
            raise
    return works, networks
