"""A class that makes known mistakes, some of which are hidden from the bank: which come back?

Every student makes some mistakes. What each answers stands in the bank; every second student gives
it with other rounding errors, and where two mistakes meet in one check, the answer is another one.
Rows are judged and named as in a grade, in this process.
"""

import functools
import random
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autograder.assignment import ASSIGNMENT
from autograder.engine.diagnosis import BOTH, Bank, alike_apart, diagnose, possible
from autograder.engine.judging import Outcome, agrees, judge
from autograder.engine.references import References
from autograder.engine.results import FAILED, PASSED, SUBMISSION_BROKE, Row
from autograder.engine.sandbox.channel import Answer
from autograder.instructor.classroom.entry import Entry
from autograder.instructor.classroom.unnamed import Unnamed, clusters, kept
from tests.grading import answered

LEAST, MOST = 2, 12  # mistakes of one student


@dataclass
class Result:
    """What came of a class.

    Args:
        made: hidden mistakes that two students make or more, each with a check that shows it alone.
        back: those of them that all students of some cluster in their task make.
        mixed: clusters with a check that no mistake changes which all of their students make.
    """

    made: set[str]
    back: set[str]
    mixed: list[Unnamed]
    clusters: list[Unnamed]


def stored_answer(stored: dict[str, Any]) -> Answer:
    """The answer of a mistake as the bank keeps it."""
    if "value" in stored:
        return answered(stored["value"])
    kind, _, message = stored["error"].partition(": ")
    error = {"stage": "run", "type": kind, "message": message, "file": None, "line": None,
             "code": None}
    if "results/" in stored["error"]:
        error.update(type="Unusable", message=stored["error"])
    return Answer("error", error=error)


def rounded_otherwise(value: Any) -> Any:
    """The value as other code would compute it."""
    if isinstance(value, dict):
        return {key: rounded_otherwise(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(rounded_otherwise(item) for item in value)
    rough = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value * value.dtype.type(1 + 2e-7) if rough else value


class Class:
    """Draws students and grades them.

    Args:
        tasks: in which mistakes are made; None for all.
    """

    def __init__(self, bank: Bank, references: References, seed: int = 0,
                 tasks: tuple[str, ...] | None = None) -> None:
        self.bank, self.references, self.random = bank, references, random.Random(seed)
        self.names = sorted(name for name, known in bank.known.items()
                            if tasks is None or known.task in tasks)
        self.outcome = functools.cache(self._outcome)
        self.agreeing = functools.cache(self._agreeing)

    def _outcome(self, number: str, name: str) -> Outcome:
        check, reference = ASSIGNMENT.by_number[number], self.references.by_number[number]
        return judge(check, "public", reference, stored_answer(self.bank.answers[number][name]))

    def _agreeing(self, number: str, name: str) -> frozenset[str]:
        outcome = self.outcome(number, name)
        return frozenset(other for other, wrong in self.bank.answers[number].items() if agrees(
            outcome.check, outcome.reference, outcome.answer, wrong))

    def run(self, students: int, share: float = 0.2, most: int = MOST) -> Result:
        """Hide a share of the bank, grade a class, and look for what is hidden."""
        hidden = set(self.random.sample(self.names, round(share * len(self.names))))
        left = replace(self.bank,
                       known={name: k for name, k in self.bank.known.items() if name not in hidden},
                       answers={number: {name: a for name, a in by_name.items()
                                         if not hidden.intersection(name.split(BOTH))}
                                for number, by_name in self.bank.answers.items()})
        entries, shows = [], defaultdict(set)
        drawn: dict[str, list[str]] = {}
        for student in range(students):
            mistakes = self.random.sample(self.names, self.random.randint(LEAST, most))
            entry = self.graded(f"student-{student}", mistakes, left, student % 2 == 1)
            drawn[entry.student] = mistakes
            entries.append(entry)
            for number in entry.unnamed:
                name, *others = (name for name in mistakes if name in self.bank.answers[number])
                if name in hidden and not others:
                    shows[entry.student].add(name)
        questions = self.references.by_number
        found = clusters(entries, questions, lambda number, answers: alike_apart(
            ASSIGNMENT.package, number, questions[number], answers))
        made = {name for name in hidden if sum(name in own for own in shows.values()) > 1}
        back, mixed = set(), []
        for cluster in found:
            common = set(self.names).intersection(*(
                drawn[entry.student] for entry in cluster.entries))
            back |= hidden & {name for name in common
                              if self.bank.known[name].task == cluster.task}
            if not all(common & self.bank.answers[number].keys() for number in cluster.came):
                mixed.append(cluster)
        return Result(made, back & made, mixed, found)

    def graded(self, student: str, mistakes: list[str], bank: Bank, otherwise: bool) -> Entry:
        """The entry of a student who makes these mistakes."""
        rows = {}
        for task in {self.bank.known[name].task for name in mistakes}:
            outcomes, agreeing = {}, {}
            for check in ASSIGNMENT.selected(task):
                number = check.number
                own = [name for name in mistakes if name in self.bank.answers.get(number, {})]
                rows[number] = Row(check, PASSED, check.points)
                if len(own) == 1:
                    outcomes[number] = self.outcome(number, own[0])
                    agreeing[number] = self.agreeing(number, own[0])
                elif own:  # what two answer together nobody knows: it is like neither
                    met = " and ".join(sorted(own))
                    error = {"stage": "run", "type": "Met", "message": met, "file": None}
                    outcomes[number] = replace(self.outcome(number, own[0]),
                                               answer=Answer("error", error=error))
                    agreeing[number] = frozenset()
                else:
                    reference = self.references.by_number[number]
                    outcomes[number] = judge(check, "public", reference,
                                             answered(reference.expected))
            agree = {number: set(agreeing[number]) & bank.answers.get(number, {}).keys()
                     for number, outcome in outcomes.items() if not outcome.passed}
            named = diagnose(outcomes, bank, agree)
            for number, outcome in outcomes.items():
                if not outcome.passed:
                    row = rows[number]
                    row.verdict = FAILED if outcome.answer.status == "ok" else SUBMISSION_BROKE
                    row.score, row.outcome = 0.0, outcome
                    if otherwise and outcome.answer.status == "ok":
                        row.outcome = replace(outcome, answer=answered(
                            rounded_otherwise(outcome.answer.value)))
                    row.unexplained = number not in named and not possible(
                        number, outcomes, bank, agree)
                    row.mistakes = named[number].names if number in named else ()
        return Entry(student, source=student, unnamed=kept(rows.values()),
                     checks={number: {"verdict": row.verdict, "score": row.score,
                                      "points": row.check.points, "message": row.message}
                             for number, row in rows.items()})
