"""The graded checks as items of a run of pytest.

    python -m pytest autograder/assignment/checks --submission starter [-k iou] [-x] [-v]

A `conftest.py` beside the checks takes over `pytest_addoption`, and calls `begin` in its
`pytest_configure`.

Every check is an item for each tier of inputs. It fails with the message for the student; points
and verdict stand in the report, and in the XML of `--junitxml`. `run` does the same for a grading
that has been prepared already, and leaves the reporting to its caller.
"""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from .assignment import load
from .check import Check
from .grade import Options, prepared
from .grading import Grading
from .references import TIERS
from .results import PASSED, Score, total
from .sandbox.pool import WorkersBroke

POINTS = "points"  # name of the property of a report


class Lost(Exception):
    """A check lost points; the message is what the student reads."""


class CheckItem(pytest.Item):
    """One check on the inputs of one tier."""

    def __init__(self, *, check: Check, tier: str, grading: Grading, **more: Any) -> None:
        super().__init__(**more)
        self.check, self.tier, self.grading = check, tier, grading
        self.extra_keyword_matches |= {check.number, check.rule, check.task.title, tier}

    def runtest(self) -> None:
        """Judge, or look up what has been judged along with the rest of the task."""
        row = self.grading.row(self.check, self.tier)
        verdict, score, message = row.tiers[self.tier]
        self.user_properties += [
            (POINTS, str(Score(score, self.check.points))), ("check", self.check.number),
            ("sentence", self.check.sentence), ("rule", self.check.rule)]
        if verdict != PASSED or score < self.check.points:
            raise Lost(message)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The student's message; a traceback only of the kit's own errors."""
        if isinstance(excinfo.value, Lost):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the check stands, and its sentence."""
        code = self.check.judge.__code__
        return (Path(code.co_filename), code.co_firstlineno - 1,
                f"{self.check.number} {self.check.sentence}")


class Checks:
    """The plugin: turns `Check` objects into items, and their points into words of the report."""

    def __init__(self, grading: Grading) -> None:
        self.grading = grading

    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str,
                                  obj: object) -> list[CheckItem] | None:
        """An item for each tier; checks that are switched off have none."""
        if not isinstance(obj, Check):
            return None
        check = self.grading.assignment.by_number.get(obj.number)
        if check is None or check.number not in self.grading.rows:
            return []
        tiers = list(self.grading.references)
        return [CheckItem.from_parent(
            collector, name=name if len(tiers) == 1 else f"{name}[{tier}]", check=check, tier=tier,
            grading=self.grading) for tier in tiers]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """In the order in which tasks are judged."""
        place = {step: index for index, step in enumerate(self.grading.steps)}
        items.sort(key=lambda item: place.get((item.tier, item.check.task_number), 0)
                   if isinstance(item, CheckItem) else -1)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Ask nothing for checks that were not selected."""
        self.grading.plan({item.check.number for item in session.items
                           if isinstance(item, CheckItem)})

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """`PASSED 0.5 / 0.5`."""
        points = dict(report.user_properties).get(POINTS)
        if report.when != "call" or points is None:
            return None
        return report.outcome, "." if report.passed else "F", f"{report.outcome.upper()} {points}"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Points of the checks that ran, and notes."""
        judged = [row for row in self.grading.grade.rows if row.tiers]
        for note in self.grading.grade.notes:
            terminalreporter.write_line(f"note: {note}")
        terminalreporter.write_line(f"{total(judged)} points")


def run(grading: Grading) -> None:
    """Judge all checks of a prepared grading in a run of pytest, without reporting of its own.

    Raises:
        WorkersBroke: pytest could not run them.
        KeyboardInterrupt: it was interrupted.
    """
    folder = grading.assignment.checks_folder
    # No settings and no plugins of this machine may change a grade. `-c` names a file that has no
    # settings, since pytest would look for one otherwise. `-s`: all that is captured is the bar.
    code = pytest.main([
        str(folder), "-s", f"--rootdir={folder}", "-c", str(folder / "__init__.py"),
        "--import-mode=importlib", "--noconftest", "--disable-plugin-autoload", "-pno:terminal",
        "-pno:cacheprovider"], plugins=[Checks(grading)])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise WorkersBroke(f"pytest ended with {pytest.ExitCode(code).name}")


# --- hooks of a conftest.py beside the checks ---------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--submission` and `--tier`."""
    group = parser.getgroup("graded checks")
    group.addoption("--submission", type=Path, metavar="FOLDER",
                    help="folder of the submission to grade")
    group.addoption("--tier", choices=("public", "all"), default="public",
                    help="inputs: the public ones, or the hidden ones as well")


def begin(config: pytest.Config, package: str) -> None:
    """Prepare the grading of an assignment's package that the options ask for, and end its workers
    with the run.

    Raises:
        UsageError: there is nothing to grade, or nothing to grade it with; one line for a person.
    """
    if config.getoption("help"):
        return
    submission = config.getoption("submission")
    if submission is None:
        raise pytest.UsageError("name the submission to grade: --submission FOLDER")
    tiers = TIERS if config.getoption("tier") == "all" else TIERS[:1]
    stack = contextlib.ExitStack()
    try:
        grading = stack.enter_context(prepared(load(package), submission, Options(tiers)))
    except (ValueError, OSError, WorkersBroke) as error:  # no submission, for example
        raise pytest.UsageError(str(error)) from None
    config.add_cleanup(stack.close)
    config.pluginmanager.register(Checks(grading), "graded checks")
