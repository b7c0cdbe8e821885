"""Whatever hidden inputs are drawn, right solutions pass: no draw of a question is unfair.

Answers are computed without isolation, by one process for each solution, so that thousands of draws
take a minute.
"""


import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.judging import judge
from autograder.engine.references import Reference
from tests.grading import FUNCTIONAL, ROOT, SOLUTION, answered

from .answering import question

VARIANTS = Path(__file__).parent / "variants"
OTHERS = sorted((path.name for path in VARIANTS.iterdir() if path.name != "odd"), reverse=True)
MANY = 60  # draws
NOT_SOLVED = "Missing: ", "NotImplementedError: "  # not all of them solve every task

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """`answers(problem, draws, own)`: by check, what a solution answers to each draw."""
    kept: dict[tuple, dict] = {}

    def ask(problem: str, draws: int, *own: Path) -> dict[str, list]:
        key = problem, draws, *own
        if key not in kept:
            path = tmp_path_factory.mktemp("draws") / "answers"
            folders = os.pathsep.join(str(root / problem) for root in (SOLUTION, *own))
            numbers = ",".join(number for number in FUNCTIONAL if number[0] == problem[-1])
            subprocess.run([sys.executable, "-m", "tests.assignment.answering", folders, numbers,
                            str(draws), str(path)], check=True, cwd=ROOT,
                           env={**os.environ, "OMP_NUM_THREADS": "1"})
            kept[key] = pickle.loads(path.read_bytes())
        return kept[key]

    return ask


@pytest.mark.proof
@pytest.mark.parametrize("problem", ASSIGNMENT.problems)
@pytest.mark.parametrize("name", ["solution", *OTHERS])
def test_no_draw_is_unfair(name, problem, answers):
    expected = answers(problem, MANY)
    own = [] if name == "solution" else [VARIANTS / name]
    unfair, tried = [], 0
    for number, found in answers(problem, MANY, *own).items():
        check = ASSIGNMENT.by_number[number]
        for place, (got, want) in enumerate(zip(found, expected[number])):
            if got.get("error", "").startswith(NOT_SOLVED):
                continue
            outcome = judge(check, "hidden", Reference(question(check, place), want.get("value")),
                            answered(got.get("value")))
            tried += 1
            if not outcome.passed:
                unfair.append(f"{number}, draw {place}: {got.get('error') or outcome.error}"[:300])
    print(f"{name}, {problem}: {tried} answers, {len(unfair)} that a check takes for wrong")
    assert unfair == []
    assert tried >= (len(expected) * MANY / 2 if name == "solution" else MANY)
