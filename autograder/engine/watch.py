"""Watch a submission: whenever a file of it is saved, grade again what can have changed.

The workers stay warm, and what is known of all else stays. Tasks whose functions were edited are
judged first, after the tasks that they need.
"""

import contextlib
import hashlib
import re
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import watchfiles

from .archive import NoSubmission
from .assignment import Assignment
from .check import Question
from .diagnosis import load_bank
from .grade import Options, grade
from .grading import Grading
from .references import load
from .results import Before, Grade, Row
from .sandbox.pool import Workers
from .submission import Submission, take_in

LOOK = 1.0  # seconds after which an idle watch looks for an interrupt, and for its folders
AT_ONCE = 0.05  # seconds after which a file that was being replaced is there again
MOMENT = 1.0  # seconds in which what a newer save finds at work may end; nothing right takes more
BLOCK = re.compile(r"^(?:def|class) +(\w+)", re.M)  # what one edits at a time

Begun = Callable[[Collection[str]], None]
Told = Callable[[Sequence[str]], None]
Judged = Callable[[Grade, Collection[str] | None], None]


def watch(assignment: Assignment, folders: Sequence[Path], options: Options, told: Told,
          judged: Judged, begun: Begun) -> NoReturn:
    """Grade a submission now and after every save, until interrupted; arguments as of `Watch`.

    Raises:
        OSError: the system does not tell of saves.
        Others as of `grade`.
    """
    folders = [folder.absolute() for folder in folders]
    # One folder for all copies, which goes even where the removal of one is interrupted.
    with (tempfile.TemporaryDirectory(prefix="watch-") as copies, saves(folders) as saving,
          Workers(assignment, options.slots, options.threads, options.workers) as workers):
        saved, listening = saving
        watched = Watch(assignment, folders, options, workers, saved, told, judged, begun,
                        Path(copies))
        watched.update()
        while True:
            while not saved.wait(LOOK):
                pass
            if listening.done():
                listening.result()
            watched.update()


@contextlib.contextmanager
def saves(folders: Sequence[Path]) -> Iterator[tuple[threading.Event, "Future[None]"]]:
    """An event that is set when files in these folders are saved, and the thread that sets it.

    The folders are absolute paths. The system tells of the folder that was there when one asked,
    wherever it is moved; where another one has come in its place, one has to ask again.
    """
    saved, done = threading.Event(), threading.Event()

    def listen() -> None:
        moved = False
        while not done.is_set():
            places = _places(folders)
            with contextlib.suppress(FileNotFoundError):  # it may come back
                for changes in watchfiles.watch(*folders, stop_event=done, yield_on_timeout=True,
                                                rust_timeout=round(LOOK * 1000)):
                    if changes or moved:  # the latter of what was saved before one asked
                        saved.set()
                    # One that is made again can have the number of the one that was deleted.
                    moved = _places(folders) != places or any(
                        Path(name) in folders for _, name in changes)
                    if moved:
                        saved.set()
                        break
            done.wait(AT_ONCE)

    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(listen)
        listening.add_done_callback(lambda _: saved.set())
        try:
            yield saved, listening
        finally:
            done.set()


def _places(folders: Sequence[Path]) -> list[tuple[int, int] | None]:
    """What identifies each of these folders for the system; None where it is gone."""
    found: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            status = folder.stat()
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    return found


class Watch:
    """A submission that is graded again and again.

    Args:
        folders: it lies in.
        options: of every grade. What looks at trained networks is asked again only where `only`
            names its task.
        workers: warm ones.
        saved: set when a file has been saved.
        told: called with sentences where nothing can be graded.
        judged: called with the grade and tasks that have been judged: at first with None for all
            (or, where there is a trained network, with what needs none), then after each save with
            those that were edited, and with others of which something else is said than before (or
            with all that were looked at, where there is none). Nothing is said of what a newer save
            has left unjudged. The change of the grade is the one since the last call.
        begun: called with the tasks that are still to be judged, at the end with none.
        copies: where copies of the submission are made; by default in a temporary folder.
    """

    def __init__(self, assignment: Assignment, folders: Sequence[Path], options: Options,
                 workers: Workers, saved: threading.Event, told: Told, judged: Judged,
                 begun: Begun = lambda tasks: None, copies: Path | None = None) -> None:
        self.assignment, self.folders, self.options = assignment, folders, options
        self.copies = copies
        self.workers, self.saved = workers, saved
        self.told, self.judged, self.begun = told, judged, begun
        self.references = [load(assignment, "public")]
        self.bank = load_bank(assignment.references)
        self.last: Grading | None = None
        self.before = options.before
        self.submission = Submission(Path(), ())  # as it was graded last
        self.files: dict[str, bytes] = {}  # likewise, see `_contents`
        self.due: set[str] = set()  # tasks that were to be judged again when the next save came
        self.stuck = False  # whether nothing could be graded after the last save

    def update(self) -> None:
        """Grade the submission as it is now, as far as it has changed."""
        begin = time.monotonic()
        self.saved.clear()
        with tempfile.TemporaryDirectory(prefix="submission-", dir=self.copies) as root:
            first, *more = self.folders
            try:
                submission = take_in(first, Path(root), self.assignment.problems, *more)
            except FileNotFoundError:  # an editor replaces a file
                time.sleep(AT_ONCE)
                self.saved.set()
                return
            except NoSubmission as error:
                self.stuck = True
                self.told([next((f"{folder} is gone: it is graded when it is there again, Ctrl-C "
                                 "ends" for folder in self.folders if not folder.is_dir()),
                                str(error))])
                return
            files = _contents(submission.root)
            if files != self.files or self.due or self.stuck:
                grade(self.assignment, submission, replace(self.options, before=self.before),
                      references=self.references, workers=self.workers, bank=self.bank,
                      run=lambda grading: self._run(grading, files, begin))

    def _run(self, grading: Grading, files: dict[str, bytes], begin: float) -> None:
        submission = grading.inquiry.submission
        first, known, waiting, due = set[str](), {}, set[str](), {*self.due}
        # Tasks whose files do not compile, as in the middle of an edit, wait for the next save.
        broken = {task: names for _, task in grading.steps
                  if (names := submission.broken.keys() & self._reached(task, submission))}
        if self.last is not None:
            first = self._plan(grading, self.last, files, broken.keys())
            waiting = self.due & broken.keys()
            known = {row.check.number: row.tiers for row in self.last.grade.rows}
        if names := {name for task in (waiting if known else broken) for name in broken[task]}:
            self.told([submission.broken[name] for name in sorted(names)])
        # To look at trained networks takes a minute: nothing else waits for it.
        later = [step for step in grading.steps if self._measured(step[1]) and step[1] not in first]
        looked_at = {task for _, task in grading.steps}
        grading.steps = [step for step in grading.steps if step not in later]
        if not known and any("/results/" in name for name in files):
            first = {task for _, task in grading.steps}
            grading.grade.rows = [Row(check) for check in grading.checks]
        shown = bool(known) and not grading.steps  # what there is to say
        if shown and self.stuck:
            self.judged(grading.grade, first)
        while grading.steps or later:
            if not grading.steps:
                grading.steps, later = later, []
            rows, notes = [*grading.grade.rows], [*grading.grade.notes]
            step = grading.steps[0]
            self.begun([task for _, task in [*grading.steps, *later]])
            if not self._judged_next(grading):
                if not shown:  # nothing has been said of this save
                    self.due, self.stuck = due, True
                    return
                grading.grade.rows, grading.grade.notes = rows, notes
                grading.steps.insert(0, step)
                break
            grading.grade.seconds = time.monotonic() - begin
            if first and first.isdisjoint(task for _, task in grading.steps):
                self.judged(grading.grade, first)
                self._said(grading.grade)
                grading.grade.before = self.before
                known.update((row.check.number, row.tiers) for row in grading.grade.rows
                             if row.check.task_number in first)
                first, shown = set(), True
            if known and not first and self.saved.is_set():
                break
        self.begun([])
        for future in grading.asked:
            future.cancel()
        self.due = {task for _, task in [*grading.steps, *later]} | waiting
        cut_short = bool(grading.steps or later)
        if cut_short:
            self.workers.abandon()
        changed = {row.check.task_number for row in grading.grade.rows
                   if known and known.get(row.check.number, {}) != row.tiers}
        if changed or not (shown or cut_short):
            self.judged(grading.grade, (changed or looked_at) if known else None)
        self._said(grading.grade)
        self.files, self.submission, self.last = files, submission, grading
        self.stuck = False

    def _said(self, outcome: Grade) -> None:
        """What is said next is said of changes since this."""
        self.before = Before(outcome.and_before().scores, self.options.before.failed, "save")

    def _judged_next(self, grading: Grading) -> bool:
        """Judge a task; False, and all is given up, where a newer save finds it in a long loop."""
        judged, given_up = threading.Event(), threading.Event()

        def give_up() -> None:
            while not self.saved.wait(LOOK):
                if judged.is_set():
                    return
            if not judged.wait(MOMENT):
                given_up.set()
            while not judged.wait(AT_ONCE):  # what has begun meanwhile ends as well
                grading.inquiry.give_up()

        listening = threading.Thread(target=give_up, daemon=True)
        listening.start()
        try:
            grading.judge_next()
        finally:
            judged.set()
        if given_up.is_set():
            listening.join()
        return not given_up.is_set()

    def _plan(self, grading: Grading, last: Grading, files: dict[str, bytes],
              broken: Set[str]) -> set[str]:
        """Plan the tasks whose answers can have changed, and return those that come first; what is
        `broken` stays due."""
        changed = {name for name in files.keys() | self.files.keys()
                   if files.get(name) != self.files.get(name)}
        needs = {number: {*task.needs} for number, task in self.assignment.tasks.items()}
        chosen = {check.task_number for check in grading.checks}
        order = [task for task in self.assignment.inner_order() if task in chosen]
        named = {".".join(name.split(".")[:2]) for name in self.options.only or ()}
        for task in order:
            if (task in named or not self._measured(task)) and (
                    needs[task] & self.due or any(
                        self._reads(task, name, grading.inquiry.submission) for name in changed)):
                self.due.add(task)
        first: set[str] = set()
        for task in reversed(order):
            if task in self.due - broken and (self._edited(task, changed, files) or any(
                    task in needs[other] for other in first)):
                first.add(task)
        grading.resume(last, sorted(self.due - broken, key=lambda task: (
            task not in first, order.index(task))))
        return first

    def _asked(self, task: str) -> list[Question]:
        return [self.references[0].by_number[check.number].question
                for check in self.assignment.selected(task)]

    def _measured(self, task: str) -> bool:
        """Whether it looks at what training has left in `results/`."""
        return any(question.results for question in self._asked(task))

    def _reads(self, task: str, name: str, submission: Submission) -> bool:
        """Whether what a file holds can change the answers to a task's questions."""
        problem, _, inside = name.partition("/")
        files, questions = self.assignment.tasks[task].files, self._asked(task)
        if any(name in question.handed for question in questions):
            return True
        if all(question.problem != problem for question in questions):
            return False
        if inside.startswith("results/"):
            return self._measured(task)
        both = (self.submission, submission)
        known = {file for each in both for files in each.imports.values() for file in files}
        known |= {file for other in self.assignment.tasks.values() for file in other.files}
        reached = {file for each in both for file in self._reached(task, each)}
        # What no task's file is known to import may be imported, or read, in other ways.
        return name in reached or name not in known or not files[0].endswith(".py")

    def _reached(self, task: str, submission: Submission) -> set[str]:
        """The files that importing a task's files imports, as far as they are known."""
        return {file for start in self.assignment.tasks[task].files
                for file in submission.reached(start)}

    def _edited(self, task: str, changed: set[str], files: dict[str, bytes]) -> bool:
        """Whether one of these changes is in what the task is about, as far as one can see."""
        asked = [question.asked for question in self._asked(task)]
        asked += [self.assignment.tasks[task].begins, *self.assignment.tasks[task].functions]
        for name in changed:
            if not name.startswith(tuple(self.assignment.tasks[task].files)):
                continue
            own = {path.split(".")[1] for path in asked if path.startswith(f"{Path(name).stem}.")}
            before, now = (_blocks(content.get(name, b"")) for content in (self.files, files))
            if not own or any(before.get(block) != now.get(block) for block in own):
                return True
        return False


def _contents(root: Path) -> dict[str, bytes]:
    """The sources of a submission, and digests of its other files."""
    return {path.relative_to(root).as_posix():
            content if path.suffix == ".py" else hashlib.sha256(content).digest()
            for path in root.rglob("*") if path.is_file() for content in [path.read_bytes()]}


def _blocks(source: bytes) -> dict[str, str]:
    """The functions and classes of a file by name, as text; it may hold anything."""
    _, *parts = BLOCK.split(source.decode(errors="replace"))
    return dict(zip(parts[::2], parts[1::2]))
