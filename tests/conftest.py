"""A warm worker server to grade on, and which tests must not run beside each other.

Starting the server costs three seconds and forking a child from it twenty milliseconds, so that the
tests share one, except for those that look at the server itself.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.engine import grade as grading
from autograder.engine import references
from autograder.engine.check import Question, call
from autograder.engine.grading import Grading
from autograder.engine.results import Grade
from autograder.engine.sandbox import pool as workers
from autograder.engine.submission import Submission
from autograder.instructor import building
from tests.grading import FUNCTIONAL, HIDDEN_SEED, SOLUTION, write_files

# A small assignment of its own; its checks are collected with a submission alone.
collect_ignore = ["toy"]

# Tests of these folders look at what they share (processes, sockets, control groups), or share one
# upload: folder -> group that is kept in one process.
GROUPS = {"hostile": "hostile", "gradescope": "platform", "packaging": "platform",
          "rehearsal": "platform"}
# What takes longest comes first, so that the processes end at about the same time.
FIRST = ("hostile", "gradescope", "test_follow.py", "test_grade.py", "test_grade_class.py",
         "test_recipes.py", "test_in_browser.py", "test_grade_page.py", "test_class_page.py",
         "test_report.py", "test_hidden_answers.py", "test_pictures.py", "test_networks.py",
         "test_new_term.py", "test_toy.py", "test_odd_answers.py", "test_command.py",
         "test_fair_time.py", "test_isolation.py")


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder; keep a file, or all of a group of folders, in one process."""
    items.sort(key=lambda item: min((FIRST.index(name) for name in item.path.parts
                                     if name in FIRST), default=len(FIRST)))
    for item in items:
        group = next((GROUPS[name] for name in item.path.parts if name in GROUPS), str(item.path))
        item.add_marker(pytest.mark.xdist_group(group))
        if group in ("hostile", "platform"):
            item.add_marker(group)
        if "browser" in item.fixturenames:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def upload(tmp_path_factory) -> Path:
    """autograder.zip with a leaderboard; the solution runs for it once."""
    path = tmp_path_factory.mktemp("upload") / "autograder.zip"
    assert main(["package", "--out", str(path), "--hidden-seed", str(HIDDEN_SEED), "--leaderboard",
                 "--torch-index", "https://example.org/it's here"]) == 0
    return path


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
        return building.build(ASSIGNMENT, SOLUTION, "hidden", HIDDEN_SEED,
                              {"profile": "standard"}, only=numbers, workers=warm)

    return build


@pytest.fixture(scope="session")
def grade_checks(warm, public):
    """`grade_checks(folder, numbers)`: grade the checks with these numbers on the warm workers.

    Options go to `grade.Options`; `sets` are other references than the public ones; `run` judges.
    """
    def graded(folder: Path, numbers: Collection[str] = FUNCTIONAL, sets=None,
               progress=lambda row, total: None, run=Grading.run, **options) -> Grade:
        return grading.grade(ASSIGNMENT, folder, grading.Options(only=numbers, **options), progress,
                             sets or [public], warm, run=run)

    return graded


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
        return [inquiry.ask(call("problem1", q) if isinstance(q, str) else q, "1.2", seed).result()
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
