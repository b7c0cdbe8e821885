"""One student's line in the book, kept as `students/<id>/entry.json`."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ...engine.files import write_whole

FILE = "entry.json"
GRADED, NO_SUBMISSION, GRADER_BROKE = "graded", "no submission", "grader broke"


@dataclass(frozen=True)
class Entry:
    """What is known of one student's submission.

    Args:
        student: id, safe as the name of a folder.
        name, email, number: "" where they are unknown.
        submitted, late, returned: see `intake.Handed`.
        adjusted: why the score is not the sum of the checks, see `adjust`.
        source: sha256 of the part of the submission that is graded.
        version: `checks` and `references` (12 hex digits each), `tiers` ("public" or
            "public hidden") and `only` ("" for everything): what the points are based on.
        status: GRADED, NO_SUBMISSION or GRADER_BROKE.
        error: one line, "" if there is none.
        score, possible: points.
        given_up: seconds after which the remaining checks were given up, 0 if none was.
        seconds: wall time of grading.
        cpu_seconds, peak_mb: of the processes that ran the student's code: CPU time of all, and the
            largest resident memory of one.
        checks: number -> `verdict`, `score`, `points`, `message`.
        mistakes: known mistake -> numbers of the checks for which it alone was named.
        unnamed: number -> the wrong answer, where no known mistake answers like this, see `kept`.
        accuracies: number -> `name` ("mAP@0.5"), `measured`, `claimed` (pairs of place and value),
            and `rows` where more is measured.
        answers: question of the report -> text.
        manual: question -> points that a person gave, see `manual`.
        notes: about the submission as a whole.
        sources: relative paths of the .py files handed in.
    """

    student: str
    name: str = ""
    email: str = ""
    source: str = ""
    version: dict[str, str] = field(default_factory=dict)
    status: str = GRADED
    error: str = ""
    score: float = 0.0
    possible: float = 0.0
    given_up: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    mistakes: dict[str, list[str]] = field(default_factory=dict)
    unnamed: dict[str, dict[str, Any]] = field(default_factory=dict)
    accuracies: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    manual: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    number: str = ""
    submitted: str = ""
    late: bool = False
    returned: str = ""
    adjusted: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write `entry.json`, whole at every moment."""
        write_whole(folder / FILE, json.dumps(asdict(self), indent=1) + "\n")


def load(folder: Path) -> Entry | None:
    """Read the entry in `folder`; None if there is none that can be read."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        entry = Entry(**content)
    except (OSError, ValueError, TypeError):
        return None
    return entry if set(content) == {field.name for field in fields(Entry)} else None


def load_all(grades: Path) -> list[Entry]:
    """The entries of a folder of grades, in the order of their ids."""
    folders = sorted((grades / "students").glob("*")) if grades.is_dir() else []
    return [entry for entry in map(load, folders) if entry is not None]
