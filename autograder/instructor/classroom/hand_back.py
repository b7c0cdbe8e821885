"""What goes back to platforms: gradebooks of Canvas and Gradescope, all pages in one zip file."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...engine.archive import pack
from ...engine.files import write_whole
from ...engine.points import Late
from .book import PAGE
from .entry import GRADER_BROKE, Entry
from .intake import CANVAS as EXPORTED
from .roster import Person
from .tables import moment, write_table

CANVAS, GRADESCOPE, PAGES = "canvas.csv", "gradescope.csv", "feedback.zip"
DAY = 24 * 3600  # seconds by which work is late of which Canvas says only that it is
IDENTITY = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]  # columns that Canvas needs


def write(entries: Sequence[Entry], people: Mapping[str, Person], late: Late | None,
          grades: Path, title: str) -> None:
    """Write all of them into the folder of grades, with what a roster says of people.

    Args:
        title: of the assignment on the platforms.
    """
    write_table(grades / CANVAS, *canvas(entries, people, title))
    write_table(grades / GRADESCOPE, *gradescope(entries, people, late, title))
    pages = {f"{entry.returned}{PAGE}" if entry.returned else f"{entry.student}.html":
             grades / "students" / entry.student / PAGE for entry in entries}
    write_whole(grades / PAGES, pack({name: path.read_bytes() for name, path in pages.items()
                                      if path.is_file()}, level=1))


def _score(entry: Entry) -> float | str:
    """Empty where the grader broke, which both platforms take for no grade."""
    return "" if entry.status == GRADER_BROKE else entry.score


def column(title: str, names: Iterable[str]) -> str:
    """The column of an assignment among those of a gradebook of Canvas, which adds a number; ""
    where there is none."""
    form = re.compile(re.escape(title) + r"( \(\d+\))?")
    return next(filter(form.fullmatch, names), "")


def canvas(entries: Sequence[Entry], people: Mapping[str, Person],
           title: str) -> tuple[list[str], list[list[float | str]]]:
    """Header and rows of the gradebook that Canvas imports. Identities are as it wrote them, where
    the roster is its own gradebook; so is the name of the assignment."""
    known = [*next(iter(people.values())).row] if people else []
    title = column(title, known) or title
    possible = max((entry.possible for entry in entries), default=0.0)
    rows: list[list[float | str]] = [["    Points Possible", "", "", "", "", possible]]
    for entry in entries:
        person = people.get(entry.student)
        own = person.row if person else {}
        told = [entry.name or entry.student,
                person and person.canvas or _canvas_id(entry.returned),
                person.number if person else "", person.login or person.email if person else
                entry.email, person.section if person else ""]
        rows.append([*(own.get(name) or other for name, other in zip(IDENTITY, told)),
                     _score(entry)])
    return [*IDENTITY, title], rows


def _canvas_id(returned: str) -> str:
    """The number that an export of Canvas has of a student, "" where there is none."""
    name = EXPORTED.fullmatch(f"{returned}text.html")
    return name["number"] if name else ""


def gradescope(entries: Sequence[Entry], people: Mapping[str, Person], late: Late | None,
               title: str) -> tuple[list[str], list[list[float | str]]]:
    """Header and rows in the form in which Gradescope exports grades."""
    rows = []
    for entry in entries:
        person = people.get(entry.student)
        last, comma, first = (entry.name or entry.student).partition(", ")
        if not comma:
            first, _, last = last.rpartition(" ")
        seconds = 0 if late is None else DAY if not entry.submitted else max(
            0, int((moment(entry.submitted) - late.due).total_seconds()))
        rows.append([first, last, entry.number, entry.email, person.section if person else "",
                     _score(entry), entry.possible, entry.submitted,
                     f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
                     if entry.submitted or entry.late and late else ""])
    return ["First Name", "Last Name", "SID", "Email", "Sections", title, f"{title} - Max Points",
            f"{title} - Submission Time", f"{title} - Lateness (H:M:S)"], rows
