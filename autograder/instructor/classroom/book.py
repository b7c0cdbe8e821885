"""The folder of grades.

    grades.csv  class.html  similarity.json
    students/<id>/entry.json  results.json  feedback.html

A folder holds one kind of grade: of everything, or of some checks; on public, or on all inputs.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...assignment.tasks import TASKS
from ...engine.check import order
from ...engine.files import write_whole
from ...engine.points import task_of
from .entry import GRADED, GRADER_BROKE, Entry, load, load_all
from .grader import Graded
from .intake import Handed, Submitter
from .tables import write_table

KIND = ("tiers", "only")
KEPT = "kept from an earlier run, since the grader broke on this one"
RESULTS, PAGE = "results.json", "feedback.html"


class Book:
    """The grades of a class, written while they come.

    Args:
        version: of the grades to come; the folder must hold none of another kind.

    Raises:
        ValueError: it does.
    """

    def __init__(self, folder: Path, version: dict[str, str]):
        self.folder = folder
        self.version = version
        for entry in load_all(folder):
            differs = [key for key in KIND if entry.version.get(key) != version[key]]
            if differs:
                there = entry.version.get(differs[0]) or "everything"
                raise ValueError(f"{folder} holds grades of {there}, not of "
                                 f"{version[differs[0]] or 'everything'}: name another folder")
        folder.mkdir(parents=True, exist_ok=True)

    def kept(self, handed: Handed, source: str, seconds: float) -> list[Entry] | None:
        """The entries of all its students, if complete and of this very submission and version.

        Args:
            seconds: the time limit; checks given up under a shorter one are worth another try.
        """
        places = [self._place(student.id) for student in handed.students]
        entries = [entry for entry in map(load, places) if entry is not None]
        if len(entries) == len(places) and all(
                entry.status == GRADED and entry.source == source and entry.version == self.version
                and (not entry.given_up or entry.given_up >= seconds)
                and all((place / name).is_file() for name in (RESULTS, PAGE))
                for entry, place in zip(entries, places)):
            # Who handed in, and when, may have become known or have changed since.
            told = [replace(entry, **_about(student, handed))
                    for entry, student in zip(entries, handed.students)]
            for entry, before, place in zip(told, entries, places):
                if entry != before:
                    entry.save(place)
            return told
        return None

    def others(self, entries: Sequence[Entry]) -> list[str]:
        """Ids of students in the folder who are not among these entries: graded here earlier."""
        return sorted({entry.student for entry in load_all(self.folder)}
                      - {entry.student for entry in entries})

    def put(self, handed: Handed, graded: Graded, source: str, sources: list[str]) -> list[Entry]:
        """Write a grade for each student of a submission; the entry comes last and completes it.

        A grade stays where the grader broke on the next one.

        Args:
            source: what was handed in; sources: of all that stand for it.
        """
        entries = []
        for student in handed.students:
            place = self._place(student.id)
            former = load(place)
            if graded.entry.status == GRADER_BROKE and former and former.status == GRADED:
                entries.append(replace(former, error=f"{KEPT}: {graded.entry.error}"))
                continue
            write_whole(place / RESULTS, graded.results)
            write_whole(place / PAGE, graded.page)
            entries.append(replace(graded.entry, source=source, sources=sources,
                                   **_about(student, handed)))
            entries[-1].save(place)
        return entries

    def _place(self, student: str) -> Path:
        return self.folder / "students" / student


def _about(student: Submitter, handed: Handed) -> dict[str, Any]:
    """What an entry says about who handed in, and when."""
    return {"student": student.id, "name": student.name, "email": student.email,
            "number": student.number, "submitted": handed.submitted, "late": handed.late,
            "returned": handed.returned}


def write_grades(entries: Sequence[Entry], path: Path) -> None:
    """Write grades.csv: a row per student, a column per task.

    Where the grader broke, points stay empty: zeros would look like points that were lost.
    """
    asked = [*dict.fromkeys(name for entry in entries for name in entry.manual)]
    tasks = sorted({task_of(number) for entry in entries for number in entry.checks}, key=order)
    rows = []
    for entry in entries:
        known = entry.status != GRADER_BROKE
        points = {task: sum(check["score"] for number, check in entry.checks.items()
                            if task_of(number) == task) for task in tasks}
        rows.append([entry.student, entry.number, entry.name, entry.email, entry.submitted,
                     entry.status, entry.error,
                     entry.score if known else "", entry.possible, "; ".join(entry.adjusted),
                     *(points[task] if known else "" for task in tasks),
                     *(entry.manual.get(name, "") for name in asked),
                     "; ".join(entry.notes), entry.source,
                     *(entry.version.get(key, "") for key in ("checks", "references", *KIND))])
    write_table(path, ["student", "number", "name", "email", "submitted", "status", "error",
                       "total", "possible", "adjusted",
                       *(f"{task} {TASKS[task].title}" for task in tasks), *asked, "notes",
                       "submission",
                       "checks", "references", "inputs", "only"], rows)
