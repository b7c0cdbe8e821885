"""The page of a grade: a table of tasks, then for each what failed, why, the rule, and a figure."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .. import results
from ..files import write_whole
from ..messages import PASSED
from ..results import Grade, Row
from .canvas import Figure
from .figures import figure_of
from .rendering import environment

TEMPLATES = environment()


@dataclass(frozen=True)
class Article:
    """Rows of which the page says the same."""

    rows: list[Row]

    @property
    def figure(self) -> Figure | None:
        """What there is to see of a single one."""
        return self.rows[0].figure if len(self.rows) == 1 else None

    @property
    def state(self) -> str:
        """`passed`, `failed`, or `broke` where there is nothing to judge, yet or since the grader
        broke."""
        if not any(row.lost for row in self.rows):
            return "passed"
        return "broke" if results.to_do(self.rows) or any(
            row.verdict in results.UNKNOWN for row in self.rows) else "failed"


def write(grade: Grade, name: str, path: Path,
          progress: Callable[[list[Row]], Iterable[Row]] = iter, live: bool = False) -> None:
    """Write the page.

    Args:
        name: of the submission.
        progress: wraps the rows whose figures are drawn, for example in a progress bar.
        live: the page loads itself again when a newer one has been written.

    Raises:
        OSError: it cannot be written.
    """
    for row in progress(grade.rows):
        row.figure = row.figure or figure_of(row.outcome, grade.assignment)
    write_whole(path, page(grade, name, live))


def page(grade: Grade, name: str, live: bool = False) -> str:
    """The page as HTML, with the figures that rows have; arguments as for `write`."""
    tasks = grade.tasks()
    handout = grade.assignment.rules_file.with_name("handout.html")  # which students have there
    problems: dict[str, dict[str, list[Row]]] = {}
    for number, rows in tasks.items():
        problems.setdefault(number.partition(".")[0], {})[number] = rows
    return TEMPLATES.get_template("grade.html").render(
        grade=grade, name=name, inputs=_inputs(grade), problems=problems, tasks=tasks,
        articles={number: _articles(rows) for number, rows in tasks.items()},
        causes=results.causes(grade.rows, results.MOST_CAUSES), lines_of=results.lines_of,
        notes=[*grade.notes, *grade.excuses() * (not live)], change=grade.change, hints=grade.hints,
        handout=handout.as_uri() if handout.is_file() else "", total=results.total,
        to_do=results.to_do, unknown=_unknown, longest=results.MAX_OUTPUT,
        written=time.time_ns() if live else 0)


def _unknown(rows: list[Row]) -> float:
    """The part of the possible points that is lost in checks that gave no answer to judge."""
    possible = results.total(rows).possible
    lost = sum(row.check.points - row.score for row in rows
               if row.verdict in (results.SUBMISSION_BROKE, *results.UNKNOWN))
    return lost / possible if possible else 0.0


def _inputs(grade: Grade) -> str:
    """What the numbers rest on."""
    hidden = any(len(row.tiers) > 1 for row in grade.rows)
    data = (f", {grade.made['profile']} data of seed {grade.made['seed']}"
            if {"profile", "seed"} <= set(grade.made) else "")
    return f"{'public and hidden' if hidden else 'public'} inputs{data}"


def _articles(rows: list[Row]) -> list[Article]:
    """What there is to say about a task; nothing about checks that passed and show nothing."""
    articles = [Article(group) for group in results.together(rows)]
    told: dict[str, list[Row]] = {}
    for row in rows:
        if not row.lost and row.figure is not None:
            articles.append(Article([row]))
        elif not row.lost and row.message != PASSED:
            told.setdefault(row.message, []).append(row)
    return articles + [Article(group) for group in told.values()]
