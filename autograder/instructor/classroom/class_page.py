"""class.html: what a class has learned, and what its instructor should look at.

One page that needs nothing else; its links lead to the feedback pages beside it. What it says
stands in `templates/`; here are the numbers and names that it says it about.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ...assignment import ASSIGNMENT
from ...assignment.checks.accuracy import APART
from ...engine.check import order
from ...engine.pages.rendering import environment
from ...engine.points import task_of
from ...engine.results import Score
from . import plots, similarity, statistics
from .entry import GRADED, GRADER_BROKE, NO_SUBMISSION, Entry
from .similarity import EARLIER, Pair
from .statistics import ALL, FEW, students
from .teaching import MOST, kept, lessons
from .unnamed import Unnamed, draft
from .weights import Likeness

SECTIONS = {
    "scores": "Scores",
    "tasks": "Points lost per task",
    "teach": "To teach again",
    "broken": "Checks that look broken",
    "checks": "Difficulty and discrimination",
    "mistakes": "Known mistakes",
    "unnamed": "Mistakes without a name",
    "accuracy": "Claimed and measured accuracy",
    "resources": "Time and memory",
    "similar": "Similar submissions",
    "students": "Students",
}
NOTES = 3  # of a student
WORST = 3  # tasks
FILES = 4  # of a similar pair; all are in similarity.json


def signed(value: float | None, digits: int, times: float = 1) -> str:
    """A number with a minus sign as wide as a digit, `times` so much; a dash where there is no
    value."""
    return "–" if value is None else f"{times * value:.{digits}f}".replace("-", "−")


TEMPLATES = environment(Path(__file__).with_name("templates"))
TEMPLATES.filters |= {"percent": "{:.0%}".format, "students": students, "signed": signed,
                      "points": lambda value: f"{round(value, 2):g}"}
TEMPLATES.globals |= {
    "ALL": ALL, "FEW": FEW, "GRADED": GRADED, "similarity": similarity,
    "draft": draft,
    "LONGEST": 600,  # characters of a value
    "SHOWN": 50,  # similar pairs; all are in similarity.json
    "UNFOLDED": 12}  # names


class Names:
    """How the page calls students, and in which order.

    The best come first. In an anonymous page they are numbered in this order, and what decides
    between equals is not the name or the id.
    """

    def __init__(self, entries: Sequence[Entry], pairs: Sequence[Pair], anonymous: bool):
        self.anonymous = anonymous

        def rank(entry: Entry) -> tuple:
            between = ((entry.source, entry.seconds) if anonymous else
                       (entry.name.casefold(), entry.student))
            return entry.status != GRADED, entry.status, -entry.score, between

        self.ranked = sorted(entries, key=rank)
        self._place = {entry.student: i for i, entry in enumerate(self.ranked)}
        self._count = Counter(entry.name for entry in entries)
        self._earlier = sorted({pair.b for pair in pairs if pair.kind == EARLIER})

    def name(self, student: str) -> str:
        """The name, with the id where several have it."""
        entry = self.ranked[self._place[student]]
        if self.anonymous:
            return f"student {self._place[student] + 1}"
        if entry.name and self._count[entry.name] > 1:
            return f"{entry.name} ({student})"
        return entry.name or student

    def page(self, student: str) -> str | None:
        """Where the feedback page lies, if there is one."""
        if self.anonymous or not self.ranked[self._place[student]].checks:
            return None
        return f"students/{quote(student, safe='')}/feedback.html"

    def earlier(self, work: str) -> str:
        """Of a former student."""
        return str(self._earlier.index(work) + 1) if self.anonymous else work


def page(entries: Sequence[Entry], similar: Sequence[Pair] | None = None,
         anonymous: bool = False, unnamed: Sequence[Unnamed] = (),
         alike: Sequence[Likeness] = ()) -> str:
    """The page as HTML: the same entries give the same bytes.

    Args:
        similar: pairs of these works that share code; None if nobody looked for them.
        anonymous: students are numbers: no names, ids, e-mail addresses, links or file names.
        unnamed: mistakes that several made and the bank does not know.
        alike: networks that come from each other.
    """
    names = Names(entries, similar or (), anonymous)
    entries = names.ranked  # the order of points in a figure would tell that of the ids
    own = statistics.graded(entries)
    context = _measured(entries, own) if own else {}
    sometimes = {"similar": similar is not None, "accuracy": context.get("claimed"),
                 "teach": context.get("taught"), "unnamed": unnamed}
    there = {name for name in SECTIONS if sometimes.get(name, own or name == "students")}
    return TEMPLATES.get_template("class.html").render(
        context, names=names, entries=entries, own=own, pairs=similar, alike=alike,
        unnamed=unnamed, version=_version(own),
        missing=[entry for entry in entries if entry.status == NO_SUBMISSION],
        unknown=[entry for entry in entries if entry.status == GRADER_BROKE],
        late=[entry for entry in own if entry.given_up],
        sections={name: title for name, title in SECTIONS.items() if name in there},
        score=lambda entry: Score(round(entry.score, 2), entry.possible),
        told=lambda entry: _told(entry, anonymous), files=_files)


def _measured(entries: Sequence[Entry], own: Sequence[Entry]) -> dict[str, Any]:
    """What the sections say about the class, and their figures; `own` entries are graded."""
    made, checks = statistics.points_table(entries), statistics.items(entries)
    lost, broken = statistics.lost_per_task(made), statistics.suspicious(checks)
    claimed, (_, bank) = statistics.claims(entries), kept()
    scores = np.array([entry.score for entry in own])
    spent = {"wall time": ("s", [entry.seconds for entry in own]),
             "CPU time": ("s", [entry.cpu_seconds for entry in own]),
             "peak memory": ("MB", [entry.peak_mb for entry in own])}
    figures = {
        "scores": plots.scores(made), "lost": plots.lost(lost),
        "discrimination": plots.discrimination(checks, broken),
        "accuracies": plots.accuracies(claimed, APART),
        "resources": plots.resources({f"{what} in {unit}": values
                                      for what, (unit, values) in spent.items()})}
    worst = sorted((task for task in lost if lost[task].mean > 0),
                   key=lambda task: (-lost[task].mean, order(task)))
    return {
        "scores": scores, "quartiles": np.percentile(scores, (25, 50, 75)), "figures": figures,
        "possible": max(entry.possible for entry in own), "lost": lost, "worst": worst[:WORST],
        "items": checks, "broken": broken, "mistakes": statistics.by_mistake(entries),
        "taught": [one for one in lessons(entries)[:MOST] if one.points], "known": bank.known,
        "claimed": claimed, "far": sorted(
            (claim for own in claimed.values() for claim in own
             if abs(claim.claimed - claim.measured) > APART),
            key=lambda c: (-abs(c.claimed - c.measured), c.number, c.entry.source)),
        "spent": [(what, unit, float(np.median(values)), max(values),
                   own[int(np.argmax(values))].student) for what, (unit, values) in spent.items()],
        "hours": sum(entry.seconds for entry in own) / 3600,
        "titles": {number: task.title for number, task in ASSIGNMENT.tasks.items()},
        "sentences": {check.number: check.sentence for check in ASSIGNMENT.every_check}}


def _version(own: Sequence[Entry]) -> str:
    """What the points of graded entries rest on; all that were graded together have one version."""
    if not own:
        return ""
    of = own[0].version
    tiers = "public and hidden inputs" if "hidden" in of["tiers"] else "public inputs"
    only = f", only {of['only']}" if of["only"] else ""
    return f"Checks {of['checks']}, references {of['references']}, {tiers}{only}."


def _files(pair: Pair) -> str:
    """The files that two works share most of."""
    files = sorted(pair.files, key=lambda m: -max(m.share_a, m.share_b))
    told = [m.file_a if m.file_a == m.file_b else f"{m.file_a} as {m.file_b}"
            for m in files[:FILES]]
    return ", ".join(told + [f"{len(files) - FILES} more"] * (len(files) > FILES))


def _told(entry: Entry, anonymous: bool) -> str:
    """What stands beside a student: the tasks that cost most, and what went wrong."""
    told = entry.status
    if entry.status == GRADED:
        lost: Counter[str] = Counter()
        for number, check in entry.checks.items():
            lost[task_of(number)] += check["points"] - check["score"]
        worst = sorted((task for task in lost if lost[task] > 0),
                       key=lambda task: (-lost[task], order(task)))
        told = f"loses most in {', '.join(worst[:WORST])}" if worst else ""
    because = ": ".join(filter(None, (told, entry.error)))
    return told if anonymous else "; ".join(
        filter(None, (because, *entry.adjusted, *entry.notes[:NOTES])))
