"""What a person gives points for: the answers in report.md.

    answers.html   question by question all answers, beside what was measured of the same work
    manual.csv     a row per student, into which points are typed; the next run adds them up

Points of the questions stand in `points.toml`, rubric and samples in `../rubric.md`.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import escape

from ... import KIT
from ...assignment import ASSIGNMENT
from ...engine.files import write_whole
from ...engine.text import printable
from .book import PAGE
from .class_page import TEMPLATES, Names
from .entry import GRADED, Entry
from .tables import number, read_table, write_table

TABLE, ANSWERS = "manual.csv", "answers.html"
OTHERS = ("student", "code", "name", "comment")  # columns beside the questions
POSSIBLE = ASSIGNMENT.points.manual
QUESTION = re.compile(r"^### (Q\d+)\n\n((?:>.*\n)+)", re.M)
SECTION = re.compile(r"<section id=\"answers\">.*?</section>\n", re.S)


@dataclass(frozen=True)
class Given:
    """Points by question that a person gave one student, of those that have some, and a comment."""

    points: Mapping[str, float]
    comment: str = ""


def questions() -> dict[str, str]:
    """Question of the starter's `report.md` -> its text.

    Raises:
        ValueError: `[manual]` gives points to one that it does not ask.
    """
    asked = dict(QUESTION.findall((KIT / "starter" / "report.md").read_text(encoding="utf-8")))
    for name in POSSIBLE.keys() - asked.keys():
        raise ValueError(f"[manual] of points.toml gives points to {name}, which report.md does "
                         f"not ask: it asks {', '.join(asked)}")
    return {name: " ".join(text.replace(">", " ").split()) for name, text in asked.items()}


def code(student: str) -> str:
    """Six hex digits by which a page without names calls a student."""
    return hashlib.sha256(student.encode()).hexdigest()[:6]


def read(path: Path, entries: Sequence[Entry]) -> dict[str, Given]:
    """What was typed into a table, by student; nothing where there is no table.

    Raises:
        ValueError: a row is about nobody, or gives points that are none.
    """
    if not path.is_file():
        return {}
    questions()
    students = {entry.student for entry in entries}
    found: dict[str, Given] = {}
    rows = read_table(path)
    if not rows or OTHERS[0] not in rows[0]:
        raise ValueError(f"{path} has no column {OTHERS[0]}, or no row: mend it, or remove it and "
                         "an empty one is written")
    odd = [name for name in rows[0] if name not in OTHERS and not re.fullmatch(r"[Qq]\d+", name)]
    if odd:
        raise ValueError(f"{path} has a column {odd[0]!r}, which is no question")
    for row in rows:
        if row.get("student", "") not in students and not any(
                cell for name, cell in row.items() if name not in OTHERS[:3]):
            continue  # left the class before anybody typed anything
        who, comment, points = row.get("student", ""), row.get("comment", ""), {}
        if who not in students or who in found:
            raise ValueError(f"{path}: {who or 'a row without student'} is "
                             f"{'there twice' if who in found else 'not in this class'}")
        for name, cell in row.items():
            if re.fullmatch(r"[Qq]\d+", name) and cell:
                points[name.upper()] = _points(f"{path}: {who}, {name}", name.upper(), cell)
        found[who] = Given(points, comment)
    return found


def _points(place: str, question: str, cell: str) -> float:
    if question not in POSSIBLE:
        raise ValueError(f"{place}: there is no such question in [manual] of points.toml")
    value = number(cell)
    if not 0 <= value <= POSSIBLE[question]:
        raise ValueError(f"{place}: {cell[:20]} is no number from 0 to {POSSIBLE[question]:g}")
    return value


def write_empty(entries: Sequence[Entry], path: Path) -> None:
    """Write the table to type into, where there is none and somebody was graded."""
    rows = [[entry.student, code(entry.student), entry.name, *[""] * len(POSSIBLE), ""]
            for entry in entries if entry.status == GRADED]
    if rows and not path.exists():
        write_table(path, ["student", "code", "name", *POSSIBLE, "comment"], rows)


def merged(entries: Sequence[Entry], given: Mapping[str, Given]) -> list[Entry]:
    """The entries with these points on top; the possible ones grow once somebody has some."""
    if not any(each.points for each in given.values()):
        return list(entries)
    own = {entry.student: dict(given.get(entry.student, Given({})).points) for entry in entries}
    return [replace(entry, manual=own[entry.student],
                    possible=entry.possible + sum(POSSIBLE.values()),
                    score=round(entry.score + sum(own[entry.student].values()), 6))
            for entry in entries]


def unread(entries: Sequence[Entry], given: Mapping[str, Given]) -> dict[str, list[str]]:
    """Student -> questions without points, of those who answered; nobody before anybody has some.
    """
    left = {entry.student: [name for name in POSSIBLE
                            if entry.answers.get(name) and name not in entry.manual]
            for entry in entries if any(each.points for each in given.values())}
    return {student: names for student, names in left.items() if names}


def write_feedback(entries: Sequence[Entry], given: Mapping[str, Given], grades: Path) -> None:
    """Write what changes a score after the checks into the feedback pages, in the place of what
    stood there."""
    left = unread(entries, given)
    for entry in entries:
        path, own = grades / "students" / entry.student / PAGE, given.get(entry.student, Given({}))
        if not path.is_file():
            continue
        before = path.read_text(encoding="utf-8")
        lines = [f"{name}: {value:g} / {POSSIBLE[name]:g}" for name, value in own.points.items()]
        lines += [f"{name}: no points yet" for name in left.get(entry.student, ())]
        lines += [*entry.adjusted, *[f"About your answers: {own.comment}"] * bool(own.comment)]
        section = (f'<section id="answers"><h2>{entry.score:g} / {entry.possible:g} points in '
                   "all</h2><p>With what comes on top of the checks below:</p><ul>"
                   + "".join(f"<li>{escape(printable(text))}</li>" for text in lines)
                   + "</ul></section>\n") if lines else ""
        head, start, tail = SECTION.sub("", before).partition("<main>\n")
        if head + start + section + tail != before:
            write_whole(path, head + start + section + tail)


def write_page(entries: Sequence[Entry], path: Path, anonymous: bool = False) -> None:
    """Write all answers as a page, question by question; with codes instead of names, and in their
    order, if anonymous."""
    known = [entry for entry in entries if entry.status == GRADED]
    names = Names(entries, (), anonymous=False)
    called = {entry.student: code(entry.student) if anonymous else names.name(entry.student)
              for entry in known}
    known.sort(key=lambda entry: called[entry.student].casefold())
    write_whole(path, TEMPLATES.get_template("answers.html").render(
        entries=known, called=called, possible=POSSIBLE, asked=questions(),
        measured={entry.student: [
            (row, value) for accuracy in entry.accuracies.values()
            for row, value in accuracy.get("rows", {}).items()] for entry in known}))
