"""Ask questions of a submission in worker processes, several side by side.

Two kinds of workers with one protocol (`autograder.wire`): on Linux a warm server forks a fresh,
locked-down child for every question (`autograder.worker.lockdown`); elsewhere, where fork is
missing or not safe after torch is loaded, a spawned process serves the questions of one task and is
then replaced.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from . import wire
from .backends import KIT, ForkServer, SpawnedWorkers, WorkersBroke
from .channel import Answer
from .questions import Question
from .slots import SlotUids, give
from .submission import Submission, private_copy, remove

__all__ = ["DEFAULT_KIND", "KIT", "SECRET", "Answer", "Workers", "WorkersBroke"]

SECRET = (KIT / "solution", KIT / "autograder" / "references")  # where a check must not look
MAX_TMPDIR = 45  # characters
PATIENCE = 4  # wall-clock seconds per allowed CPU second: a busy machine must not cost points
DEFAULT_KIND = "fork" if sys.platform == "linux" else "spawn"


class Workers:
    """A pool that answers questions about one submission. Use as a context manager.

    Args:
        slots: questions answered side by side.
        threads: torch threads of each worker.
        budget: seconds for the whole run; later questions come back as "budget".
        kind: "fork" or "spawn".
        isolate: False leaves the lock-down out, for comparison.
    """

    def __init__(self, submission: Submission, slots: int = 2, threads: int = 1,
                 budget: float = 900.0, kind: str = DEFAULT_KIND, isolate: bool = True):
        self.submission = submission
        self.threads = threads
        self.deadline = time.monotonic() + budget
        # DataLoader makes sockets further down, and the path of a socket ends at 107 characters.
        long = len(tempfile.gettempdir()) > MAX_TMPDIR and os.access("/tmp", os.W_OK)
        self.folder = Path(tempfile.mkdtemp(prefix="grade-", dir="/tmp" if long else None))
        self.uids = SlotUids(slots if kind == "fork" and isolate else 0)
        self.pool = ThreadPoolExecutor(slots)
        self.backend = (ForkServer(self.folder, self.uids.all, isolate, SECRET) if kind == "fork"
                        else SpawnedWorkers(self.folder))
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

    def ask(self, question: Question, task: str, seed: int) -> "Future[Answer]":
        """Queue a question; `task` tells spawned workers when to start afresh."""
        self.count += 1
        return self.pool.submit(self._answer, question, task, seed, self.count)

    def _answer(self, question: Question, task: str, seed: int, number: int) -> Answer:
        left = self.deadline - time.monotonic()
        if left <= 0:
            return Answer("budget")
        private = self.folder / f"check-{number}"
        uid = self.uids.take()
        try:
            folder = private_copy(self.submission, question.problem, question.results, private)
            if uid is not None:
                give(private, uid)
            job = wire.pack({"folder": str(folder), "probe": question.probe,
                             "inputs": question.inputs, "seed": seed, "threads": self.threads})
            wall_seconds = min(left, question.cpu_seconds * PATIENCE)
            return self.backend.answer(job, private, uid, question.cpu_seconds, wall_seconds, task)
        finally:
            try:
                remove(private)
            finally:
                self.uids.put_back(uid)
