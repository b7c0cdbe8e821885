"""Mistakes that the bank does not know: wrong answers that several submissions share.

Two answers are the same if their check takes each for the other, within its tolerance. One answer
alone may be that of two mistakes. So submissions make a cluster if they have all shared answers to
the checks of a function in common. Where other mistakes are made beside it, and no submission is
like another in all of them, those with one answer in common make a cluster.
"""

import base64
import json
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...assignment import ASSIGNMENT
from ...engine import diagnosis
from ...engine.check import order
from ...engine.messages import show, show_inputs
from ...engine.points import task_of
from ...engine.references import Reference
from ...engine.results import Row
from ...engine.sandbox import wire
from ...engine.sandbox.bounded import Bounded, Fault, OutOfBounds
from ...engine.sandbox.channel import Answer
from .entry import Entry
from .statistics import graded

MAX_KEPT = 300_000  # bytes of an answer in an entry; those of images and heatmaps have as many
LEAST = 2  # submissions that make a cluster

Alike = Callable[[str, Sequence[Answer]], Sequence[tuple[int, str]]]
Shown = tuple[str, int]  # a check, and which of the answers to it
Answers = frozenset[Shown]


@dataclass(frozen=True)
class Unnamed:
    """A mistake without a name.

    Args:
        came: number of each check that shows it, in order -> how the answer reads.
        entries: of the students who made it.
        smallest: the check with the smallest input.
        asked, expected: its call, where that is short, and the right answer.
    """

    came: dict[str, str]
    entries: list[Entry]
    smallest: str
    asked: str
    expected: str

    @property
    def task(self) -> str:
        """The task that it is made in."""
        return task_of(self.smallest)


def kept(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """The wrong answers of a grade that have no name, by check number, as they are stored.

    Nothing is looked into: they are bytes that a submission has sent.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        answer = row.outcome.answer if row.unexplained and row.outcome is not None else None
        if answer is not None and answer.status == "ok" and answer.frame:
            packed = zlib.compress(answer.frame)
            if len(packed) <= MAX_KEPT:
                found[row.check.number] = {"frame": base64.b64encode(packed).decode()}
        elif answer is not None and answer.status == "error" and answer.error:
            if answer.error["stage"] == "run" and answer.error["type"] != "NotImplementedError":
                found[row.check.number] = {"error": answer.error}
    return found


def restored(stored: Mapping[str, Any]) -> Answer:
    """The answer that is stored, see `kept`."""
    if "error" in stored:
        return Answer("error", error=stored["error"])
    return Answer("ok", zlib.decompress(base64.b64decode(stored["frame"])))


def find(entries: Sequence[Entry], references: Mapping[str, Reference]) -> list[Unnamed]:
    """The clusters of a class, the largest first, given the public references by check number."""
    with tempfile.TemporaryDirectory(prefix="answers-") as folder, closing(
            Bounded(ASSIGNMENT.package, Path(folder))) as bounded:
        def alike(number: str, answers: Sequence[Answer]) -> Sequence[tuple[int, str]]:
            try:
                return list(bounded.call(f"{diagnosis.__name__}.alike_apart", ASSIGNMENT.package,
                                         number, references[number], answers))
            except (OutOfBounds, Fault):  # one of them was made to keep the check busy
                return [(place, "") for place in range(len(answers))]

        return clusters(entries, references, alike)


def clusters(entries: Sequence[Entry], references: Mapping[str, Reference],
             alike: Alike) -> list[Unnamed]:
    """As `find`; `alike` says which answers to a check are the same (`diagnosis.alike_apart`)."""
    works: defaultdict[str, list[Entry]] = defaultdict(list)  # a group hands in one
    for entry in graded(entries):
        works[entry.source or entry.student].append(entry)
    shared, reads = _shared({work: own[0] for work, own in works.items()}, alike)
    made: defaultdict[Answers, list[str]] = defaultdict(list)
    for work, answers in shared.items():
        by_function: defaultdict[tuple[str, str], set[Shown]] = defaultdict(set)
        for number, first in answers.items():
            by_function[task_of(number), references[number].question.asked].add((number, first))
        for shown in by_function.values():
            made[frozenset(shown)].append(work)
    alone: defaultdict[Answers, list[str]] = defaultdict(list)
    for signature, who in made.items():
        for answer in signature if len(who) < LEAST else ():
            alone[frozenset([answer])] += who
    # Where the same works show it in several checks or functions of a task, it is one mistake.
    together: defaultdict[tuple[str, frozenset[str]], set[Shown]] = defaultdict(set)
    for signature, who in [*made.items(), *alone.items()]:
        if len(who) >= LEAST:
            task, = {task_of(number) for number, _ in signature}
            together[task, frozenset(who)] |= signature
    found = []
    for (_, authors), everything in together.items():
        came = {number: reads[number, first]
                for number, first in sorted(everything, key=lambda shown: order(shown[0]))}
        smallest = min(came, key=lambda n: sum(wire.size_of(references[n].question.inputs)))
        found.append(Unnamed(
            came, [entry for work in sorted(authors) for entry in works[work]], smallest,
            show_inputs(references[smallest].question), show(references[smallest].expected)))
    return sorted(found, key=lambda each: (-len(each.entries), order(each.smallest),
                                           [*each.came], each.entries[0].student))


def _shared(works: Mapping[str, Entry], alike: Alike
            ) -> tuple[dict[str, dict[str, int]], dict[Shown, str]]:
    """Of each work the answers that another one gives as well, and how every answer reads."""
    shared: defaultdict[str, dict[str, int]] = defaultdict(dict)
    reads: dict[Shown, str] = {}
    for number in sorted({number for entry in works.values() for number in entry.unnamed}):
        giving: defaultdict[str, list[str]] = defaultdict(list)
        for work, entry in works.items():
            if number in entry.unnamed:
                giving[json.dumps(entry.unnamed[number])].append(work)
        same: defaultdict[int, list[str]] = defaultdict(list)
        answers = [restored(json.loads(stored)) for stored in giving]
        for (first, text), who in zip(alike(number, answers), giving.values()):
            same[first] += who
            reads[number, first] = text
        for first, who in same.items():
            for work in who if len(who) >= LEAST else ():
                shared[work][number] = first
    return shared, reads


def draft(mistake: Unnamed) -> str:
    """An entry of the bank, to be filled in."""
    check = ASSIGNMENT.by_number[mistake.smallest]
    name = check.rule.partition(".")[2].replace(".", "-")
    return (f'    mistake(  # seen in {", ".join(mistake.came)}\n'
            f'        "{name}-...", "does ...",\n'
            '        "What goes wrong because of it. What to do instead.",\n'
            f'        "{check.rule}/1", [("passage of the solution", "with the mistake")]),')
