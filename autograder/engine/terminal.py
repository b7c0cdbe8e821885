"""The summary on the terminal: points per task, and for every failed check why."""

import shutil
import sys
import textwrap
from collections.abc import Callable

from .messages import passed
from .results import PASSED, SUBMISSION_BROKE, Grade, Row

GREEN, RED, DIM, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[1m", "\033[0m"


def short(value: float) -> str:
    """2.0 as `2`, 2.5 as `2.5`."""
    return f"{value:g}"


def summary(grade: Grade, colour: bool | None = None) -> str:
    """The whole grade as text.

    Args:
        colour: whether to use ANSI colours; by default where stdout is a terminal.
    """
    colour = sys.stdout.isatty() if colour is None else colour

    def paint(text: str, code: str) -> str:
        return f"{code}{text}{PLAIN}" if colour else text

    width = min(100, shutil.get_terminal_size().columns)
    lines = []
    for task, rows in grade.tasks().items():
        title, file = rows[0].check.task.title, rows[0].check.task.file
        got, possible = total(rows)
        mark = paint("ok  ", GREEN) if not together(rows) else paint("LOST", RED)
        lines.append(f"{mark} {task:<5}{title:<34}{short(got):>5} / {short(possible):<5}"
                     + paint(file, DIM))
        for group in together(rows):
            lines += _failure(group, width, paint)
        followed: dict[tuple[str, ...], list[str]] = {}
        for row in rows:
            if row.verdict == PASSED and row.outcome is not None and row.outcome.stood_in:
                followed.setdefault(row.outcome.stood_in, []).append(row.check.number)
        for stood_in, numbers in followed.items():
            lines += textwrap.wrap(
                f"{', '.join(numbers)}: {passed(stood_in, grade.assignment)}", width,
                initial_indent=" " * 5, subsequent_indent=" " * 12)
    for note in [*grade.notes, *grade.excuses()]:
        lines.append(f"note: {note}")
    summed = f"Total {short(grade.score)} / {short(grade.possible)}"
    lines += ["", paint(summed, BOLD) + f"   ({grade.seconds:.0f} s)"]
    return "\n".join(lines)


def total(rows: list[Row]) -> tuple[float, float]:
    """Points of rows, and the points that there are without extra ones."""
    return (sum(row.score for row in rows),
            sum(row.check.points for row in rows if not row.check.extra))


def worth(rows: list[Row]) -> str:
    """What rows have and could have: `2 / 3`, or `0 / 2 extra` where all of it is extra."""
    if all(row.check.extra for row in rows):
        got, possible = (sum(values) for values in zip(*(
            (row.score, row.check.points) for row in rows)))
        return f"{short(got)} / {short(possible)} extra"
    got, possible = total(rows)
    return f"{short(got)} / {short(possible)}"


def together(rows: list[Row]) -> list[list[Row]]:
    """The rows that lost points; those that broke in one and the same way stand together."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.verdict != PASSED or row.score < row.check.points:
            same = row.message.splitlines()[0] if row.verdict == SUBMISSION_BROKE else ""
            groups.setdefault(same or row.check.number, []).append(row)
    return list(groups.values())


def _failure(group: list[Row], width: int,
             paint: Callable[[str, str], str]) -> list[str]:
    """Number, sentence and points of a check, and its message; or one message for several."""
    first, message = group[0], group[0].message
    head = f"     {first.check.number}  {first.check.sentence}"
    if len(group) > 1:
        head = f"     {', '.join(row.check.number for row in group)}"
        message = message.splitlines()[0]
    head += f"  [{worth(group)}]"
    lines = textwrap.wrap(head, width, subsequent_indent=" " * 12)
    for paragraph in message.splitlines():
        lines += [paint(line, DIM) for line in
                  textwrap.wrap(paragraph, width, initial_indent=" " * 12,
                                subsequent_indent=" " * 12)]
    return lines
