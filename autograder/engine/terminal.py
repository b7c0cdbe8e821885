"""The summary on the terminal: points per task, and for every failed check why."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Collection

from .messages import passed
from .results import MOST_CAUSES, PASSED, Grade, Row, causes, lines_of, together, total

GREEN, RED, DIM, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[1m", "\033[0m"


def summary(grade: Grade, colour: bool | None = None, only: Collection[str] | None = None,
            told: Collection[str] = ()) -> str:
    """The whole grade as text, in colours where stdout is a terminal, without notes that have been
    `told`; of tasks that are not in `only` no more than what is in the total."""
    colour = sys.stdout.isatty() if colour is None else colour

    def paint(text: str, code: str) -> str:
        return f"{code}{text}{PLAIN}" if colour else text

    width = min(100, shutil.get_terminal_size().columns)
    lines, hints = [], grade.hints
    for task, rows in grade.tasks().items():
        if only is not None and task not in only:
            continue
        title, file = rows[0].check.task.title, rows[0].check.task.file
        score, groups = total(rows), together(rows)
        mark = paint("LOST", RED) if groups else paint("ok  ", GREEN)
        lines.append(f"{mark} {task:<5}{title:<34}{score.earned:>5g} / {score.possible:<5g}"
                     + paint(file, DIM))
        for group in groups:
            lines += _failure(group, width, paint)
        if task in hints:
            lines += textwrap.wrap(f"Where to look: {hints[task]}", width,
                                   initial_indent=" " * 5, subsequent_indent=" " * 5)
        followed: dict[tuple[str, ...], list[str]] = {}
        for row in rows:
            if row.verdict == PASSED and row.outcome is not None and row.outcome.stood_in:
                followed.setdefault(row.outcome.stood_in, []).append(row.check.number)
        for stood_in, numbers in followed.items():
            lines += textwrap.wrap(
                f"{', '.join(numbers)}: {passed(stood_in, grade.assignment)}", width,
                initial_indent=" " * 5, subsequent_indent=" " * 12)
    dearest = causes(grade.rows, MOST_CAUSES)
    if len(dearest) > 1 and only is None:
        lines += ["", "What costs most:"]
        for cause in dearest:
            lines += textwrap.wrap(
                f"{cause.points:>5g}  {textwrap.shorten(cause.reason, 300)}", width,
                subsequent_indent=" " * 7)
            lines += [paint(line, DIM) for line in textwrap.wrap(
                cause.where, width, initial_indent=" " * 7, subsequent_indent=" " * 7)]
    lines += [f"note: {note}" for note in [*grade.notes, *grade.excuses() * (only is None)]
              if note not in told]
    lines += [""] * (only is None)
    lines.append(paint(f"Total {total(grade.rows)}", BOLD) + f"   ({grade.seconds:.1f} s)")
    return "\n".join([*lines, grade.change] if grade.change else lines)


def _failure(group: list[Row], width: int,
             paint: Callable[[str, str], str]) -> list[str]:
    """Number, sentence and points of a check, and its message; or one message for several."""
    head = f"     {group[0].check.number}  {group[0].check.sentence}"
    if len(group) > 1:
        head = f"     {', '.join(row.check.number for row in group)}"
    head += f"  [{total(group)}]"
    lines = textwrap.wrap(head, width, subsequent_indent=" " * 12)
    for paragraph in lines_of(group):
        lines += [paint(line, DIM) for line in
                  textwrap.wrap(paragraph, width, initial_indent=" " * 12,
                                subsequent_indent=" " * 12)]
    return lines
