"""The pytest plugin that runs the graded checks.

Questions are put to the workers all at once, side by side; the checks then run in order and each
waits for its own answer. Every check runs once per tier, and all of one tier before the next.
"""

import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

import pytest

from .catalogue import describe, selected
from .compare import Wrong
from .messages import BROKE_STATUSES, broke, explain, hidden, passed, printable
from .references import References, worker_seed
from .results import FAILED, GRADER_BROKE, PASSED, SUBMISSION_BROKE, Grade, Row
from .tasks import order
from .workers import Answer, Workers


class Broke(Wrong):
    """The submission gave no answer: it raised, crashed or ran out of time."""


class GradePlugin:
    """Plans the rows, asks the questions, records the outcomes.

    Args:
        references: one entry per tier that is graded, public first.
        grade: gets a row per check.
        changed: called after every change of the grade, with the row (or None at the start).
    """

    def __init__(self, references: list[References], workers: Workers, grade: Grade,
                 rules: dict[str, str], only: str | None,
                 changed: Callable[[Row | None], None]):
        self.references = {r.tier: r for r in references}
        self.workers = workers
        self.grade = grade
        self.rules = rules
        self.only = only
        self.changed = changed
        self.rows: dict[str, Row] = {}
        self.items: list[pytest.Item] = []
        self.answers: dict[tuple[str, str], Any] = {}
        self.begin = time.monotonic()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        metafunc.parametrize("tier", list(self.references), scope="function")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Plan every row."""
        items[:] = [item for item in items if selected(describe(item.function), self.only)]
        tiers = list(self.references)
        items.sort(key=lambda item: (tiers.index(item.callspec.params["tier"]),
                                     order(item.function.__number__)))
        self.items = items
        for item in items:
            check = describe(item.function)
            if check.number not in self.rows:
                self.rows[check.number] = Row(check)
                self.grade.rows.append(self.rows[check.number])
        self.changed(None)

    def _ask(self, tier: str) -> None:
        """Ask all questions of a tier, once those of earlier tiers have been answered.

        A process that knows hidden inputs can tell one beside it, for example by its name, and what
        goes wrong on public inputs is described to students.
        """
        wait(self.answers.values())
        for item in self.items:
            if item.callspec.params["tier"] == tier:
                number = item.function.__number__
                question = self.references[tier].by_number[number].question
                self.answers[number, tier] = self.workers.ask(
                    question, self.rows[number].check.task, worker_seed(number))

    @pytest.fixture
    def reference(self, request: pytest.FixtureRequest, tier: str):
        return self.references[tier].by_number[request.function.__number__]

    @pytest.fixture
    def expected(self, reference):
        """What the solution answered."""
        return reference.expected

    @pytest.fixture
    def question(self, reference):
        """What was asked, with what only the grader knows."""
        return reference.question

    @pytest.fixture
    def answer(self, request: pytest.FixtureRequest, tier: str, question):
        """What the submission answered."""
        number = request.function.__number__
        if (number, tier) not in self.answers:
            self._ask(tier)
        result: Answer = self.answers[number, tier].result()
        if result.status in BROKE_STATUSES:
            raise Broke(broke(result, question))
        return result.value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo):
        """Turn the outcome of a phase into the row's verdict."""
        report = yield
        if call.when == "call" or call.excinfo is not None:
            self._record(item, call)
        return report

    def _record(self, item: pytest.Item, call: pytest.CallInfo) -> None:
        function, tier = item.function, item.callspec.params["tier"]
        row = self.rows[function.__number__]
        check, rule = row.check, self.rules.get(row.check.rule, "")
        error = call.excinfo.value if call.excinfo else None
        score = function.__dict__.pop("__score__", None)  # set by partial_credit
        if error is None:
            row.record(tier, PASSED, check.points if score is None else score, passed())
        elif isinstance(error, Wrong):
            if tier == "public":
                question = self.references[tier].by_number[check.number].question
                message = explain(str(error), check, rule, question)
            else:
                message = hidden(check, rule)
            verdict = SUBMISSION_BROKE if isinstance(error, Broke) else FAILED
            row.record(tier, verdict, score or 0.0, message)
        elif call.when == "call" and self._judges_the_solution(item):
            # Then it is the answer that is odd: only one that was forged has such a form.
            row.record(tier, SUBMISSION_BROKE, 0.0,
                       explain("What came back has a form that no answer to this check has.", check,
                               rule, item.funcargs["question"]) if tier == "public"
                       else hidden(check, rule))
        else:
            row.record(tier, GRADER_BROKE, 0.0,
                       "The grader itself broke on this check; your instructor has been told.")
            self.grade.notes.append(printable(
                f"check {check.number}, {tier} inputs: {type(error).__name__}: {error}"
                if tier == "public" else f"check {check.number}: {type(error).__name__}"))
        self.grade.seconds = time.monotonic() - self.begin
        self.changed(row)

    def _judges_the_solution(self, item: pytest.Item) -> bool:
        """Whether the check passes when it is given the solution's own answer."""
        names = item.function.__code__.co_varnames[:item.function.__code__.co_argcount]
        given = {name: item.funcargs[name] for name in names if name in item.funcargs}
        try:
            item.function(**{**given, "answer": item.funcargs["expected"]})
        except Exception:
            return False
        return True
