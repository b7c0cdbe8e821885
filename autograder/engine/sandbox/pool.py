"""Ask questions of a submission in worker processes, several side by side.

Two kinds of workers with one protocol (`wire`): on Linux a warm server forks a fresh, locked-down
child for every question (`server`, `lockdown`); elsewhere, where fork is missing or not safe after
torch is loaded, a spawned process serves the questions of one task and is then replaced.
"""

import math
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..assignment import Assignment
from ..check import Question
from ..submission import Submission, private_copy, remove
from . import wire
from .channel import Answer
from .forked import ForkServer, WorkersBroke
from .spawned import SpawnedWorkers
from .uids import SlotUids, give

__all__ = ["DEFAULT_KIND", "Answer", "Inquiry", "Workers", "WorkersBroke"]

MAX_TMPDIR = 45  # characters of the path, see `Workers`
PATIENCE = 4  # wall-clock seconds per allowed CPU second: a busy machine must not cost points
DEFAULT_KIND = "fork" if sys.platform == "linux" else "spawn"


class Workers:
    """A pool of workers, for any number of submissions. Use as a context manager.

    Args:
        assignment: whose probes are asked, and whose solution and references no check may see.
        slots: questions answered side by side.
        threads: torch threads of each worker.
        kind: "fork" or "spawn".
        isolate: False leaves the lock-down out, for comparison.
        secret: further folders that no check may see.
    """

    def __init__(self, assignment: Assignment, slots: int = 2, threads: int = 1,
                 kind: str = DEFAULT_KIND, isolate: bool = True, secret: Iterable[Path] = ()):
        self.assignment = assignment
        self.secret = (assignment.solution, assignment.references, *secret)
        self.threads = threads
        # DataLoader makes sockets below it, and the path of a socket has at most 107 characters.
        long = len(tempfile.gettempdir()) > MAX_TMPDIR and os.access("/tmp", os.W_OK)
        self.folder = Path(tempfile.mkdtemp(prefix="grade-", dir="/tmp" if long else None))
        self.uids = SlotUids(slots if kind == "fork" and isolate else 0)
        self.pool = ThreadPoolExecutor(slots)
        self.backend: ForkServer | SpawnedWorkers = SpawnedWorkers(self.folder)
        if kind == "fork":
            self.backend = ForkServer(assignment.package, self.folder, self.uids.all, isolate,
                                      self.secret)
        self.count = 0

    def layers(self) -> dict[str, str | None]:
        """Layer of the lock-down -> None where it is active, else why it is missing."""
        return self.backend.layers()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.backend.close()
        self.uids.close()
        remove(self.folder)

    def about(self, submission: Submission, budget: float = math.inf) -> "Inquiry":
        """Where to ask about one submission, for `budget` seconds from now."""
        return Inquiry(self, submission, time.monotonic() + budget)


@dataclass(frozen=True)
class Inquiry:
    """The questions about one submission.

    Args:
        deadline: on the monotonic clock; questions that are due later come back as "budget".
    """

    workers: Workers
    submission: Submission
    deadline: float

    def ask(self, question: Question, task: str, seed: int,
            earlier: dict[str, Any] | None = None) -> "Future[Answer]":
        """Queue a question.

        Args:
            task: tells spawned workers when to start afresh.
            seed: of student code's random generators.
            earlier: what is done with functions of earlier tasks, see `recording`.
        """
        self.workers.count += 1
        return self.workers.pool.submit(
            self._answer, question, task, {"seed": seed, "earlier": earlier}, self.workers.count)

    def _answer(self, question: Question, task: str, more: dict[str, Any], number: int) -> Answer:
        answer = self._once(question, task, more, f"check-{number}")
        # The kernel may have ended it for memory that another submission has used up: try again.
        return (self._once(question, task, more, f"check-{number}-again") if answer.killed
                else answer)

    def _once(self, question: Question, task: str, more: dict[str, Any], name: str) -> Answer:
        left = self.deadline - time.monotonic()
        if left <= 0:
            return Answer("budget")
        workers = self.workers
        private = workers.folder / name
        uid = workers.uids.take()
        try:
            folder = private_copy(self.submission, question.problem, question.results, private)
            if uid is not None:
                give(private, uid)
            job = wire.pack({
                "assignment": workers.assignment.package, "folder": str(folder),
                "probe": question.probe, "inputs": question.inputs, "threads": workers.threads,
                **more})
            wall_seconds = min(left, question.cpu_seconds * PATIENCE)
            answer = workers.backend.answer(job, private, uid, question.cpu_seconds, wall_seconds,
                                            f"{self.submission.root} {task}")
            cut_short = answer.status == "timeout" and wall_seconds == left
            return Answer("budget") if cut_short else answer
        finally:
            try:
                remove(private)
            finally:
                workers.uids.put_back(uid)
