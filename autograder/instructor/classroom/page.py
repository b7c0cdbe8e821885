"""class.html: what a class has learned, and what its instructor should look at.

One page that needs nothing else; its links lead to the feedback pages beside it. What students
chose (names, ids, files) enters it through the element tree alone.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ...assignment import ASSIGNMENT
from ...assignment.checks.accuracy import APART
from ...assignment.tasks import TASKS
from ...engine.check import order
from ...engine.diagnosis import Known, load_bank
from ...engine.pages.page import Element, document, drawn, tag, with_code
from ...engine.terminal import short
from . import plots
from .entry import GRADED, GRADER_BROKE, NO_SUBMISSION, Entry
from .similarity import MAX_BYTES, MAX_FILES, SOLUTION, STUDENT, THRESHOLD, Pair
from .statistics import (
    ALL,
    FEW,
    Book,
    Claim,
    Item,
    book,
    by_mistake,
    claims,
    distribution,
    graded,
    items,
    lost_per_task,
    students,
    suspicious,
)

STYLE = Path(__file__).with_name("class.css")
NOTES = 3  # of a student
SHOWN, FILES = 50, 4  # similar pairs, and files of each; all are in similarity.json
UNFOLDED = 12  # names


class Names:
    """How the page calls students, and in which order.

    The best come first. In an anonymous page they are numbered in this order, and what decides
    between equals is not the name or the id.
    """

    def __init__(self, entries: Sequence[Entry], anonymous: bool):
        self.anonymous = anonymous

        def rank(entry: Entry) -> tuple:
            between = ((entry.source, entry.seconds) if anonymous else
                       (entry.name.casefold(), entry.student))
            return entry.status != GRADED, entry.status, -entry.score, between

        self.ranked = sorted(entries, key=rank)
        self.place = {entry.student: i for i, entry in enumerate(self.ranked)}
        self._count = Counter(entry.name for entry in entries)

    def link(self, student: str) -> Element:
        """The name, with the id where several have it; leads to the feedback page if there is one.
        """
        entry = self.ranked[self.place[student]]
        if self.anonymous:
            return tag("bdi", f"student {self.place[student] + 1}")
        more = f" ({student})" if self._count[entry.name] > 1 else ""
        name = tag("bdi", f"{entry.name}{more}" if entry.name else student)
        if not entry.checks:
            return name
        return tag("a", name, href=f"students/{quote(student, safe='')}/feedback.html")


def write(entries: Sequence[Entry], path: Path, similar: Sequence[Pair] | None = None,
          anonymous: bool = False) -> None:
    """Write the page.

    Args:
        similar: pairs of these works that share code; None if nobody looked for them.
        anonymous: students are numbers: no names, ids, e-mail addresses, links or file names.

    Raises:
        OSError: it cannot be written.
    """
    path.write_text(page(entries, similar, anonymous), encoding="utf-8")


def page(entries: Sequence[Entry], similar: Sequence[Pair] | None = None,
         anonymous: bool = False) -> str:
    """The page as HTML: the same entries give the same bytes."""
    names = Names(entries, anonymous)
    entries = names.ranked  # the order of points in a figure would tell that of the ids
    own, sections = graded(entries), {}
    if own:
        made, checks = book(entries), items(entries)
        broken, claimed = suspicious(checks), claims(entries)
        titles = {check.number: check.sentence for check in ASSIGNMENT.every_check}
        sections = {
            "scores": _scores(made),
            "tasks": _tasks(made),
            "broken": _broken(broken, titles, len(own)),
            "checks": _checks(checks, broken, titles, made),
            "mistakes": _mistakes(entries, names),
            "accuracy": _accuracy(claimed, names),
            "resources": _resources(own, names),
        }
    if similar is not None:
        sections["similar"] = _similar(similar, names)
    sections["students"] = _students(names)
    shown = {name: section for name, section in sections.items() if section is not None}
    for name, section in shown.items():
        section.set("id", name)
    median = distribution([entry.score for entry in own]).quartiles[1] if own else 0
    headline = [f"{median:.1f} / {short(max(e.possible for e in own))}", tag(
        "span", f" points, the median of {len(own)}")] if own else ["Nothing graded"]
    return document(
        f"Class of {len(entries)}",
        tag("a", "To the students", {"class": "skip", "href": "#students"}),
        tag("header", tag("p", f"Class of {len(entries)}"), tag("h1", *headline), _version(entries),
            tag("nav", *(tag("a", section.find("h2").text.strip(), href=f"#{name}")
                         for name, section in shown.items()))),
        tag("main", *_notes(entries, names), *shown.values()),
        style=STYLE.read_text(encoding="utf-8"))


def _version(entries: Sequence[Entry]) -> Element:
    """What the points rest on."""
    versions = {tuple(sorted(entry.version.items())) for entry in graded(entries)}
    told = []
    for version in sorted(versions):
        of = dict(version)
        tiers = "public and hidden inputs" if "hidden" in of.get("tiers", "") else "public inputs"
        only = f", only {of['only']}" if of.get("only") else ""
        told.append(f"checks {of.get('checks', '?')}, references {of.get('references', '?')}, "
                    f"{tiers}{only}")
    if len(told) > 1:
        told.insert(0, f"{len(told)} versions are mixed, so that points cannot be compared")
    return tag("p", "; ".join(told)[:1].upper() + "; ".join(told)[1:] + "." if told else "")


def _notes(entries: Sequence[Entry], names: Names) -> list[Element]:
    """Whose points are missing, and why."""
    lines = []
    for status, told in ((NO_SUBMISSION, "without a submission"),
                         (GRADER_BROKE, "whose grade is not known, since the grader broke")):
        own = [entry for entry in entries if entry.status == status]
        if own:
            lines.append(tag("li", f"{students(len(own))} {told}: ",
                             *_listed(own, names), "."))
    if lines:
        lines.append(tag("li", "They are left out of all numbers below."))
    late = [entry for entry in entries if entry.status == GRADED and entry.given_up]
    if late:
        lines.append(tag("li", f"{students(len(late))} some of whose checks were given up when "
                         "their time was over: ", *_listed(late, names), "."))
    return [tag("ul", *lines, {"class": "notes"})] if lines else []


def _listed(entries: Sequence[Entry], names: Names) -> list["str | Element"]:
    """Names with commas in between."""
    return [part for entry in entries for part in (", ", names.link(entry.student))][1:]


def _section(title: str, *content: "str | Element", more: str = "") -> Element:
    heading = tag("h2", f"{title} ", tag("span", more)) if more else tag("h2", title)
    return tag("section", heading, *content)


def _table(headings: Sequence[str], bodies: Sequence[Sequence[Element]], kind: str) -> Element:
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in headings)))
    return tag("table", head, *(tag("tbody", *rows) for rows in bodies), {"class": kind})


def _row(name: "Element | Sequence[str | Element]", *cells: "str | Element") -> Element:
    name = [name] if isinstance(name, Element) else name
    return tag("tr", tag("th", *name, scope="row"), *(tag("td", cell) for cell in cells))


def _bar(share: float, full: bool = True) -> Element:
    return tag("span", tag("span", style=f"width: {100 * share:.1f}%"),
               {"class": "bar" if full else "bar lost", "aria-hidden": "true"})


def _scores(made: Book) -> Element:
    spread = distribution([entry.score for entry in made.entries])
    lower, median, upper = (f"{value:.1f}" for value in spread.quartiles)
    return _section("Scores", tag(
        "p", f"Mean {spread.mean:.1f}, standard deviation {spread.deviation:.1f}. A quarter of the "
        f"class has at most {lower} points, half {median}, and a quarter {upper} or more; the "
        f"lowest score is {short(round(spread.low, 2))}, the highest "
        f"{short(round(spread.high, 2))}."), drawn(plots.scores(made)))


def _tasks(made: Book) -> Element:
    tasks = lost_per_task(made)
    worst = sorted((task for task in tasks if tasks[task][0] > 0),
                   key=lambda task: (-tasks[task][0], order(task)))[:3]
    told = ", ".join(f"{task} {TASKS[task].title} ({tasks[task][0]:.2f} points on average, by "
                     f"{students(tasks[task][2])})" for task in worst)
    return _section("Points lost per task", tag("p", f"Most is lost in {told}." if told else
                                                "Nobody loses any."),
                    drawn(plots.lost(tasks)))


def _broken(reasons: dict[str, str], titles: dict[str, str], count: int) -> Element:
    articles = [tag("article", tag("h3", *with_code(f"{number} {titles.get(number, '')}")),
                    tag("p", reason), {"class": "failed"}) for number, reason in reasons.items()]
    text = ("Look at these before grades are published." if reasons else
            f"What fails everyone is told from chance with {ALL} students and more." if count < ALL
            else "No check fails everyone, and none is lost by the best; the grader broke on none.")
    return _section("Checks that look broken", tag("p", text), *articles,
                    more=str(len(reasons)) if reasons else "")


def _checks(checks: Sequence[Item], broken: dict[str, str], titles: dict[str, str],
            made: Book) -> Element:
    """Difficulty and discrimination of every check, in a figure and in numbers."""
    parts: list[Element] = []
    if any(item.item_rest is not None for item in checks):
        parts.append(drawn(plots.discrimination(checks, broken)))
    elif len(made.entries) < FEW:
        parts.append(tag("p", f"Discrimination is measured in classes of {FEW} and more."))
    parts.append(tag(
        "p", "Earned: mean share of the check's points. Lost: mean points. r: item-rest "
        "correlation, of the check with the points of all others. D: share earned by the 27 % of "
        "the class with the most points in all other checks, less that of the 27 % with the "
        "fewest; below 20 points a check tells little apart, or is very easy or hard.",
        {"class": "rule"}))
    tasks, bodies = lost_per_task(made), []
    for task, (lost, worth, _) in tasks.items():
        rows = [_row([f"{task} {TASKS[task].title}"], _bar(1 - lost / worth if worth else 1, not lost),
                     f"{1 - lost / worth:.0%}" if worth else "", f"{lost:.2f}", "", "")]
        rows += [_check(item, titles.get(item.number, ""), item.number in broken)
                 for item in checks if item.number.rsplit(".", 1)[0] == task]
        bodies.append(rows)
    parts.append(_table(("Check", "", "Earned", "Lost", "r", "D"), bodies, "checks"))
    return _section("Difficulty and discrimination", *parts)


def _check(item: Item, title: str, broken: bool) -> Element:
    row = _row([*with_code(f"{item.number} {title}")], _bar(item.share, item.share == 1),
               f"{item.share:.0%}", f"{item.points * (1 - item.share):.2f}",
               "–" if item.item_rest is None else f"{item.item_rest:.2f}".replace("-", "−"),
               "–" if item.upper_lower is None else f"{100 * item.upper_lower:.0f}".replace(
                   "-", "−"))
    if broken:
        row.set("class", "marked")
    return row


def _mistakes(entries: Sequence[Entry], names: Names) -> Element:
    """The mistakes of the bank, the most frequent first, and who made each."""
    bank = load_bank(ASSIGNMENT.references)
    known = bank.known if bank else {}
    made, total = by_mistake(entries), len(graded(entries))
    articles = []
    for name, who in made.items():
        articles.append(tag(
            "article", *_mistake(name, known.get(name), len(who)), _bar(len(who) / total, False),
            _who(who, names), {"class": "mistake"}))
    text = (f"{len(made)} of the {len(known)} mistakes in the bank were recognised by their "
            "answers, each named only where no other answers like it." if made else
            "None was recognised.")
    return _section("Known mistakes", tag("p", text), tag("div", *articles, {"class": "columns"}))


def _who(entries: Sequence[Entry], names: Names) -> Element:
    """Who made a mistake; many names are folded, or the page would be of nothing else."""
    listed = tag("p", *_listed(entries, names), {"class": "who"})
    if len(entries) <= UNFOLDED:
        return listed
    return tag("details", tag("summary", "Their names"), listed)


def _mistake(name: str, known: Known | None, count: int) -> list[Element]:
    if known is None:  # of an older bank
        return [tag("h3", f"{name} ", tag("span", students(count)))]
    title = TASKS[known.task].title if known.task in TASKS else ""
    return [tag("h3", *with_code(f"{known.task} {title}: the code {known.title} "),
                tag("span", students(count))),
            tag("p", *with_code(known.explanation), " ", tag("b", f"Rule {known.rule}"),
                {"class": "rule"})]


def _accuracy(claimed: dict[str, list[Claim]], names: Names) -> Element | None:
    """What students report of their networks, and what the weights reach."""
    if not claimed:
        return None
    far = sorted((claim for own in claimed.values() for claim in own
                  if abs(claim.claimed - claim.measured) > APART),
                 key=lambda c: (-abs(c.claimed - c.measured), c.number, c.entry.source))
    parts = [drawn(plots.accuracies(claimed, APART))]
    if far:
        parts += [tag("p", "Most often the weights handed in are of another run than the one that "
                      "is reported, or the report is of other images."),
                  _table(("Student", "", "Claimed", "Measured"),
                         [[_row(names.link(claim.entry.student), f"{claim.number} {claim.name}",
                                f"{claim.claimed:.2f}", f"{claim.measured:.2f}") for claim in far]],
                         "list claims")]
    return _section("Claimed and measured accuracy", *parts)


def _resources(own: Sequence[Entry], names: Names) -> Element:
    quantities = {"wall time in s": [entry.seconds for entry in own],
                  "CPU time in s": [entry.cpu_seconds for entry in own],
                  "peak memory in MB": [entry.peak_mb for entry in own]}
    told: list[str | Element] = []
    for name, values in quantities.items():
        most = own[int(np.argmax(values))]
        what, unit = name.rsplit(" in ", 1)
        told += [f"{what[0].upper()}{what[1:]}: median {np.median(values):.1f} {unit}, at most "
                 f"{max(values):.1f} {unit} (", names.link(most.student), "). "]
    hours = sum(quantities["wall time in s"]) / 3600
    return _section("Time and memory", tag("p", *told, f"In all {hours:.2f} hours of grading."),
                    drawn(plots.resources(quantities)))


def _similar(pairs: Sequence[Pair], names: Names) -> Element:
    """Where to look; the words leave open what it means."""
    parts = [tag("p", "Submissions that share much code once the starter is taken out. This points "
                 "to where to look and says nothing about anyone: right solutions of one task "
                 "resemble each other, and a shared source may be allowed or public. Read both "
                 "before you ask, and ask before you judge."),
             tag("p", "Of 1st: share of the first work's code that the second has; of 2nd: the "
                 "other way; runs: short passages in common. Of a work at most "
                 f"{MAX_FILES} files are compared, of each the first {MAX_BYTES // 1000} kB of "
                 "code.", {"class": "rule"})]
    if not pairs:
        parts.append(tag("p", f"No file shares {THRESHOLD:.0%} of its code with another work."))
    earlier = {b: i for i, b in enumerate(sorted({p.b for p in pairs}), 1)}
    rows = []
    for pair in pairs[:SHOWN]:
        other: str | Element = (
            names.link(pair.b) if pair.kind == STUDENT else "the solution" if pair.kind == SOLUTION
            else f"earlier work {earlier[pair.b]}" if names.anonymous
            else tag("bdi", f"earlier work {pair.b}"))
        name = [names.link(pair.a), " and ", other]
        if not names.anonymous:
            files = sorted(pair.files, key=lambda m: -max(m.share_a, m.share_b))
            told = [m.file_a if m.file_a == m.file_b else f"{m.file_a} as {m.file_b}"
                    for m in files[:FILES]]
            more = [f"{len(files) - FILES} more"] if len(files) > FILES else []
            name.append(tag("small", ", ".join(told + more)))
        rows.append(_row(name, f"{pair.share_a:.0%}", f"{pair.share_b:.0%}", str(pair.shared)))
    if rows:
        parts.append(_table(("Works and files", "of 1st", "of 2nd", "runs"), [rows],
                            "list similar"))
    if len(pairs) > SHOWN:
        parts.append(tag("p", f"These are the first {SHOWN} of {len(pairs)} pairs; "
                         "similarity.json has all."))
    return _section("Similar submissions", *parts)


def _students(names: Names) -> Element:
    """Everyone, the best first, with the tasks that cost most."""
    rows = []
    for entry in names.ranked:
        worst, known = _worst(entry), entry.status == GRADED
        told = (f"loses most in {', '.join(worst)}" if worst else "") if known else entry.status
        if not names.anonymous:
            told = ": ".join(filter(None, (told, entry.error, *entry.notes[:NOTES])))
        name = [names.link(entry.student), " ", tag("small", told)]
        share = entry.score / entry.possible if entry.possible else 0.0
        rows.append(_row(name, _bar(share, share == 1) if known else "",
                         f"{short(round(entry.score, 2))} / {short(entry.possible)}"
                         if known else "–"))
    return _section("Students", _table(("Student", "", "Points"), [rows], "list students"))


def _worst(entry: Entry, most: int = 3) -> list[str]:
    """The tasks that cost a student most points."""
    lost: Counter[str] = Counter()
    for number, check in entry.checks.items():
        lost[number.rsplit(".", 1)[0]] += check["points"] - check["score"]
    ranked = sorted((task for task in lost if lost[task] > 0),
                    key=lambda task: (-lost[task], order(task)))
    return ranked[:most]
