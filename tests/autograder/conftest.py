"""Made-up submissions, patched copies of the solution, and a warm worker server to grade them on.

Starting the server costs three seconds and forking a child from it twenty milliseconds, so that the
tests share one, except for those that look at the server itself.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine import grade as grading
from autograder.engine import references
from autograder.engine.check import Question, call1
from autograder.engine.results import PASSED, Grade
from autograder.engine.sandbox import pool as workers
from autograder.engine.submission import Submission

ROOT = Path(__file__).resolve().parents[2]
SOLUTION, STARTER = ROOT / "solution", ROOT / "starter"
HIDDEN_SEED = 987654321

fork_only = pytest.mark.skipif(workers.DEFAULT_KIND != "fork", reason="workers are spawned here")


def write_files(folder: Path, files: dict[str, str]) -> Path:
    """Write `{"problem1/utils.py": text}` into a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


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
    return ".accuracy." in check.rule or ".deliver." in check.rule or check.rule.endswith(".log")


FUNCTIONAL = tuple(check.number for check in ASSIGNMENT.checks if not needs_training(check))


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


@pytest.fixture(scope="session")
def warm():
    """Workers with one slot."""
    with workers.Workers(ASSIGNMENT, slots=1) as pool:
        yield pool


@pytest.fixture(scope="session")
def public():
    """The stored public references."""
    return references.load(ASSIGNMENT, "public")


@pytest.fixture(scope="session")
def hidden_for(warm):
    """`hidden_for(numbers)`: hidden references of a few checks, with a seed of their own."""
    def build(numbers: Collection[str]) -> references.References:
        return references.build(SOLUTION, "hidden", HIDDEN_SEED, {}, only=numbers, workers=warm)

    return build


@pytest.fixture(scope="session")
def grade_checks(warm, public):
    """`grade_checks(folder, numbers)`: grade the checks with these numbers on the warm workers.

    Options go to `grade.Options`; `sets` are other references than the public ones.
    """
    def run(folder: Path, numbers: Collection[str] = FUNCTIONAL, sets=None,
            progress=lambda row, total: None, **options) -> Grade:
        return grading.grade(folder, grading.Options(only=numbers, **options), progress,
                             sets or [public], warm)

    return run


@pytest.fixture
def borrowed(warm, monkeypatch):
    """Within a test, the command line grades on the warm workers."""
    monkeypatch.setattr(grading, "Workers", lambda *_: contextlib.nullcontext(warm))


@pytest.fixture
def made_up(tmp_path):
    """`made_up({"problem1/utils.py": text})`: a submission of a few lines, taken in already."""
    def write(files: dict[str, str]) -> Submission:
        return Submission(write_files(tmp_path / "made-up", files), ())

    return write


@pytest.fixture
def answers(warm, made_up):
    """`answers(text, "utils.f", ...)`: ask a submission whose `problem1/utils.py` is `text`.

    Several questions are asked one after the other, each in its own process.
    """
    def run(text: str, *asked: str | Question, seed: int = 7) -> list[workers.Answer]:
        inquiry = warm.about(made_up({"problem1/utils.py": text}))
        return [inquiry.ask(call1(q) if isinstance(q, str) else q, "1.2", seed).result()
                for q in asked]

    return run


@pytest.fixture
def own_temp(monkeypatch):
    """A folder that takes the place of the machine's folder for temporary files.

    It is not inside pytest's own, which is closed to the users that checks run as.
    """
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    folder.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)
