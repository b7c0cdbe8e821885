"""Ask questions of a submission in worker processes, several side by side.

Two kinds of workers with one protocol (`wire`): on Linux a warm server forks a fresh, locked-down
child for every question (`server`, `lockdown`); elsewhere, where fork is missing or not safe after
torch is loaded, spawned processes serve one question after another.
"""

import functools
import math
import os
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..assignment import Assignment
from ..check import Question
from ..submission import Submission
from . import channel, wire
from .bounded import Bounded
from .channel import Answer
from .folders import private_copy, remove
from .forked import ForkServer, WorkersBroke
from .places import Place, Places, give
from .spawned import SpawnedWorkers
from .student import LEFT

__all__ = ["DEFAULT_KIND", "Answer", "Inquiry", "Workers", "WorkersBroke"]

MAX_TMPDIR = 45  # characters of the path, see `Workers`
PATIENCE = 4  # wall-clock seconds per allowed CPU second: a busy machine must not cost points
TRIES = 2  # times that a function may use up its time before it is not called any more
LOOK = 20  # CPU seconds in which `Question.then` looks at an answer; the solution's take one
AGAIN = 5  # CPU seconds of the second try; what is right takes less than one
SHARE = 0.65  # of the budget, for each of several problems: one that hangs leaves the other enough
MOST_KEPT = 2**28  # bytes of all answers of a submission, which are kept; the solution's take 26 MB
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
                 kind: str = DEFAULT_KIND, isolate: bool = True,
                 secret: Iterable[Path] = ()) -> None:
        self.assignment = assignment
        self.secret = (assignment.solution, assignment.references, *secret)
        self.slots = slots
        self.threads = threads
        # DataLoader makes sockets below it, and the path of a socket has at most 107 characters.
        long = len(tempfile.gettempdir()) > MAX_TMPDIR and os.access("/tmp", os.W_OK)
        self.folder = Path(tempfile.mkdtemp(prefix="grade-", dir="/tmp" if long else None))
        self.places = Places(slots, kind == "fork" and isolate)
        self.pool = ThreadPoolExecutor(slots)
        self.lock = threading.Lock()
        self.waiting: dict[Hashable, deque[tuple[Future[Answer], Callable[[], Answer]]]] = {}
        self.bounded = Bounded(assignment.package, self.folder)
        self.backend: ForkServer | SpawnedWorkers = SpawnedWorkers(
            assignment.package, self.folder, slots)
        if kind == "fork":
            self.backend = ForkServer(assignment.package, self.folder, self.places, isolate,
                                      self.secret)
        self.count = 0

    def layers(self) -> dict[str, str | None]:
        """Layer of the lock-down -> None where it is active, else why it is missing."""
        return self.backend.layers()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
        with self.lock:
            for future, _call in (item for queue in self.waiting.values() for item in queue):
                future.cancel()
        self.backend.close()  # and with it what still runs, where the run was interrupted
        self.pool.shutdown(wait=True)
        self.bounded.close()
        self.places.close()
        remove(self.folder)

    def submit(self, task: Hashable, call: Callable[[], Answer]) -> "Future[Answer]":
        """Call a function in a thread; calls for one task wait for each other.

        So one spawned process serves them all, whatever their code leaves behind in it.
        """
        future: Future[Answer] = Future()
        with self.lock:
            first = task not in self.waiting
            self.waiting.setdefault(task, deque()).append((future, call))
        if first:
            self.pool.submit(self._serve, task)
        return future

    def abandon(self) -> None:
        """End what the processes are at."""
        self.backend.abandon()

    def _serve(self, task: Hashable) -> None:
        while True:
            with self.lock:
                if not self.waiting[task]:
                    del self.waiting[task]
                    return
                future, call = self.waiting[task].popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # told to whoever asked
                    future.set_exception(error)

    def about(self, submission: Submission, budget: float = math.inf) -> "Inquiry":
        """Where to ask about one submission, for `budget` seconds from now."""
        return Inquiry(self, submission, budget)


class Inquiry:
    """The questions about one submission.

    Time that one function burns is its own task's loss: what has used up its time once gets less
    of it, what has done so twice is not called or imported again, and no problem takes the time of
    the others.

    Args:
        budget: seconds from now; questions that are due later come back as "budget".
    """

    def __init__(self, workers: Workers, submission: Submission, budget: float) -> None:
        self.workers = workers
        self.submission = submission
        self.deadline = time.monotonic() + budget
        # Seconds that the questions of one problem may take, of all workers together.
        self.share = budget * workers.slots * (1.0 if len(workers.assignment.problems) < 2
                                               else SHARE)
        self.spent: defaultdict[str, float] = defaultdict(float)  # by problem
        self.room = MOST_KEPT  # for further answers
        self.waited: defaultdict[str, float] = defaultdict(float)  # of it, without CPU time
        self.known = {f"{task.file.partition('/')[0]}/{name}": task.number  # function -> task
                      for task in workers.assignment.tasks.values() for name in task.functions}
        self.answered: set[str] = set()  # tasks that a question has been answered of
        self.hung: Counter[str] = Counter()  # by function ("problem1/utils.nms"), file and task

    def ask(self, question: Question, task: str, seed: int,
            earlier: dict[str, Any] | None = None,
            most: wire.Bounds = wire.LARGEST) -> "Future[Answer]":
        """Queue a question.

        Args:
            task: what one spawned worker answers the questions of.
            seed: of student code's random generators.
            earlier: what is done with functions of earlier tasks, see `recording`.
            most: that is read of an answer.
        """
        self.workers.count += 1
        name = f"check-{self.workers.count}"
        forks = isinstance(self.workers.backend, ForkServer)  # else one process serves them all
        served: Hashable = name if forks else (str(self.submission.root), task)
        return self.workers.submit(served, functools.partial(
            self._answer, question, task, {"seed": seed, "earlier": earlier}, most))

    def give_up(self) -> None:
        """End what runs, and answer no more: what is left comes back as "budget"."""
        self.deadline = -math.inf
        self.workers.abandon()

    def _answer(self, question: Question, task: str, more: dict[str, Any],
                most: wire.Bounds) -> Answer:
        most = wire.Bounds(*(min(part, self.room) for part in most))
        answer = self._once(question, task, more, most)
        # The kernel may have ended it for memory that another submission has used up, or another
        # may have had the processor: try again while no other runs.
        if answer.killed or answer.starved:
            answer = self._once(question, task, more, most, alone=True)
        # What this task does not need may have ended the process, or used up its time, or left it
        # as no network can use it.
        error = answer.error or {}
        if "." not in question.asked and task in self.workers.assignment.tasks and (
                answer.status == "died" and not answer.killed or question.results and (
                    answer.status == "waited" or error.get("stage") == "run"
                    or error.get("file") in self._spare(question.problem, task)[0])):
            bare = self._once(question, task, more, most, bare=True)
            answer = bare if bare.status == "ok" else answer
        self.room = max(0, self.room - len(answer.frame))
        return replace(answer, handed=self.submission.handed(question.handed))

    def _remember(self, needed: list[str], task: str, answer: Answer) -> None:
        """Blame the file that was being imported, or the function that was running or was asked:
        a loop without an end may call one that comes to its end where its own task asks."""
        self.hung[task] += 1
        error, asked = answer.error or {}, needed[-1]
        file = str(error.get("file"))
        running = next((name for name in self.known if name.startswith(f"{file[:-3]}.")
                        and name.rpartition(".")[2] == error.get("function")), asked)
        if self.known.get(running, task) in self.answered - {task} and not self.hung[running]:
            running = asked
        if error.get("stage") == "import" and file in needed:
            self.hung[file] += 1
        elif running != asked or not any(self.hung[key] for key in needed[:-1]):
            self.hung[running] += 1  # else it may be that one again

    def _spare(self, problem: str, task: str) -> tuple[set[str], set[str]]:
        """Files and functions of a problem that no task has which this one stands on."""
        tasks, needs = self.workers.assignment.tasks, [task]
        for number in needs:  # which grows
            needs += tasks[number].needs
        starts = {start for number in needs for start in tasks[number].files}
        kept = {file for start in starts for file in self.submission.reached(start)}
        functions = {name for other in tasks.values() for name in other.functions
                     if other.number not in needs and other.file.startswith(problem)
                     and f"{problem}/{name.partition('.')[0]}.py" in kept}
        code = {f"{problem}/{path.name}" for path in self.submission.root.glob(f"{problem}/*.py")}
        return code - kept, functions

    def _once(self, question: Question, task: str, more: dict[str, Any], most: wire.Bounds,
              alone: bool = False, bare: bool = False) -> Answer:
        with self.workers.places.taken(alone) as place:
            return self._in(place, question, task, more, most, alone, bare)

    def _in(self, place: Place, question: Question, task: str, more: dict[str, Any],
            most: wire.Bounds, alone: bool, bare: bool) -> Answer:
        begin = time.monotonic()
        slots = self.workers.slots
        # As many may begin at once, or one that holds all places.
        left = min(self.deadline - begin, (self.share - self.spent[question.problem]) / slots)
        if left <= 0:
            return Answer("budget")
        if question.handed and not self.submission.handed(question.handed):
            return Answer("ok", wire.pack({"value": None}))
        workers = self.workers
        answered = (more["earlier"] or {}).get("answer", {})
        own = question.files(workers.assignment.tasks.get(task))
        asked = f"{question.problem}/{question.asked}"
        reached = {file for start in own for file in self.submission.reached(start)}
        needed = [*sorted(reached), asked]
        if hung := next((key for key in (*own, asked) if self.hung[key] >= TRIES), ""):
            return Answer("hung", detail=hung)
        # It may do without other functions and files that have hung; where they are called, an
        # empty record, or what the file raises, makes them raise.
        files, functions = self._spare(question.problem, task) if bare else (set(), set())
        without = [name for other in workers.assignment.tasks.values() for name in other.functions
                   if (self.hung[f"{question.problem}/{name}"] >= TRIES or name in functions)
                   and name != question.asked and name not in answered]
        if without:
            more = {**more, "earlier": {"answer": {**answered, **{name: {} for name in without}}}}
        private = workers.folder / f"check-{secrets.token_hex(8)}"  # does not tell of a run before
        if not workers.folder.is_dir():  # every process would end, which says nothing of the code
            raise WorkersBroke(f"something has removed {workers.folder} while it was in use")
        try:
            folder = private_copy(self.submission, question.problem, question.results, private)
            left_out = {}  # what each such file says
            for file in [*files, *self.hung]:
                path = folder.parent / file
                if (file in files or self.hung[file] >= TRIES) and path.is_file():
                    says = f"{path.name} is left out, since " + (
                        "there was no answer with all files" if file in files
                        else "it did not finish in two checks")
                    left_out[says] = file
                    try:
                        path.rename(path.with_suffix(LEFT))
                    except OSError:  # a folder has this name, or it is too long
                        path.unlink()
                    path.write_text(f"raise TimeoutError({says!r})\n", encoding="utf-8")
                    for compiled in path.parent.glob("__pycache__/*"):
                        if compiled.name.startswith(f"{path.stem}."):
                            compiled.unlink()
            cpu_seconds = question.cpu_seconds
            if "." in question.asked and any(self.hung[key] for key in (task, *needed)):
                cpu_seconds = min(cpu_seconds, AGAIN)
            wall_seconds = min(left, cpu_seconds * PATIENCE)
            left_to_wait = channel.MOST_WAITED - self.waited[question.problem]
            patience = max(channel.LEAST_IDLE, min(channel.MOST_IDLE, round(left_to_wait, 1)))
            answer = self._run(place, folder, question.probe, question.inputs, more, cpu_seconds,
                               wall_seconds, (str(self.submission.root), task), most, patience)
            self.waited[question.problem] += answer.idle
            if answer.status == "timeout" and wall_seconds == left:
                return Answer("budget")  # cut short: nothing is known
            if answer.status in ("timeout", "waited") and (alone or not answer.starved):
                self._remember(needed, task, answer)
            if answer.status == "timeout":
                return replace(answer, detail=str(cpu_seconds))
            error = answer.error or {"type": "", "message": ""}
            told = error["message"].partition(" ")[0] if error["type"] == "Unrecorded" else ""
            if called := next((name for name in without if name.endswith(f".{told}")), ""):
                return Answer("hung", detail=f"{question.problem}/{called}")
            if called := next((file for says, file in left_out.items()
                               if error["message"].startswith(says)), ""):
                return Answer("hung", detail=called)
            if answer.status == "ok":
                self.answered.add(task)
            if question.then and answer.status == "ok":
                answer = self._look(place, question, answer, more["seed"], private, begin + left)
            return answer
        finally:
            try:
                remove(private)
            finally:
                self.spent[question.problem] += (time.monotonic() - begin) * (slots if alone else 1)

    def _run(self, place: Place, folder: Path, probe: str, inputs: Mapping[str, Any],
             more: dict[str, Any], cpu_seconds: int, wall_seconds: float,
             served: tuple[str, str], most: wire.Bounds, patience: float) -> Answer:
        """Ask a probe in the private copy of a problem."""
        workers = self.workers
        if place.uid is not None:
            give(folder.parent, place.uid)
        graded = {Path(file).stem for task in workers.assignment.tasks.values()
                  for file in task.files if file.startswith(f"{folder.name}/")}
        job = [wire.pack({"assignment": workers.assignment.package, "folder": str(folder),
                         "graded": sorted(graded), "probe": probe, "inputs": inputs,
                         "threads": workers.threads, **more})]
        return workers.backend.answer(job, folder.parent, place, cpu_seconds, wall_seconds, served,
                                      most, patience)

    def _look(self, place: Place, question: Question, answer: Answer, seed: int,
              private: Path, deadline: float) -> Answer:
        """Let `question.then` look at an answer and the results handed in, where no code of the
        submission is. It gets the question's inputs, its `probe`, and the value of the `answer`.
        """
        remove(private)
        folder = private_copy(self.submission, question.problem, question.results, private,
                              code=False)
        more = {"seed": seed, "earlier": None, "asked": question.probe,
                "answer": np.frombuffer(answer.frame, np.uint8)}
        seen = self._run(place, folder, question.then, question.inputs, more, LOOK,
                         max(0.1, min(LOOK * PATIENCE, deadline - time.monotonic())),
                         ("", question.then), wire.LARGEST, channel.MOST_IDLE)
        return replace(answer, seen=seen.frame, cpu_seconds=answer.cpu_seconds + seen.cpu_seconds,
                       peak_mb=max(answer.peak_mb, seen.peak_mb))
