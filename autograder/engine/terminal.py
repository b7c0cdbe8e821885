"""The summary on the terminal: points per task, and for every failed check why."""

import shutil
import sys
import textwrap
from collections.abc import Collection

from .messages import LIKE
from .results import MOST_CAUSES, PASSED, Grade, causes, lines_of, some, to_do, together, total

KEPT = "\u00a0"  # a space at which no line is broken
GREEN, RED, DIM, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[1m", "\033[0m"


def summary(grade: Grade, colour: bool | None = None, only: Collection[str] | None = None,
            told: Collection[str] = (), same: Collection[str] = ()) -> str:
    """The whole grade as text, in colours where stdout is a terminal, without notes that have been
    `told`; of tasks that are not in `only` no more than what is in the total, and of those that are
    the `same` as before no more than their points, if they lose any by what is written."""
    colour = sys.stdout.isatty() if colour is None else colour

    def paint(text: str, code: str) -> str:
        return f"{code}{text}{PLAIN}" if colour else text

    width = min(100, shutil.get_terminal_size().columns)

    def wrapped(text: str, first: int, others: int) -> list[str]:
        """Text in lines, so far from the left."""
        return [line.replace(KEPT, " ") for line in textwrap.wrap(
            text, width, initial_indent=" " * first, subsequent_indent=" " * others)]

    lines, hints = [], grade.hints
    for task, rows in grade.tasks().items():
        if only is not None and task not in only:
            continue
        title, file = rows[0].check.task.title, rows[0].check.task.file
        score, groups = total(rows), together(rows)
        undone = sum(map(len, groups)) == len(to_do(rows))
        mark = (paint("ok  ", GREEN) if not groups else "todo" if undone else paint("LOST", RED))
        followed: dict[str, list[str]] = {}
        for row in rows:
            if row.verdict == PASSED and row.outcome is not None and row.outcome.stood_in:
                followed.setdefault(row.message.split("\n")[0], []).append(row.check.number)
        if task in same and undone:
            continue
        as_before = "  as before" * (task in same)
        lines.append(f"{mark} {task:<5}{title:<34}{score.earned:>5g} / {score.possible:<5g}"
                     + paint(file + as_before, DIM))
        if as_before:
            continue
        ruled: set[str] = set()
        for group in groups:
            said, *more = lines_of(group)
            if undone and len(grade.tasks()) > 1:  # of one task alone, all is told
                lines += wrapped(said, 5, 5)
                continue
            points = f"[{total(group)}]".replace(" ", KEPT)
            head = f"{', '.join(row.check.number for row in group)}  {points}"
            if len(group) == 1:
                head = f"{group[0].check.number}  {group[0].check.sentence}  {points}"
            lines += wrapped(head, 5, 12)
            if any(line.startswith(LIKE) for line in more) and len(groups) > 1:
                more = [line for line in more if not line.startswith("Asked")]
            for i, text in enumerate(more):
                rule = text.partition(":")[0]
                if text.startswith("Rule ") and rule in ruled:
                    more[i] = f"{rule}, as above"
                ruled.add(rule)
            lines += wrapped(said, 12, 12)
            lines += [paint(line, DIM) if text.startswith(("Asked", "Rule ")) else line
                      for text in more for line in wrapped(text, 12, 12)]
        if task in hints:
            lines += wrapped(f"Where to look: {hints[task]}", 5, 5)
        for said, numbers in followed.items():
            lines += wrapped(f"{', '.join(numbers)}: {said}", 5, 12)
    dearest = causes(grade.rows, MOST_CAUSES)
    missing = sum(cause.points for cause in dearest)
    if len(dearest) > 1 and len(grade.tasks()) > 1 and only is None:
        lines += ["", "What costs most of "
                  + ("the point that is missing:" if missing == 1 else
                     f"the {missing:g} points that are missing:")]
        for cause in dearest:
            lines += wrapped(f"{cause.points:>5g}  {textwrap.shorten(cause.reason, 300)}", 0, 7)
            lines += [paint(line, DIM) for line in wrapped(cause.where, 7, 7)]
    lines += [f"note: {note}" for note in [*grade.notes, *grade.excuses() * (only is None)]
              if note not in told]
    if only is not None and not lines:
        tasks = [task for task in grade.tasks() if task in only]
        lines = [f"Looked again at {some(tasks)}: nothing has changed." if tasks else
                 "Nothing has changed."]
    lines += [""] * (only is None)
    due = f"{total(to_do(grade.rows)).possible:g}"
    due += f" of the {missing:g} missing points" * (due != f"{missing:g}")
    lines.append(paint(f"Total {total(grade.rows)}", BOLD)
                 + f"   ({f'{due} not done yet, ' * bool(to_do(grade.rows))}{grade.seconds:.1f} s)")
    return "\n".join([*lines, grade.change] if grade.change else lines)

