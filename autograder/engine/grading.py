"""Grade: plan the rows, ask the questions, judge the answers, follow mistakes through, name them.

Questions of a tier are put to the workers all at once, side by side. Tasks are judged one after
another, each after the tasks that it needs; all of one tier before the next. A task that has been
judged on public inputs has its final text: what is seen on hidden ones changes points alone.
"""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any

from .assignment import Assignment
from .check import Check, Judgement
from .compare import SUPPOSING, Wrong
from .diagnosis import Bank, agreements, diagnose, possible
from .follow_through import follow_through, use_others
from .judging import MACHINE, Judge, NoAnswer, Outcome, is_fair
from .messages import explain, hidden, look_first, of_import, passed, tasks
from .references import References, worker_seed
from .results import FAILED, GRADER_BROKE, NOT_RUN, PASSED, SUBMISSION_BROKE, Grade, Row
from .sandbox.channel import Answer
from .sandbox.pool import Inquiry
from .text import printable

PUBLIC = "public"
FEW, SLOW = 5, 1.0  # checks of a problem, CPU seconds that each takes: importing takes them
SHOWN = 2**26  # bytes of all answers that are kept to be shown; the solution's take 13 MB


class Grading:
    """One grade in the making.

    Args:
        references: one entry per tier that is graded, public first.
        bank: gives the known mistakes, or None; asked when the first check fails.
        grade: gets a row per check.
        only: the checks, see `Assignment.selected`.
        changed: called after every change of the grade, with the row (or None at the start).
    """

    def __init__(self, assignment: Assignment, references: list[References], inquiry: Inquiry,
                 bank: Callable[[], Bank | None], grade: Grade,
                 only: str | Collection[str] | None = None,
                 changed: Callable[[Row | None], None] = lambda row: None) -> None:
        self.assignment = assignment
        self.references = {r.tier: r for r in references}
        self.inquiry = inquiry
        self.seed = worker_seed(references[-1].made, inquiry.submission.digest())
        self.judge = Judge(assignment, inquiry.workers.bounded)
        self.bank = functools.cache(bank)
        self.grade = grade
        self.changed = changed
        self.answers: dict[tuple[str, str], Future[Answer]] = {}
        self.asked: list[Future[Answer]] = []
        self.room = SHOWN
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.notes: defaultdict[str, list[str]] = defaultdict(list)  # of the grade, by task
        self.begin = time.monotonic()
        self.plan(only)

    def plan(self, only: str | Collection[str] | None) -> None:
        """Plan a row for every check that is chosen; nothing may have been judged yet."""
        self.checks = self.assignment.selected(only)
        tiers = tuple(self.references)
        self.rows = {check.number: Row(check, place=self._place(check), planned=tiers)
                     for check in self.checks}
        self.grade.rows = list(self.rows.values())
        chosen = {check.task_number for check in self.checks}
        self.steps = [(tier, task) for tier in self.references
                      for task in self.assignment.inner_order() if task in chosen]
        self.changed(None)

    def _place(self, check: Check) -> str:
        """Where the function begins that a check asks, or else the one of its task; nowhere where
        the task is about files that are no code."""
        if not check.task.file.endswith(".py"):
            return ""
        for references in self.references.values():
            if reference := references.by_number.get(check.number):
                question, submission = reference.question, self.inquiry.submission
                problem, model = question.problem, str(question.inputs.get("model", ""))
                asked = [question.asked, model, check.task.begins, *check.task.functions[:1]]
                return next(filter(None, (submission.place(problem, one) for one in asked)), "")
        return ""

    def run(self) -> None:
        """Judge all there is to judge."""
        while self.steps:
            self.judge_next()

    def row(self, check: Check, tier: str) -> Row:
        """The row of a check, once its task (and what comes before it) is judged on this tier."""
        while (tier, check.task_number) in self.steps:
            self.judge_next()
        return self.rows[check.number]

    def resume(self, earlier: "Grading", tasks: Sequence[str]) -> None:
        """Judge only these tasks, in this order; all else is as an earlier grading of the same
        checks has found it. Where one of these needs another that has changed since, that comes
        first."""
        self.steps = [(tier, task) for tier in self.references for task in tasks]
        self.outcomes = dict(earlier.outcomes)
        self.grade.rows = list(earlier.grade.rows)
        for task, notes in earlier.notes.items():
            for note in notes if task not in tasks else ():
                self._note(task, note)

    def _note(self, task: str, note: str) -> None:
        self.notes[task].append(note)
        self.grade.notes.append(note)

    def close(self) -> None:
        """Add up how long it took, and say where imports alone take long."""
        self._add_up()
        self.grade.seconds = time.monotonic() - self.begin
        took = defaultdict(list)
        for outcome in self.outcomes.values():
            if outcome.answer is not None and outcome.answer.status == "ok":
                took[outcome.reference.question.problem].append(outcome.answer.cpu_seconds)
        self.grade.notes += [
            f"no check of {problem} took less than {min(seconds):.1f} s, since each imports your "
            "files afresh: what they compute when they are imported belongs into functions"
            for problem, seconds in took.items() if len(seconds) >= FEW and min(seconds) > SLOW]

    def _add_up(self) -> None:
        """Add up what the submission used for answers, and let go of these."""
        done = [future for future in self.asked if future.done()]
        self.asked = [future for future in self.asked if future not in done]
        for future in done:
            if not future.cancelled() and future.exception() is None:
                self.grade.cpu_seconds += future.result().cpu_seconds
                self.grade.peak_mb = max(self.grade.peak_mb, future.result().peak_mb)

    def _ask(self, tier: str) -> None:
        """Ask the questions of a tier that are to be judged, once all earlier ones have been
        answered.

        Students read what goes wrong on public inputs. A process that is given hidden inputs could
        pass them to one that is asked a public question at the same time.
        """
        wait(self.asked)
        known = self.references[tier].by_number
        checks = [check for of, task in self.steps if of == tier for check in self._of(task)]
        # What may take long comes last, so that it costs no other check its time.
        for check in sorted(checks, key=lambda check: known[check.number].question.cpu_seconds):
            self.answers[check.number, tier] = (
                self.answers.get((check.like, tier)) or self._put(check, tier))

    def _of(self, task: str) -> list[Check]:
        return [check for check in self.checks if check.task_number == task]

    def _put(self, check: Check, tier: str,
             earlier: dict[str, Any] | None = None) -> "Future[Answer]":
        reference = self.references[tier].by_number[check.number]
        future = self.inquiry.ask(reference.question, check.task_number, self.seed, earlier,
                                  reference.most)
        self.asked.append(future)
        return future

    def judge_next(self) -> None:
        """Judge a task, then what of it follows from an earlier one, name its mistakes, and only
        then write it down."""
        tier, task = self.steps[0]
        if (self._of(task)[0].number, tier) not in self.answers:
            self._ask(tier)
        del self.steps[0]
        self.grade.rows = [self.rows[row.check.number] if row.check.task_number == task else row
                           for row in self.grade.rows]
        own = [(check.number, tier) for check in self._of(task)]
        for check in self._of(task):
            self.outcomes[check.number, tier] = self._outcome(check, tier)
        for outcome in follow_through(
                [self.outcomes[key] for key in own], self._wrong_functions(), self.assignment,
                lambda o, earlier: self._put(o.check, tier, earlier), self.judge.judge):
            self.outcomes[outcome.check.number, tier] = outcome
        for outcome in use_others(
                [self.outcomes[key] for key in own], self.assignment,
                lambda o, earlier: self._put(o.check, tier, earlier), self.judge.judge):
            self.outcomes[outcome.check.number, tier] = outcome
        outcomes = {number: self.outcomes[number, tier] for number, _ in own}
        # the tasks that lose points, as far as has been judged
        wrong = {o.check.task_number for o in self.outcomes.values() if not o.passed}
        hints = self._name(task, outcomes, wrong) if tier == PUBLIC else {}
        for number, outcome in outcomes.items():
            self._settle(outcome, hints.get(number, []))
            self._let_go(outcome)
        self._add_up()

    def _let_go(self, outcome: Outcome) -> None:
        """Keep the bytes of an answer that is judged only where they may be shown."""
        answer, row, key = outcome.answer, self.rows[outcome.check.number], (
            outcome.check.number, outcome.tier)
        self.answers.pop(key)
        if answer is None:
            return
        self.outcomes[key] = replace(outcome, other=None, answer=replace(
            answer, frame=b"", seen=b"", handed={}))
        shown = row.outcome is outcome or row.why is not None and row.why[0] is outcome
        if shown and len(answer.frame) <= self.room:
            self.room -= len(answer.frame)
        elif row.outcome is outcome:
            row.outcome = self.outcomes[key]
        elif shown and row.why is not None:
            row.why = self.outcomes[key], row.why[1]

    def _wrong_functions(self) -> set[str]:
        """Functions for later tasks that failing checks ask for by name; of a check that names
        none of its task's, all of them."""
        found: set[str] = set()
        for outcome in self.outcomes.values():
            if not outcome.passed:
                asked, own = outcome.reference.question.asked, outcome.check.task.functions
                found.update([asked] if asked in own else own)
        return found

    def _outcome(self, check: Check, tier: str) -> Outcome:
        reference = self.references[tier].by_number[check.number]
        try:
            answer = self.answers[check.number, tier].result()
        except Exception as failure:  # the workers broke
            return Outcome(check, tier, reference, None, failure, Judgement(check))
        outcome = self.judge.judge(check, tier, reference, answer)
        if tier == PUBLIC:
            for remark in outcome.judgement.remarks:
                self._note(check.task_number,
                           f"check {check.number}: {' '.join(printable(remark).split())}")
            self.rows[check.number].accuracy = outcome.judgement.accuracy
        return outcome

    def _name(self, task: str, outcomes: dict[str, Outcome],
              wrong: set[str]) -> dict[str, list[str]]:
        """By check number, sentences that name known mistakes and say what the check stands on."""
        if all(outcome.passed for outcome in outcomes.values()):
            return {}
        graded = {check.task_number for check in self.checks}
        if task in wrong:
            left_out = [need for need in self.assignment.tasks[task].needs
                        if self.assignment.tasks[need].functions and need not in graded]
            if left_out:
                self._note(
                    task, f"task {task} uses {tasks(left_out, self.assignment)}, not graded in "
                    "this call: a check that fails only for that reason gets its points when all "
                    "is graded")
        clear = {number: outcome for number, outcome in outcomes.items()
                 if self._is_own(outcome, wrong)}
        bank = self.bank() or Bank({}, {}, {})
        agree = agreements(clear, bank, self.judge.agreeing)
        named = diagnose(clear, bank, agree)
        # Right values of earlier functions may show a mistake, or hide it.
        others = {number: outcome.other for number, outcome in clear.items()
                  if number not in named and outcome.other is not None}
        found = {number: names for number, names in agreements(
            others, bank, self.judge.agreeing).items() if names}
        if found:
            clear |= {number: others[number] for number in found}
            agree |= found
            named = diagnose(clear, bank, agree)
            for number in found.keys() & named:
                outcomes[number] = self.outcomes[number, PUBLIC] = others[number]
        hints: dict[str, list[str]] = {number: [] for number in outcomes}
        for number, outcome in outcomes.items():
            self.rows[number].unexplained = (
                number in agree and number not in named and isinstance(outcome.error, Wrong)
                and not outcome.aside and not possible(number, clear, bank, agree))
            if number in named:
                names = self.rows[number].mistakes = named[number].names
                if len(names) == 1:
                    self.rows[number].cause = (
                        f"{'' if named[number].sure else 'perhaps '}your code "
                        f"{bank.title(names[0])}")
                hints[number].append(named[number].sentence)
            elif outcome.aside:
                hints[number].append(outcome.aside)
            if outcome.answer and (at := of_import(outcome.answer)):
                self.rows[number].place = at
                if outcome.answer.status != "error":
                    self.rows[number].cause = (
                        f"{at.partition(',')[0]} does not come to its end when it is imported")
            if isinstance(outcome.error, NoAnswer) and outcome.answer and not outcome.aside:
                hints[number] += look_first(outcome.check.task, wrong - set(outcome.stood_in),
                                            outcome.answer, self.assignment)
        return hints

    def _is_own(self, outcome: Outcome, wrong: set[str]) -> bool:
        """Whether what came is of the task itself, and not of an earlier one of those that are
        `wrong`."""
        if outcome.passed and outcome.check.task_number in outcome.stood_in:
            return False  # a mistake in what stood in would make it fail
        needs = [self.assignment.tasks[need] for need in outcome.check.task.needs if need in wrong]
        if outcome.stood_in or not needs:
            return True
        if not all(need.functions for need in needs):
            return False
        # With right values of these functions it fails as well, or they cannot be put in.
        return not outcome.passed or not any(
            outcome.reference.earlier.keys() & need.functions for need in needs)

    def _settle(self, outcome: Outcome, hints: list[str]) -> None:
        """Write an outcome into its row."""
        check, tier, error = outcome.check, outcome.tier, outcome.error
        row, rule = self.rows[check.number], self.assignment.rules.get(check.rule, "")
        judgement, stood_in = outcome.judgement, outcome.stood_in
        if tier == PUBLIC:
            row.outcome = outcome

        def say(reason: str) -> str:
            if row.mistakes:
                reason = reason.partition(SUPPOSING)[0]
            told = explain(reason, check, rule, outcome.reference.question, self.assignment,
                           [*judgement.remarks, *hints], stood_in)
            if tier == PUBLIC:
                return told
            if row.tiers.get(PUBLIC, ("",))[0] == PASSED:
                row.why = outcome, told
            return hidden(check, rule, not outcome.answer or outcome.answer.status != "hung")

        if error is None:
            lines = [outcome.aside or passed(stood_in, self.assignment),
                     *(judgement.remarks if tier == PUBLIC else ())]
            row.record(tier, PASSED,
                       check.points if judgement.score is None else judgement.score,
                       printable("\n".join(lines)))
        elif outcome.answer is not None and outcome.answer.status == "budget":
            row.record(tier, NOT_RUN, 0.0, str(error))  # nothing has been seen of the submission
        elif isinstance(error, Wrong):
            row.record(tier, SUBMISSION_BROKE if isinstance(error, NoAnswer) else FAILED,
                       judgement.score or 0.0, say(str(error)))
        elif outcome.answer is not None and type(error).__name__ not in MACHINE and (
                check.measured or is_fair(check, outcome.reference)):
            # The check can judge the solution's answer (a measured accuracy has been, when the
            # references were made), so the fault is in this one: only a reply that student code
            # forged can have such a form.
            row.record(tier, SUBMISSION_BROKE, 0.0,
                       say("What came back cannot be an answer to this check."))
        else:
            row.record(tier, GRADER_BROKE, 0.0,
                       "The grader itself broke on this check; your instructor has been told.")
            self._note(check.task_number, printable(
                f"check {check.number}, {tier} inputs: {type(error).__name__}: {error}"
                if tier == PUBLIC else f"check {check.number}: {type(error).__name__}"))
        self.grade.seconds = time.monotonic() - self.begin
        self.changed(row)
