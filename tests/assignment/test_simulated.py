"""Submissions like real ones, with two to twelve known mistakes each: are these named?"""

import random
import re
import shutil
from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import DoesNotApply, all_mistakes
from autograder.engine.diagnosis import BOTH, load_bank
from autograder.engine.grade import Options, grade
from autograder.engine.judging import Judge
from autograder.engine.results import PASSED
from tests.grading import SOLUTION

VARIANTS = Path(__file__).parent / "variants"  # other correct solutions


# One that does what two do together.
SAME = {"ap-unranked": {"ap-list-order", "ap-ranked-image-by-image"}}


def simulated(draw, bank, folder):
    """A submission like real ones: two to twelve departures, in code of another shape than ours.

    Files that no departure is in come from another correct solution.

    Returns:
        names of the departures.
    """
    choice = [m for m in all_mistakes().values() if m.name in bank.known and m.edits]
    made, texts = [], {}
    # Several of them in one task are the rule.
    tasks = draw.sample(sorted({mistake.task for mistake in choice}), draw.randint(1, 5))
    some = [mistake for mistake in choice if mistake.task in tasks]
    for mistake in draw.sample(some, min(len(some), draw.randint(2, 12))):
        try:
            texts |= {name: edit(mistake, name, texts) for name in mistake.edits}
        except DoesNotApply:  # another one has changed the same line
            continue
        made.append(mistake.name)
    style = draw.choice([path for path in VARIANTS.iterdir() if path.name != "odd"])
    for problem in ASSIGNMENT.problems:
        shutil.copytree(SOLUTION / problem, folder / problem,
                        ignore=shutil.ignore_patterns("__pycache__", "results"))
        for path in (style / problem).glob("*.py"):
            shutil.copy(path, folder / problem)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        for other in names_used(text):  # people's own files fit together
            path = folder / Path(name).with_name(f"{other}.py")
            if path.relative_to(folder).as_posix() not in texts and not all(
                    re.search(rf"\b{word}\b", path.read_text(encoding="utf-8"))
                    for word in names_used(text)[other]):
                shutil.copy(SOLUTION / path.relative_to(folder), path)
    return made


def names_used(text):
    """Other file of the problem -> the names of it that the text of a file uses."""
    names = {file: set(re.findall(rf"\b{file}\.(\w+)", text))
             for file in re.findall(r"^import (\w+)$", text, re.M)}
    names |= {file: set(re.findall(r"\w+", given)) for file, given in re.findall(
        r"^from (\w+) import (\([^)]+\)|.+)$", text, re.M)}
    return {file: used for file, used in names.items()
            if any((SOLUTION / problem / f"{file}.py").exists() for problem in ASSIGNMENT.problems)}


def edit(mistake, name, texts):
    """The text of a file with one more mistake in it."""
    text = texts.get(name) or (SOLUTION / name).read_text(encoding="utf-8")
    for old, new in mistake.edits[name]:
        if text.count(old) != 1:
            raise DoesNotApply(mistake.name)
        text = text.replace(old, new)
    return text


@pytest.mark.proof
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("count", [10, 200])
def test_departures_of_simulated_submissions_are_named(count, public, warm, tmp_path):
    bank = load_bank(ASSIGNMENT.references)
    draw, reachable, named, wrong, names = random.Random(count), set(), set(), [], 0
    judge = Judge(ASSIGNMENT, warm.bounded)
    for number in range(count):
        made = simulated(draw, bank, tmp_path / str(number))
        only = {bank.known[name].task for name in made}
        graded = grade(ASSIGNMENT, tmp_path / str(number), Options(only=only), references=[public],
                       workers=warm, bank=bank)
        told = {part for row in graded.rows if len(row.mistakes) == 1
                for part in row.mistakes[0].split(BOTH)}
        among = {part for row in graded.rows for name in row.mistakes for part in name.split(BOTH)}
        for row in graded.rows:  # what shows in a row alone, or together with one other
            shown = {name: answer for name, answer in bank.answers.get(
                row.check.number, {}).items() if name in made and row.verdict != PASSED}
            alone = judge.agreeing(row.outcome, shown) if len(shown) in (1, 2) else set()
            if len(shown) == 2 and not alone:
                pair = {name: answer for name, answer in bank.answers[row.check.number].items()
                        if {*name.split(BOTH)} == {*shown}}
                third = pair and not judge.agreeing(row.outcome, pair)  # plays in, or the style
                alone = {*shown} if not third else set()
            reachable |= {(number, name) for name in alone}
        named |= {(number, name) for name in among}
        names += len(told)
        wrong += [(number, name, made) for name in told
                  if not SAME.get(name, {name}) <= set(made)]
    print(f"{count} submissions: {len(reachable & named)} of {len(reachable)} reachable departures "
          f"named, {len(wrong)} of {names} names wrong")
    # Three in one answer have no name, nor two in large ones (pictures); ten may hold many such.
    assert len(reachable & named) >= (0.9 if count > 10 else 0.8) * len(reachable), (
        reachable - named)
    assert len(wrong) <= max(1, 0.01 * names), wrong
