"""The commands that everybody has: grade, watch, zip, doctor."""

import argparse
import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from .. import KIT
from .assignment import Assignment
from .files import write_whole
from .references import TIERS
from .results import Before, Grade, Row, some

if TYPE_CHECKING:
    from .grade import Options

OWN = KIT / "starter"  # the work of whoever has this copy of the kit
WORKERS = "how worker processes start (default: fork on Linux)"
OK, USAGE, BROKE, INTERRUPTED = 0, 2, 3, 130  # exit codes


class Bar(tqdm):  # type: ignore[type-arg]  # it has none when it runs
    """A progress bar on a terminal; in a file or a pipe, which nobody watches, a line a minute."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.watched = sys.stderr.isatty()
        if not self.watched:
            options |= {"file": _Lines(), "leave": False, "delay": 60, "mininterval": 60,
                        "maxinterval": 60, "bar_format":
                        "{desc}: {n_fmt} of {total_fmt}, {elapsed} so far, {remaining} left"}
        super().__init__(*args, **options)


class _Lines:
    """Takes what is written over and over in one line, and writes it on stderr line by line."""

    def write(self, text: str) -> None:
        if line := text.strip().removeprefix(": "):
            print(line, file=sys.stderr, flush=True)

    def flush(self) -> None:
        """All is written."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
                 assignment: Assignment, at_home: bool = True) -> None:
    """Add the commands to argparse. There can be hidden inputs only `at_home`."""
    folders = " and ".join(f"{name}/" for name in assignment.problems)
    handed = argparse.ArgumentParser(add_help=False)
    handed.add_argument("submission", nargs="*", type=Path, default=[OWN],
                        help=f"folder or zip file with {folders}, or one for each of them "
                             "(default: starter)")
    graded = argparse.ArgumentParser(add_help=False)
    graded.add_argument("--only", metavar="TASK", nargs="+",
                        help=f"only {_examples(assignment)}, or several")
    graded.add_argument("--html", type=Path, metavar="FILE",
                        help="also write a page with pictures of what failed")
    graded.add_argument("--jobs", type=whole, metavar="N",
                        help="checks side by side (default: the cores, at most 4)")
    graded.add_argument("--threads", type=whole, default=1, metavar="N",
                        help="torch threads of each check (default: %(default)s)")
    graded.add_argument("--budget", type=whole, default=900, metavar="SECONDS",
                        help="after this time, leave the remaining checks out "
                             "(default: %(default)s)")
    graded.add_argument("--workers", choices=("fork", "spawn"), help=WORKERS)
    add = add_command(commands, "grade", functools.partial(_grade, assignment),
                      "grade a submission and say what to fix", parents=[handed, graded])
    add("--tier", choices=("public", "all"), default="public",
        help="inputs: only the public ones (default), or the hidden ones too"
        if at_home else argparse.SUPPRESS)
    add("--json", type=Path, metavar="FILE", help="also write results.json here")
    add("--require-isolation", action="store_true",
        help="refuse to run without the isolation that hostile code needs")
    add_command(commands, "watch", functools.partial(_watch, assignment),
                "grade again what a save can have changed, until Ctrl-C", parents=[handed, graded])
    add = add_command(commands, "zip", functools.partial(_zip, assignment),
                      "build the zip file to hand in, and say what it lacks", parents=[handed])
    add("--out", type=Path, default=Path("submission.zip"), metavar="FILE",
        help="the zip file (default: %(default)s)")
    add = add_command(commands, "doctor", functools.partial(_doctor, assignment),
                      "say whether this machine is fit, and how it locks student code in")
    add("--workers", choices=("fork", "spawn"), help=WORKERS)


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str,
                run: Callable[[argparse.Namespace], int], says: str,
                **more: Any) -> Callable[..., argparse.Action]:
    """Add a command, and return what adds its options. `run` does it and returns the exit code; its
    own help begins with what the list of commands says of it; `more` is of argparse."""
    parser = commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.",
                                 **more)
    parser.set_defaults(run=run)
    return parser.add_argument


def whole(text: str) -> int:
    """A whole number from 1, as argparse reads it."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text}")
    return int(text)


def _examples(assignment: Assignment) -> str:
    """What may be selected, with examples."""
    task = next(iter(assignment.tasks))
    return f"a problem ({task.partition('.')[0]}), a task ({task}) or a check ({task}.1)"


def chosen(assignment: Assignment, words: list[str] | None) -> list[str] | None:
    """What stands behind --only, with spaces or commas between; ValueError where there is no such
    task or check."""
    only = words and " ".join(words).replace(",", " ").split()
    for name in only or ():
        if name not in assignment.selections():
            if Path(name).exists():
                raise ValueError(f"{name} stands behind --only, where tasks stand: name it before")
            if f"### Task {name} " in assignment.rules_file.read_text(encoding="utf-8"):
                raise ValueError(f"no check grades task {name}: its rules are in "
                                 f"{assignment.rules_file.name}")
            raise ValueError(f"there is no task or check {name}: name {_examples(assignment)}")
    return only


def _settings(assignment: Assignment, options: argparse.Namespace,
              tier: str = TIERS[0]) -> "tuple[Options, Path | None]":
    """How to grade, and the file that remembers the grades of a student's own work."""
    from .grade import Options

    only = chosen(assignment, options.only)
    writable(options.html)
    own = [path.resolve() for path in options.submission] == [OWN]
    kept = KIT / f".grade-{tier}.json" if own else None
    return Options(TIERS if tier == "all" else TIERS[:1], only, options.jobs or Options.slots,
                   options.threads, options.budget, options.workers or Options.workers,
                   before=_before(kept)), kept


def _grade(assignment: Assignment, options: argparse.Namespace) -> int:
    from . import pytest_plugin
    from .grade import grade
    from .terminal import summary

    writable(options.json)
    settings, kept = _settings(assignment, options, options.tier)
    print(f"grading {' and '.join(map(str, options.submission))}: "
          f"{len(assignment.selected(settings.only))} checks, after some seconds to load torch",
          file=sys.stderr, flush=True)
    with Bar(unit="check", leave=False, desc="starting", bar_format="{desc} ...") as bar:
        def progress(row: Row, total: int) -> None:
            # What is left of the time, nobody can say: checks take from a millisecond to a minute.
            bar.total, bar.bar_format = total, (
                "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}]" if bar.watched else
                "{desc}: {n_fmt} of {total_fmt}, {elapsed} so far")
            bar.set_description_str(f"check {row.check.number}", refresh=False)
            bar.update()

        outcome = grade(assignment, options.submission,
                        replace(settings, json=options.json,
                                require_isolation=options.require_isolation),
                        progress, run=pytest_plugin.run)
    print(summary(outcome))
    _keep(outcome, kept)
    if options.html is not None:
        _draw(outcome, options)
        print(f"The same with pictures: {options.html}")
    if not outcome.complete:
        print("error: some checks could not be judged, see above", file=sys.stderr)
        return BROKE
    return OK


def _watch(assignment: Assignment, options: argparse.Namespace) -> int:
    from .terminal import summary

    try:
        from .watch import watch
    except ImportError as error:
        raise ValueError(f"{error.name} is not installed: {sys.executable} -m pip install -r "
                         "requirements.txt") from None
    settings, kept = _settings(assignment, options)
    for path in options.submission:
        if not path.is_dir():
            raise ValueError(f"{path} is no folder: name one in which files are saved")
    grades: list[Grade] = []
    notes: list[str] = []
    said: dict[str, object] = {}  # of each task, as it was printed last

    def told(sentences: Sequence[str]) -> None:
        begun([])
        print(f"\n{time.strftime('%X')}", *sentences, sep="\n", flush=True)

    def begun(tasks: Collection[str]) -> None:
        if sys.stderr.isatty():  # a line that the next one replaces
            print(f"\r\033[Kgrading {some(tasks)} ..." if tasks else "\r\033[K", end="",
                  file=sys.stderr, flush=True)

    def judged(outcome: Grade, tasks: Collection[str] | None) -> None:
        grades[:] = [outcome]
        hints = outcome.hints
        now = {task: (hints.get(task), [(row.score, row.message) for row in rows])
               for task, rows in outcome.tasks().items() if tasks is None or task in tasks}
        told([summary(outcome, only=tasks, told=notes,
                      same={task for task in now if said.get(task) == now[task]})])
        said.update(now)
        notes[:] = outcome.notes
        _keep(outcome, kept)
        if options.html is not None:
            _draw(outcome, options, live=True)

    print(f"watching {' and '.join(map(str, options.submission))}: what you save is graded, "
          "Ctrl-C ends", file=sys.stderr)
    try:
        watch(assignment, options.submission, settings, told, judged, begun)
    except KeyboardInterrupt:
        for outcome in grades if options.html is not None else ():
            _draw(outcome, options)
        return OK


def _draw(outcome: Grade, options: argparse.Namespace, live: bool = False) -> None:
    """Write the page; a live one looks for a newer one of itself."""
    from .pages.grade_page import write  # brings matplotlib, which nothing else here needs

    write(outcome, " and ".join(path.resolve().name for path in options.submission), options.html,
          lambda rows: Bar(rows, "drawing", leave=False, delay=1), live)


def writable(file: Path | None) -> None:
    """ValueError where a file, if one is named, cannot be written."""
    if file is not None and not file.absolute().parent.is_dir():
        raise ValueError(f"the folder of {file} does not exist")
    if file is not None and file.is_dir():
        raise ValueError(f"{file} is a folder, not a file to write")
    if file is not None and not os.access(file.absolute().parent, os.W_OK):
        raise ValueError(f"{file} cannot be written: its folder is read-only")


def _zip(assignment: Assignment, options: argparse.Namespace) -> int:
    from .handing_in import build

    writable(options.out)
    print("\n".join(build(assignment, options.submission, options.out)))
    return OK


def _keep(outcome: Grade, path: Path | None) -> None:
    """Keep what the next grade follows."""
    if path is not None:
        with contextlib.suppress(OSError):  # a folder that nobody may write to
            write_whole(path, json.dumps(asdict(outcome.and_before())))


def _before(path: Path | None) -> Before:
    """What a file keeps of earlier grades, if there is one that can be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        if path is not None:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return Before({number: float(score) for number, score in kept["scores"].items()},
                          {task: int(count) for task, count in kept["failed"].items()},
                          "grade of each check")  # not all are graded each time
    return Before()


def _doctor(assignment: Assignment, options: argparse.Namespace) -> int:
    from .machine import examine
    from .sandbox.layers import describe
    from .sandbox.pool import DEFAULT_KIND, Workers

    findings = examine(KIT)
    print("This machine:")
    print("\n".join(map(str, findings)))
    if any(finding.required and not finding.there for finding in findings):
        print("error: this machine cannot grade, see above", file=sys.stderr)
        return BROKE
    with Workers(assignment, kind=options.workers or DEFAULT_KIND) as workers:
        layers = workers.layers()
    print("\nWhat stands between student code and this machine:")
    print("\n".join(describe(layers)))
    return OK
