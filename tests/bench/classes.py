"""What a class takes, and how well mistakes without a name are told apart."""

import shutil
import tempfile
import time
from pathlib import Path

from autograder import KIT
from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import all_mistakes, make
from autograder.engine.diagnosis import load_bank
from autograder.engine.references import load
from autograder.engine.sandbox.pool import Workers
from autograder.instructor.classroom.intake import Handed, Submitter
from autograder.instructor.quiz import sheets
from tests.bench.measuring import PYTHON, run
from tests.simulated_class import Class

SOME, CLASS = 40, 300  # submissions


def make_class(folder: Path, count: int) -> None:
    """Submissions in the bank's mistakes, every tenth a starter in which one file is written."""
    mistakes = list(all_mistakes().values())
    for index in range(count):
        submission = folder / f"student-{index:03d}"
        if index % 10 == 9:
            shutil.copytree(KIT / "starter", submission)
            shutil.copy(KIT / "solution/problem1/utils.py", submission / "problem1")
        else:
            make(mistakes[index * 37 % len(mistakes)], KIT / "solution", submission)
        for problem in ASSIGNMENT.problems:
            if not (submission / problem).is_dir():
                shutil.copytree(KIT / "solution" / problem, submission / problem)
            shutil.rmtree(submission / problem / "results", ignore_errors=True)


def bench_classroom(whole: bool) -> None:
    """Functional checks of a class, one and two at a time, and by a fresh process each.

    Args:
        whole: grade a class of 300 as well, and estimate nothing.
    """
    with tempfile.TemporaryDirectory() as name:
        def seconds(count: int, jobs: int) -> float:
            submissions = Path(name) / f"submissions-{count}"
            if not submissions.exists():
                make_class(submissions, count)
            return run(
                PYTHON, "-m", "autograder", "classroom", str(submissions), "--functional",
                "--jobs", str(jobs), "--out", f"{name}/grades-{count}-{jobs}",
                "--no-require-isolation")[0]

        one, two = seconds(SOME, 1), seconds(SOME, 2)
        # Starting two warm servers and writing class.html is paid once, however many there are.
        least = seconds(2, 2)
        each = (two - least) / (SOME - 2)
        everyone = seconds(CLASS, 2) if whole else least + (CLASS - 2) * each
        fresh = [run(PYTHON, "-m", "autograder", "grade", str(path), "--jobs", "1")[0]
                 for path in sorted(Path(name, f"submissions-{SOME}").iterdir())[:10:3]]
    print(f"classroom, functional checks of {SOME} submissions: {60 * SOME / one:.1f} a minute "
          f"with one job, {60 * SOME / two:.1f} with two: {one / two:.2f}x faster; "
          f"{60 * len(fresh) / sum(fresh):.1f} a minute by a fresh process each")
    print(f"classroom, {CLASS} submissions with two jobs: {everyone / 60:.1f} minutes"
          f"{'' if whole else ', estimated'} (two submissions {least:.1f} s, every further one "
          f"{each:.2f} s; target: under 10 minutes on 2 cores)")


def bench_bank() -> None:
    """Classes of 300 that make known mistakes, a fifth of which is hidden from the bank."""
    bank, public = load_bank(ASSIGNMENT.references), load(ASSIGNMENT, "public")
    begin, made, back, found, mixed = time.perf_counter(), 0, 0, 0, 0
    for seed in range(5):
        result = Class(bank, public, seed).run(CLASS)
        made, back = made + len(result.made), back + len(result.back)
        found, mixed = found + len(result.clusters), mixed + len(result.mixed)
        for name in sorted(result.made - result.back):
            print(f"bank: {name} does not come back in class {seed}")
    print(f"bank, 5 classes of {CLASS}, a fifth of the bank hidden: {back} of {made} hidden "
          f"mistakes that two or more make come back ({back / made:.1%}; target: 95 %); {mixed} "
          f"of {found} clusters mix mistakes; {(time.perf_counter() - begin) / 5:.1f} s a class")


def bench_quiz() -> None:
    """Sheets of five questions for 300 students."""
    begin = time.perf_counter()
    with Workers(ASSIGNMENT) as workers:
        drawn = sheets.drawn(7, "standard", KIT / "solution", workers)
        ready = time.perf_counter() - begin
        students = [Submitter(f"student-{number}") for number in range(CLASS)]
        made = [sheets.sheet(student, Handed((student,), KIT / "solution"), drawn, 5, 7, workers)
                for student in students]
    print(f"quiz: {sum(len(sheet.asked) for sheet in made)} questions to {CLASS} students in "
          f"{time.perf_counter() - begin:.0f} s (target: under 120), {ready:.0f} of them for wrong "
          "options")
