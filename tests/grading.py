"""Made-up submissions, patched copies of the solution, and what their grades say.

The fixtures that grade them are in `conftest.py`.
"""

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.compare import Wrong
from autograder.engine.references import stored
from autograder.engine.results import PASSED, Grade
from autograder.engine.sandbox import pool as workers
from autograder.engine.sandbox import wire
from autograder.engine.sandbox.channel import Answer

ROOT = Path(__file__).resolve().parents[1]
SOLUTION, STARTER = ROOT / "solution", ROOT / "starter"
HIDDEN_SEED = 987654321

fork_only = pytest.mark.skipif(workers.DEFAULT_KIND != "fork", reason="workers are spawned here")


def sampled(values: Sequence, every: int) -> list:
    """Parameters of which CI takes every n-th; the others belong to the proof."""
    proof = pytest.mark.proof
    return [value if place % every == 0 else
            pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=proof)
            for place, value in enumerate(values)]


def write_files(folder: Path, files: dict[str, str]) -> Path:
    """Write `{"problem1/utils.py": text}` into a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def archive(path, files):
    """A zip file of `{name: text}`."""
    with zipfile.ZipFile(path, "w") as content:
        for name, text in files.items():
            content.writestr(name, text)
    return path


def copy_solution(to: Path, *problems: str) -> Path:
    """The solution's code, without its results, in the folder `to`."""
    for problem in problems or ("problem1", "problem2"):
        (to / problem).mkdir(parents=True)
        for path in (SOLUTION / problem).glob("*.py"):
            shutil.copyfile(path, to / problem / path.name)
    return to


def patch(root: Path, name: str, *replacements: tuple[str, str]) -> None:
    """Replace passages of a file of a submission, each of which must occur exactly once."""
    path = root / name
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, f"{name} holds {text.count(old)} times: {old}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def needs_training(check) -> bool:
    """Whether a check looks at trained weights or training logs."""
    return check.measured is not None or ".deliver." in check.rule


FUNCTIONAL = tuple(check.number for check in ASSIGNMENT.checks if not needs_training(check))


def worth(only: str | None = None) -> str:
    """The points of a task or check, or of all, as they are printed."""
    return f"{sum(check.points for check in ASSIGNMENT.selected(only) if not check.extra):g}"


def functional(*tasks: str) -> list[str]:
    """Numbers of the checks of some tasks, without those that need trained weights."""
    return [number for number in FUNCTIONAL if number.rsplit(".", 1)[0] in tasks]


def failed(grade: Grade) -> set[str]:
    """Numbers of the checks that lost points."""
    return {row.check.number for row in grade.rows
            if row.verdict != PASSED or row.score < row.check.points}


def message(grade: Grade, number: str) -> str:
    """What a check says."""
    return next(row.message for row in grade.rows if row.check.number == number)


def told(question) -> bytes:
    """All of a question: equal ones are the same, on every machine."""
    return wire.pack(stored(question))


def answered(value) -> Answer:
    """The answer of a submission that returned a value."""
    return Answer("ok", wire.pack({"value": value}))


def said(function, *arguments, **options) -> str:
    """The message of a comparison that must fail."""
    with pytest.raises(Wrong) as caught:
        function(*arguments, **options)
    return str(caught.value)
