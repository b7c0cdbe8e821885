"""The pytest plugin that runs the graded checks.

Questions are put to the workers all at once, side by side; the checks then run in order and each
waits for its own answer. Every check runs once per tier, and all of one tier before the next.
"""

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from typing import Any

import pytest

from .catalogue import describe, selected
from .compare import Wrong
from .diagnosis import Bank, diagnose
from .follow import Outcomes, failing, follow_through
from .messages import explain, hidden, passed, printable, tasks, unmet
from .outcomes import Broke, Outcome, is_fair, value_of
from .references import References, worker_seed
from .results import FAILED, GRADER_BROKE, PASSED, SUBMISSION_BROKE, Grade, Row
from .tasks import FUNCTIONS, NEEDS, order
from .workers import Inquiry


class GradePlugin:
    """Plans the rows, asks the questions, records the outcomes.

    Args:
        references: one entry per tier that is graded, public first.
        bank: known mistakes, or None.
        grade: gets a row per check.
        changed: called after every change of the grade, with the row (or None at the start).
    """

    def __init__(self, references: list[References], inquiry: Inquiry, bank: Bank | None,
                 grade: Grade, rules: dict[str, str], only: str | Collection[str] | None,
                 changed: Callable[[Row | None], None]):
        self.references = {r.tier: r for r in references}
        self.inquiry = inquiry
        self.bank = bank
        self.grade = grade
        self.rules = rules
        self.only = only
        self.changed = changed
        self.rows: dict[str, Row] = {}
        self.items: list[pytest.Item] = []
        self.answers: dict[tuple[str, str], Future] = {}
        self.asked: list[Future] = []
        self.remarks: dict[tuple[str, str], list[str]] = {}
        self.outcomes: Outcomes = {}
        self.begin = time.monotonic()

    def pytest_configure(self, config: pytest.Config) -> None:
        """Nobody sees pytest's own account of a failure; this style of it takes least time."""
        config.option.tbstyle = "native"

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
                self.answers[number, tier] = self._put(number, tier)

    def _put(self, number: str, tier: str, earlier: dict[str, Any] | None = None) -> Future:
        future = self.inquiry.ask(self.references[tier].by_number[number].question,
                                  self.rows[number].check.task, worker_seed(number), earlier)
        self.asked.append(future)
        return future

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
    def answer(self, request: pytest.FixtureRequest, tier: str, reference):
        """What the submission answered."""
        number = request.function.__number__
        if (number, tier) not in self.answers:
            self._ask(tier)
        return value_of(self.answers[number, tier].result(), reference)

    @pytest.fixture
    def remark(self, request: pytest.FixtureRequest, tier: str) -> Callable[[str], None]:
        """Say what is worth knowing and costs nothing."""
        return self.remarks.setdefault((request.function.__number__, tier), []).append

    @pytest.fixture
    def measured(self, request: pytest.FixtureRequest, tier: str):
        """Keep an accuracy, and what the submission claims, with the row."""
        row = self.rows[request.function.__number__]

        def keep(name: str, accuracy: float, claims: list[tuple[str, float]]) -> None:
            if tier == "public":
                row.accuracy = {"name": name, "measured": accuracy, "claimed": claims}

        return keep

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo):
        """Turn the outcome of a phase into the row's verdict."""
        report = yield
        if call.when == "call" or call.excinfo is not None:
            self._record(item, call.excinfo.value if call.excinfo else None)
        return report

    def _record(self, item: pytest.Item, error: BaseException | None) -> None:
        function, tier = item.function, item.callspec.params["tier"]
        number = function.__number__
        future = self.answers.get((number, tier))
        answered = future is not None and future.done() and future.exception() is None
        outcome = Outcome(
            self.rows[number].check, function, tier, self.references[tier].by_number.get(number),
            future.result() if answered else None, error,
            function.__dict__.pop("__score__", None),  # set by partial_credit
            remarks=tuple(self.remarks.get((number, tier), ())))
        if tier == "public":
            self.grade.notes += [f"check {number}: {printable(r)}" for r in outcome.remarks]
        self.outcomes[number, tier] = outcome
        self._settle(outcome)

    def finish(self) -> None:
        """Once all checks have run: follow earlier mistakes through, and name known ones."""
        again = follow_through(
            self.outcomes, lambda o, earlier: self._put(o.check.number, o.tier, earlier))
        for outcome in again:
            self._settle(outcome)
        wrong = failing(self.outcomes, list(self.references))
        public = {number: o for (number, tier), o in self.outcomes.items() if tier == "public"}
        graded = {outcome.check.task for outcome in public.values()}
        for task in sorted(wrong, key=order):
            left_out = [need for need in NEEDS.get(task, ())
                        if need in FUNCTIONS and need not in graded]
            if left_out:
                self.grade.notes.append(
                    f"task {task} stands on {tasks(left_out)}, which you left out: what fails "
                    "because of it may have its points when all is graded")
        # What may follow from an earlier mistake, and could not be graded without it, is not named.
        clear = {number: outcome for number, outcome in public.items()
                 if outcome.stood_in or not unmet(outcome.check.task, wrong)}
        named = diagnose(clear, self.bank) if self.bank else {}
        for number, outcome in public.items():
            hints = []
            if number in named:
                self.rows[number].mistakes = named[number].names
                hints.append(named[number].sentence)
            if isinstance(outcome.error, Broke):
                hints += unmet(outcome.check.task, wrong - set(outcome.stood_in))
            if hints:
                self._settle(outcome, hints)
        answers = [future.result() for future in self.asked
                   if future.done() and future.exception() is None]
        self.grade.cpu_seconds = sum(answer.cpu_seconds for answer in answers)
        self.grade.peak_mb = max((answer.peak_mb for answer in answers), default=0.0)

    def _settle(self, outcome: Outcome, hints: list[str] | None = None) -> None:
        """Write an outcome into its row."""
        check, tier, error = outcome.check, outcome.tier, outcome.error
        row, rule = self.rows[check.number], self.rules.get(check.rule, "")
        if tier == "public":
            row.outcome = outcome

        def say(reason: str) -> str:
            if tier != "public":
                return hidden(check, rule)
            return explain(reason, check, rule, outcome.reference.question,
                           [*outcome.remarks, *(hints or [])], outcome.stood_in)

        first = tier not in row.tiers
        public_remarks = outcome.remarks if tier == "public" else ()
        score = outcome.score
        if error is None:
            row.record(tier, PASSED, check.points if score is None else score,
                       printable("\n".join([passed(outcome.stood_in), *public_remarks])))
        elif isinstance(error, Wrong):
            row.record(tier, SUBMISSION_BROKE if isinstance(error, Broke) else FAILED,
                       score or 0.0, say(str(error)))
        elif outcome.answer is not None and is_fair(outcome.function, outcome.reference):
            # Then it is the answer that is odd: only one that was forged has such a form.
            row.record(tier, SUBMISSION_BROKE, 0.0,
                       say("What came back has a form that no answer to this check has."))
        else:
            row.record(tier, GRADER_BROKE, 0.0,
                       "The grader itself broke on this check; your instructor has been told.")
            self.grade.notes.append(printable(
                f"check {check.number}, {tier} inputs: {type(error).__name__}: {error}"
                if tier == "public" else f"check {check.number}: {type(error).__name__}"))
        self.grade.seconds = time.monotonic() - self.begin
        self.changed(row if first else None)
