"""What a class should hear again, and a guide for those who help: the bank beside what was made."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import KIT
from ...assignment import ASSIGNMENT
from ...assignment.figures import DRAW
from ...engine.compare import Wrong
from ...engine.diagnosis import Bank, Known, load_bank
from ...engine.files import write_whole
from ...engine.judging import Outcome, judge
from ...engine.messages import show, show_inputs
from ...engine.pages.canvas import Figure
from ...engine.pages.figures import figure_of
from ...engine.pages.rendering import markdown
from ...engine.points import task_of
from ...engine.references import References, load
from ...engine.sandbox import wire
from ...engine.sandbox.channel import Answer
from .entry import Entry
from .statistics import by_mistake, lost_per_task, points_table, students

GUIDE = "guide.md"
MOST = 5  # mistakes to teach again
HOURS = KIT / "handout" / "text" / "1-start.md"  # has a table of tasks and hours
TEMPLATES = markdown(Path(__file__).with_name("templates"))
RUBRIC = KIT / "autograder" / "instructor" / "rubric.md"
HALVES = str.maketrans({"½": ".5", "¼": ".25", "¾": ".75"})


@dataclass(frozen=True)
class Lesson:
    """A known mistake that a class made, with a worked example.

    Args:
        entries: who made it; points: that it cost them all.
        number: of the check that shows it best, "" where none does.
        asked, expected, came: its call, the right answer and the mistaken one; where an answer is
            too long to read, `asked` is the check's sentence, `expected` "", and `came` what the
            check says of the answer, with the call where that can be read.
        outcome: of that check, where the mistake answers anything.
    """

    known: Known
    entries: list[Entry]
    points: float
    number: str = ""
    asked: str = ""
    expected: str = ""
    came: str = ""
    outcome: Outcome | None = None

    @property
    def figure(self) -> Figure | None:
        """Inputs and answers as a picture, where one is drawn of such a check."""
        return figure_of(self.outcome, ASSIGNMENT)


@functools.cache
def kept() -> tuple[References, Bank]:
    """The public references and the known mistakes, which are read once."""
    return load(ASSIGNMENT, "public"), load_bank(ASSIGNMENT.references) or Bank({}, {}, {})


def lessons(entries: Sequence[Entry]) -> list[Lesson]:
    """The known mistakes that a class made, those that cost most points first."""
    _, bank = kept()
    found = []
    for name, who in by_mistake(entries).items():
        if name in bank.known:
            cost = sum(entry.checks[number]["points"] - entry.checks[number]["score"]
                       for entry in who for number in entry.mistakes[name])
            found.append(Lesson(bank.known[name], who, cost, *_example(name)))
    return sorted(found, key=lambda lesson: (-lesson.points, lesson.known.name))


@functools.cache  # the page and the guide of a class show the same ones
def _example(name: str) -> tuple[str, str, str, str, Outcome | None]:
    """Check, call, right and mistaken answer of the best example, see `Lesson`: the shortest one
    that can be read, else one that is drawn."""
    references, bank = kept()
    found = []
    for number, answers in bank.answers.items():
        if name in answers and number in ASSIGNMENT.by_number:
            check, reference, stored = (ASSIGNMENT.by_number[number], references.by_number[number],
                                        answers[name])
            outcome, said = None, str(stored.get("error", ""))
            if "value" in stored:
                outcome = judge(check, "public", reference,
                                Answer("ok", wire.pack({"value": stored["value"]})))
                said = str(outcome.error) if isinstance(outcome.error, Wrong) else ""
            asked, expected = show_inputs(reference.question), show(reference.expected)
            came = show(stored["value"]) if "value" in stored else said
            call = asked if "tensor [" not in asked else ""
            readable = bool(call and came != expected and "tensor [" not in expected)
            texts = (call, expected, came) if readable else (
                check.sentence, "", f"{said} Asked: {call}" if call else said)
            drawn = outcome is not None and reference.question.asked in DRAW
            found.append(((not readable, not call, not drawn, len("".join(texts))),
                          (number, *texts, outcome)))
    return min(found, key=lambda one: one[0], default=((), ("", "", "", "", None)))[1]


def hours() -> dict[str, float]:
    """Task number -> hours that the handout gives it."""
    found: dict[str, float] = {}
    for tasks, times in re.findall(r"^\| (.*\d\.\d.*) \| ([\d½¼¾, ]+) \|$",
                                   HOURS.read_text(encoding="utf-8"), re.M):
        for part, time in zip(tasks.split(","), times.split(",")):
            numbers = re.findall(r"\d\.\d+", part)
            found |= {number: float(time.translate(HALVES)) / len(numbers) for number in numbers}
    return found


def write_guide(entries: Sequence[Entry], path: Path) -> None:
    """Write the guide: per task what is asked, what this class got wrong, and what to answer."""
    made, (_, bank) = lessons(entries), kept()
    names = {lesson.known.name for lesson in made}
    rules: dict[str, dict[str, str]] = {}
    for check in ASSIGNMENT.checks:
        rules.setdefault(check.task_number, {})[check.rule] = ASSIGNMENT.rules.get(check.rule, "")
    write_whole(path, TEMPLATES.get_template(GUIDE).render(
        rules=rules, graded={task_of(number) for entry in entries for number in entry.checks},
        tasks=ASSIGNMENT.tasks, hints=ASSIGNMENT.hints, hours=hours(),
        made={task: [lesson for lesson in made if lesson.known.task == task] for task in rules},
        others={task: [one.title for one in bank.known.values()
                       if one.task == task and one.name not in names] for task in rules},
        lost=lost_per_task(points_table(entries)), students=students,
        rubric=RUBRIC.read_text(encoding="utf-8").partition("\n\n")[2].replace("\n## ", "\n### "),
        points={task: sum(check.points for check in ASSIGNMENT.selected(task)) for task in rules}))
