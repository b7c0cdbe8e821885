"""Make a sheet of questions for every student of a class, and the keys.

Keys come from running the student's own code. Wrong options are what known mistakes answer to the
same question, so that a wrong tick names a misconception, and values near the key.
"""

import contextlib
import hashlib
import html
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...assignment.mistakes import all_mistakes, make
from ...engine.archive import NoSubmission, pack
from ...engine.command import Bar
from ...engine.files import write_whole
from ...engine.pages.rendering import environment
from ...engine.sandbox import wire
from ...engine.sandbox.channel import Answer
from ...engine.sandbox.pool import Inquiry, Workers
from ...engine.submission import Submission
from ..classroom.intake import Handed, Submitter
from ..classroom.tables import write_table
from . import functions, trained
from .kinds import Item, Kind

KINDS = {**functions.KINDS, **trained.KINDS}
DRAWS = 3  # of each kind, shared by a class
OPTIONS = 4
TITLES = 3  # that an option names
CORRECT = "what correct code answers"
LETTERS = "ABCDEFGH"
LONGEST = 120  # characters of an option
MOST = wire.Bounds(2**18, 2**22)  # bytes of an answer
WORKER_SEED = 1
TEMPLATES = environment(Path(__file__).with_name("templates"))


@dataclass(frozen=True)
class Drawn:
    """An item of a class, and what correct code and known mistakes answer: option -> CORRECT, or
    the titles of a few of these."""

    kind: Kind
    item: Item
    wrong: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Asked:
    """A question on the sheet of a student.

    Args:
        options: what may be ticked; key: the place of the right one.
        titles: per option the known mistakes that answer it.
    """

    kind: str
    text: str
    options: tuple[str, ...]
    key: int
    titles: tuple[tuple[str, ...], ...]

    @property
    def letter(self) -> str:
        """Of the right option."""
        return LETTERS[self.key]


@dataclass(frozen=True)
class Sheet:
    """The questions to one student; `problem` says why there are fewer than asked for."""

    student: str
    name: str
    asked: tuple[Asked, ...]
    problem: str = ""


def random(seed: int, *words: str) -> np.random.Generator:
    """A generator for some purpose: the same on every machine."""
    digest = hashlib.sha256("\n".join([str(seed), *words]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def drawn(seed: int, profile: str, solution: Path, workers: Workers) -> list[Drawn]:
    """Draw the items of a class, and ask them of the known mistakes of their tasks."""
    items = [Drawn(kind, kind.draw(random(seed, kind.name, str(number)), profile), {})
             for kind in KINDS.values() for number in range(DRAWS)]
    about_functions = [each for each in items if each.kind.name in functions.KINDS]
    for each, option in _answers(workers.about(Submission(solution, ())), about_functions):
        each.wrong[option] = (CORRECT,)
    tasks = {each.kind.task for each in about_functions}
    known = [mistake for mistake in all_mistakes().values()
             if mistake.task in tasks and mistake.edits]
    for mistake in Bar(known, desc="wrong options", unit="mistake"):
        with tempfile.TemporaryDirectory(prefix="mistake-") as folder:
            inquiry = workers.about(Submission(make(mistake, solution, Path(folder) / "made"), ()))
            answers = _answers(inquiry, [each for each in items if each.kind.task == mistake.task])
        for each, option in answers:
            named = each.wrong.get(option, ())
            if CORRECT not in named:  # else the mistake does not show here
                each.wrong[option] = (*named, mistake.title)[:TITLES]
    return items


def _answers(inquiry: Inquiry, items: Sequence[Drawn]) -> list[tuple[Drawn, str]]:
    """What a submission answers to items; without those that it cannot answer."""
    futures = [_ask(inquiry, each) for each in items]
    shown = [_shown(each.item, future.result()) for each, future in zip(items, futures)]
    return [(each, option) for each, option in zip(items, shown) if option is not None]


def _ask(inquiry: Inquiry, drawn: Drawn) -> "Future[Answer]":
    return inquiry.ask(drawn.item.question, drawn.kind.task, WORKER_SEED, most=MOST)


def _shown(item: Item, answer: Answer) -> str | None:
    """An answer as an option; None where there is none to be asked for."""
    if answer.status != "ok":
        return None
    try:
        shown = item.shown(answer.value)
    except Exception:  # it has another form than the right one, whatever that is
        return None
    return shown if len(shown) <= LONGEST else None


def sheet(student: Submitter, handed: Handed, drawn: Sequence[Drawn], count: int, seed: int,
          workers: Workers) -> Sheet:
    """The sheet of one student (maybe of a group): `count` of the class's items, asked of what was
    handed in."""
    rng = random(seed, "sheet", student.id)
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory(prefix="quiz-") as folder:
        try:
            submission = handed.take_in(Path(folder))
        except NoSubmission as error:
            return Sheet(student.id, student.name, (), str(error))
        inquiry = workers.about(submission)
        waiting = [[each for each in drawn if each.kind.name == name]
                   for name in rng.permutation(sorted({each.kind.name for each in drawn}))]
        while waiting and len(asked) < count:
            batch, waiting = waiting[:count - len(asked)], waiting[count - len(asked):]
            chosen = [kind[rng.integers(len(kind))] for kind in batch]
            futures = [_ask(inquiry, each) for each in chosen]
            made = [_asked(each, future.result(), rng) for each, future in zip(chosen, futures)]
            asked += [question for question in made if question is not None]
    few = f"only {len(asked)} of {count} questions could be made" * (len(asked) < count)
    return Sheet(student.id, student.name, tuple(asked), few)


def _asked(drawn: Drawn, answer: Answer, rng: np.random.Generator) -> Asked | None:
    """The question with its options; None where the answer gives no key, or too few options."""
    key = _shown(drawn.item, answer)
    if key is None:
        return None
    options = list(dict.fromkeys((*drawn.item.choices, key)))
    if not drawn.item.choices:
        mistakes = sorted(rng.permutation(sorted(set(drawn.wrong) - {key})).tolist(),
                          key=lambda option: CORRECT not in drawn.wrong[option])  # never left out
        with contextlib.suppress(Exception):  # as above
            mistakes = [*mistakes[:OPTIONS - 1], *drawn.item.others(answer.value)]
        options = rng.permutation(list(dict.fromkeys([key, *mistakes]))[:OPTIONS]).tolist()
        if len(options) < OPTIONS:
            return None
    return Asked(drawn.kind.name, drawn.item.text, tuple(options), options.index(key),
                 tuple(drawn.wrong.get(option, ()) if option != key else () for option in options))


def write(sheets: Sequence[Sheet], folder: Path, seed: int) -> list[Path]:
    """Write `sheets.html` to print, `keys.csv`, `quiz.gift` for Moodle, and `quiz.zip` (QTI 1.2)
    for Canvas."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [[each.student, each.name, number, asked.kind, asked.letter, asked.options[asked.key],
             "; ".join(f"{LETTERS[i]}: {' or '.join(titles)}"
                       for i, titles in enumerate(asked.titles) if titles)]
            for each in sheets for number, asked in enumerate(each.asked, 1)]
    write_table(folder / "keys.csv", ["student", "name", "item", "kind", "key", "answer",
                                      "wrong options"], rows)
    content: dict[str, str | bytes] = {
        "sheets.html": TEMPLATES.get_template("sheets.html").render(sheets=sheets, seed=seed),
        "quiz.gift": "\n".join(line for each in sheets for line in _gift(each)),
        "quiz.zip": _qti(sheets, seed)}
    for name, text in content.items():
        write_whole(folder / name, text)
    return [folder / name for name in ("keys.csv", *content)]


def told(titles: Sequence[str]) -> str:
    """Which code gives an option."""
    return (f"This is {CORRECT}." if CORRECT in titles else
            f"Code that {' or '.join(titles)} answers this.")


def as_html(text: str) -> str:
    """Text as HTML, which a file of another format is still to hold."""
    return html.escape(text, False).replace("\n", "<br>")


TEMPLATES.filters |= {"as_html": as_html, "told": told}
TEMPLATES.globals["LETTERS"] = LETTERS


def _qti(sheets: Sequence[Sheet], seed: int) -> bytes:
    """A package of QTI 1.2 with an assessment per student, as Canvas imports it. With one of the
    same name, Canvas would replace an earlier quiz."""
    names = {f"sheet-{seed}-{place}": sheet for place, sheet in enumerate(sheets, 1)}
    files = {f"{name}/{name}.xml": TEMPLATES.get_template("qti.xml").render(name=name, sheet=sheet)
             for name, sheet in names.items()}
    files["imsmanifest.xml"] = TEMPLATES.get_template("imsmanifest.xml").render(names=names)
    return pack({name: text.encode() for name, text in files.items()})


def _gift(sheet: Sheet) -> Iterable[str]:
    """One category per student, in Moodle's GIFT format."""
    def plain(text: str) -> str:
        return "".join(f"\\{c}" if c in "~=#{}:\\" else c for c in as_html(text))

    yield f"$CATEGORY: {sheet.student}\n"
    for number, asked in enumerate(sheet.asked, 1):
        yield f"::{plain(f'{sheet.student} {number}')}::[html]{plain(asked.text)} {{"
        for place, (option, titles) in enumerate(zip(asked.options, asked.titles)):
            note = f" #{plain(told(titles))}" if titles else ""
            yield f"{'=' if place == asked.key else '~'}{plain(option)}{note}"
        yield "}\n"
