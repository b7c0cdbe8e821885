"""Rows that say why a check fails on hidden inputs, once the platform may show them.

Until then students read one constant sentence about hidden inputs. The platform keeps these rows to
itself until the moment that `explain_hidden` in the points file names, with every archive.
"""

import html
from typing import Any

from ..results import FAILED, MAX_OUTPUT, Grade, Row
from .figures import figure_of

ROOM = 90_000  # characters of an output; the platform cuts longer ones
DRAWN = 12  # rows with a picture: each takes time, and grading must end


def rows(grade: Grade) -> list[dict[str, Any]]:
    """One row of results.json for each check that passes on public and fails on hidden inputs."""
    visibility = grade.assignment.points.explain_hidden
    found = [row for row in grade.rows if row.why] if visibility != "never" else []
    return [{
        "name": "Why it fails on other inputs", "name_format": "text",
        "number": row.check.number, "score": 0.0, "max_score": 0.0, "status": "failed",
        "output": _output(row, grade, index < DRAWN), "output_format": "html",
        "visibility": visibility,
        "tags": [f"task {row.check.task_number}", row.check.rule],
        "extra_data": {"verdict": FAILED, "rule": row.check.rule, "explains": True}}
        for index, row in enumerate(found)]


def _output(row: Row, grade: Grade, drawn: bool) -> str:
    outcome, told = row.why or (None, "")
    text = f"<pre style='white-space: pre-wrap'>{html.escape(told[:MAX_OUTPUT])}</pre>"
    figure = figure_of(outcome, grade.assignment, "hidden") if drawn else None
    if figure is not None:
        key = ", ".join(f"{key.text} {key.style} {key.colour}" for key in figure.key)
        text += f"<p>{html.escape(figure.caption)}{f' ({html.escape(key)})' if key else ''}</p>"
        for panel in figure.panels:
            picture = f"<img src='{panel.source}' alt='{html.escape(panel.alt, quote=True)}'>"
            text += picture if len(text) + len(picture) < ROOM else ""
    return text
