"""Rows of a grade, and the file that Gradescope reads.

Every row is planned before the first check runs and has its points and its reason at any moment, so
that a run that ends early has lost nothing but what it could not know.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .assignment import Assignment
from .check import Check
from .files import write_whole
from .messages import LIKE, NOT_WRITTEN

if TYPE_CHECKING:
    from .judging import Outcome

MAX_OUTPUT = 4000  # characters of a text in results.json
MOST_CAUSES, MOST_NAMES = 3, 4  # that a summary begins with; checks and files it names of each
MOST_CHANGED = 10  # checks that are named where points have changed
PASSED, FAILED, SUBMISSION_BROKE, GRADER_BROKE, NOT_RUN = (
    "passed", "failed", "submission broke", "grader broke", "not run")
UNKNOWN = NOT_RUN, GRADER_BROKE  # verdicts that say nothing about the submission
# What many messages have in common: how they begin, and what is said of all of them, where it is
# still to be done.
COMMON = (
    (NOT_WRITTEN, "what is not written yet"),
    (r"\S*results/\S+ is missing", "what training writes to results/ is missing"),
    (r"\S+ has no value for any of", "what report.py fills in is missing"),
    (r"\S+ is missing", ""),
)
TO_DO = {says for _, says in COMMON if says}
UNJUDGED = "Not run: this check has not been judged."
UNFOLDS = 2  # failing grades of a task after which it is said where to look


class Score(NamedTuple):
    """Points of some checks, as text `2.5 / 4`. Extra points are not among the possible ones,
    unless all are extra: `0 / 0.5 extra`."""

    earned: float
    possible: float
    extra: bool = False

    def __str__(self) -> str:
        return f"{self.earned:g} / {self.possible:g}{' extra' * self.extra}"

    @property
    def full(self) -> bool:
        """Whether no points are lost; extra ones cannot be."""
        return self.extra or self.earned >= self.possible

    @property
    def share(self) -> float:
        """The part of the possible points that was earned, in 0..1."""
        return min(1.0, self.earned / self.possible) if self.possible else 1.0


@dataclass
class Row:
    """The state of one check.

    Args:
        verdict: one of the five above. "submission broke" is student code that raised, crashed
            or ran out of time; "grader broke" is a fault of the kit and costs nobody points
            silently; "not run" says nothing about the submission.
        message: what the student reads.
        tiers: verdict, score and message of the tiers that have been judged. Until all planned ones
            are, the row is "not run" and has no points, unless one of them has cost it all points.
        outcome: of the public tier, for pictures.
        mistakes: known ones that answer like the submission, see `diagnosis.Diagnosis`; the message
            names the only one, or says that there are several.
        unexplained: fails by itself, and no known mistake answers like this.
        cause: in a few words why points are lost, where that is known.
        accuracy: of a trained network on the public inputs: `name`, `measured`, and what the
            submission itself has `claimed`, as pairs of place and value; `rows`: what else was
            measured, if anything.
        place: where the function begins that is asked, if it is known.
        planned: the tiers of inputs that the check is judged on.
        figure: of it (`pages.canvas.Figure`), once it has been drawn.
        why: the outcome on hidden inputs and what there is to say about it, where the check passed
            on public ones; nobody reads it before the instructor wants it, see `pages.explained`.
    """

    check: Check
    verdict: str = NOT_RUN
    score: float = 0.0
    message: str = UNJUDGED
    tiers: dict[str, tuple[str, float, str]] = field(default_factory=dict)
    outcome: "Outcome | None" = None
    mistakes: tuple[str, ...] = ()
    unexplained: bool = False
    cause: str = ""
    accuracy: dict[str, Any] | None = None
    place: str = ""
    planned: tuple[str, ...] = ("public",)
    figure: Any = None
    why: "tuple[Outcome, str] | None" = None

    @property
    def lost(self) -> bool:
        """Whether there is something to mend."""
        return self.verdict != PASSED or self.score < self.check.points

    def record(self, tier: str, verdict: str, score: float, message: str) -> None:
        """Set the outcome of a tier, "public" or "hidden": the row keeps the lowest score and the
        first reason for it."""
        self.tiers[tier] = verdict, score, message
        reasons = [t for t in self.tiers.values() if t[0] != PASSED] or [*self.tiers.values()]
        worst = min(reasons, key=lambda reason: reason[1])
        lost = worst[0] != PASSED and worst[1] == 0
        if lost or set(self.planned) <= set(self.tiers):
            self.score = min(score for _, score, _ in self.tiers.values())
            self.verdict, _, self.message = worst


@dataclass(frozen=True)
class Before:
    """What earlier grades of the same work said: the last score of each check, in how many grades
    each task failed, and what the last of them is called."""

    scores: Mapping[str, float] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    last: str = "grade"


@dataclass
class Grade:
    """All rows of one run, task by task.

    Args:
        made: how the references were made.
        layers: of the lock-down: None where active, else why it is missing.
        before: what this grade follows.
        cpu_seconds, peak_mb: of the processes that ran the submission's code: CPU time of all, and
            the largest resident memory of one.
    """

    assignment: Assignment
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    layers: dict[str, str | None] = field(default_factory=dict)
    before: Before = field(default_factory=Before)
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0

    @property
    def score(self) -> float:
        return total(self.rows).earned

    @property
    def possible(self) -> float:
        """All points but the extra ones."""
        return total(self.rows).possible

    @property
    def grader_broke(self) -> bool:
        """Whether the grader itself broke on a check."""
        return any(row.verdict == GRADER_BROKE for row in self.rows)

    @property
    def not_run(self) -> list[str]:
        """Numbers of the checks that have not been judged."""
        return [row.check.number for row in self.rows if row.verdict == NOT_RUN]

    @property
    def complete(self) -> bool:
        """Whether every check has been judged; if not, an instructor has to look."""
        return not self.grader_broke and not self.not_run

    @property
    def failing(self) -> set[str]:
        """Numbers of the tasks that have been tried and lose something."""
        return {row.check.task_number for row in self.rows
                if row.lost and row.verdict not in UNKNOWN and not is_absent(row.message)}

    @property
    def hints(self) -> dict[str, str]:
        """Task number -> where to look, of the tasks that have failed often enough, by values: of
        what breaks, or is absent, the message says where."""
        hints, failed = self.assignment.hints, self.before.failed
        told = {row.check.task_number for row in self.rows if row.lost
                and row.verdict in (PASSED, FAILED) and not is_absent(row.message)}
        return {task: hints[task] for task in self.failing & told
                if task in hints and failed.get(task, 0) + 1 >= UNFOLDS}

    @property
    def change(self) -> str:
        """What has changed since then, see `since`."""
        return since(self.before.scores, self._settled, self.before.last)

    @property
    def _settled(self) -> list[Row]:
        """The rows that are judged for good: what fails without a task it needs may not with it,
        unless that task had all its points when it was last graded."""
        graded = {row.check.task_number for row in self.rows}
        losing = {check.task_number for check in self.assignment.checks
                  if self.before.scores.get(check.number, 0) < check.points}
        return [row for row in self.rows if row.verdict not in UNKNOWN
                and (not row.lost or not losing & {*row.check.task.needs} - graded)]

    def and_before(self) -> Before:
        """What the next grade follows."""
        failed = {task: self.before.failed.get(task, 0) + 1 for task in self.failing}
        scores = {row.check.number: row.score for row in self._settled}
        return Before({**self.before.scores, **scores}, {**self.before.failed, **failed})

    def excuses(self) -> list[str]:
        """What is said to a student whose grade is not complete."""
        lines = []
        if self.grader_broke:
            lines.append("Some checks could not be judged because the grader itself broke. This is "
                         "not your fault; your instructor can see it and will grade again.")
        if self.not_run:
            lines.append(f"{len(self.not_run)} checks have not been run, so that nothing is known "
                         "about them; your instructor can see it and will look into it.")
        return lines

    def tasks(self) -> dict[str, list[Row]]:
        """Task number -> its rows."""
        grouped: dict[str, list[Row]] = {}
        for row in self.rows:
            grouped.setdefault(row.check.task_number, []).append(row)
        return grouped


def total(rows: Sequence[Row]) -> Score:
    """The points of rows."""
    counted = [row for row in rows if not row.check.extra]
    # Rounded, since sums of tenths are not exact.
    return Score(round(sum(row.score for row in rows), 6),
                 round(sum(row.check.points for row in counted or rows), 6),
                 extra=bool(rows) and not counted)


def common(message: str) -> str:
    """The reason that a message begins with, in the words for all that have it in common."""
    first = message.partition("\n")[0]
    return next((says for start, says in COMMON if says and re.match(start, first)), first)


def to_do(rows: Iterable[Row]) -> list[Row]:
    """The rows that lost points for what is not written, or trained, yet."""
    return [row for row in rows if row.lost and common(row.message) in TO_DO]


def is_absent(message: str) -> bool:
    """Whether a message says that there is nothing to judge."""
    return any(re.match(start, message) for start, _ in COMMON)


def together(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows that lost points; those that broke in one and the same way stand together."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.lost:
            same = row.message.splitlines()[0] if row.verdict == SUBMISSION_BROKE else ""
            groups.setdefault(same or row.check.number, []).append(row)
    return list(groups.values())


def lines_of(rows: Sequence[Row]) -> list[str]:
    """The lines of a message; of several that begin with the same reason, what is said beside the
    call and the rule of each."""
    if len(rows) == 1 or is_absent(rows[0].message):
        return rows[0].message.splitlines()[:1 if len(rows) > 1 else None]
    of_these = "|".join(re.escape(row.check.number) for row in rows)
    left_out = re.compile(
        rf"Asked(, in short)?: |Rule [A-Z]|{LIKE} of ({of_these})\.$")
    return [*dict.fromkeys(line for row in rows for line in row.message.splitlines()
                           if not left_out.match(line))]


class Cause(NamedTuple):
    """Why points are lost: how many come back when it is mended, a sentence, the rows that it
    costs, and whether something is absent there."""

    points: float
    reason: str
    rows: list[Row]
    absent: bool

    @property
    def where(self) -> str:
        """`1.3.4, 1.3.5: problem1/utils.py, line 31`."""
        places = [place for row in self.rows for place in (
            [row.place] if row.place and not self.absent else row.check.task.files)]
        exact = {place.partition(", line ")[0] for place in places if ", line " in place}
        return ": ".join(some(names) for names in (
            [row.check.number for row in self.rows],
            [place for place in places if place not in exact]))


def some(names: Iterable[str]) -> str:
    """The first of these names, and how many more there are."""
    found = [*dict.fromkeys(names)]
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    return ", ".join(found[:MOST_NAMES]) + more


def causes(rows: Sequence[Row], most: int | None = None) -> list[Cause]:
    """What costs points, the dearest first; `most` of what is wrong, and of what is absent (twice
    as many where these are less than half), and then all else as one, so that they add up.

    Wrong answers that nothing explains stand together by task.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.lost and row.check.points > row.score:
            reason = common(row.message)
            if not is_absent(row.message):
                unnamed = f"task {row.check.task_number}" if row.verdict == FAILED else reason
                reason = row.cause or unnamed
            groups.setdefault(reason, []).append(row)
    found = []
    for reason, group in groups.items():
        if reason.startswith("task "):
            first = group[0].message.splitlines()[0]
            reason = (f"{len(group)} checks of {reason} fail; the first: {first}"
                      if len(group) > 1 else first)
        points = round(sum(row.check.points - row.score for row in group), 6)
        found.append(Cause(points, reason, group, is_absent(group[0].message)))
    found.sort(key=lambda cause: -cause.points)
    for count in (most, 2 * most) if most else (None,):  # twice as many, where the first say little
        kept = [cause for absent in (False, True)
                for cause in [cause for cause in found if cause.absent is absent][:count]]
        rest = [cause for cause in found if cause not in kept]
        points = sum(cause.points for cause in rest)
        if points <= sum(cause.points for cause in kept):
            break
    others = [row for one in rest for row in one.rows]
    return [cause for cause in found if cause in kept] + [
        Cause(round(points, 6), "everything else", others, False)] * bool(rest)


def since(before: Mapping[str, float], rows: Sequence[Row], last: str = "grade") -> str:
    """`Since the last grade: +1.5 for 1.3.4, 1.5.1; -1 for 1.9.3`, or nothing where it is the same
    as the scores `before`."""
    changes = []
    for sign, title in ((1, "+"), (-1, "-")):
        own = {row.check.number: sign * (row.score - before[row.check.number]) for row in rows
               if sign * (row.score - before.get(row.check.number, row.score)) > 1e-6}
        if own:
            names = own if len(own) <= MOST_CHANGED else {
                number.rpartition(".")[0]: None for number in own}  # too many: their tasks
            changes.append(f"{title}{round(sum(own.values()), 6):g} for {', '.join(names)}")
    return f"Since the last {last}: {'; '.join(changes)}" if changes else ""


def gradescope(grade: Grade) -> dict[str, Any]:
    """The grade in the format of Gradescope's results.json."""
    tests, hints = [], grade.hints
    for row in grade.rows:
        task = row.check.task
        hint = hints.pop(task.number, "") if row.lost else ""
        tests.append({
            "name": f"{task.title}: {row.check.sentence}",
            "name_format": "text",
            "number": row.check.number,
            "score": row.score,
            "max_score": 0.0 if row.check.extra else row.check.points,
            "status": "passed" if row.verdict == PASSED else "failed",
            "output": f"{row.message}\nWhere to look: {hint}"[:MAX_OUTPUT] if hint else (
                row.message[:MAX_OUTPUT]),
            "output_format": "text",
            "tags": [f"task {task.number}", row.check.rule],
            "visibility": "visible",
            "extra_data": {"verdict": row.verdict, "rule": row.check.rule,
                           **({"accuracy": row.accuracy} if row.accuracy else {})},
        })
    return {
        "score": grade.score,
        "execution_time": round(grade.seconds, 1),
        "output": "\n".join(filter(None, [
            grade.change, *grade.excuses(), *grade.notes]))[:MAX_OUTPUT],
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {"grader_broke": grade.grader_broke, "not_run": len(grade.not_run),
                       "references": grade.made, "isolation": grade.layers},
    }


def write(grade: Grade, path: Path) -> None:
    """Replace the file by the present state, whole at every moment."""
    write_whole(path, as_json(gradescope(grade)))


def as_json(content: dict[str, Any]) -> str:
    """The text of a results.json."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
