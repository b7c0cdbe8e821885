"""Classes made of the kit's own checks and known mistakes.

Every student draws mistakes of the bank, weak students more of them, and loses the checks that the
bank says each one answers wrongly.
"""

import hashlib

import numpy as np

from autograder.assignment import ASSIGNMENT
from autograder.assignment.tasks import TASKS
from autograder.engine.diagnosis import load_bank
from autograder.engine.results import FAILED, PASSED, SUBMISSION_BROKE
from autograder.engine.results import GRADER_BROKE as CHECK_BROKE
from autograder.instructor.classroom.entry import GRADER_BROKE, NO_SUBMISSION, Entry

FIRST = ("Ada", "Björn", "Chiamaka", "Daniel", "Élodie", "Fatima", "Giorgos", "Hye-jin", "Ivan",
         "Jun", "Kübra", "Liam", "Maria del Carmen", "Nguyễn", "Olu", "Priya", "Ragnhild", "Søren",
         "Tomasz", "Uma", "Vivian", "Wei", "Ximena", "Yusuf", "Zoë")
LAST = ("Abernathy", "Bianchi", "Cohen", "Díaz", "Eriksen", "Featherstonehaugh-Wolfeschlegel",
        "García", "Haddad", "Ito", "Jensen", "Kowalski", "Lindqvist", "Müller", "Nakamura",
        "O'Brien", "Papadopoulos", "Quispe", "Rossi", "Şahin", "Tran", "Usman", "Vo", "Wu",
        "Xu", "Yıldız", "Zhang")
VERSION = {"checks": "1f0c5a9be2d7", "references": "77ab03c4d911", "tiers": "public hidden",
           "only": ""}
ACCURACY = {check.number: check.measured.title for check in ASSIGNMENT.checks
            if check.measured and check.measured.per_image}


def generated(count: int, seed: int = 0) -> list[Entry]:
    """A class of `count` students; of 300 the last six handed in nothing, or broke the grader."""
    rng = np.random.default_rng(seed)
    bank, checks = load_bank(ASSIGNMENT.references), ASSIGNMENT.checks
    wrong: dict[str, list[str]] = {}  # mistake -> checks that it fails
    for number, answers in bank.answers.items():
        for name in answers:
            wrong.setdefault(name, []).append(number)
    by_task = {task: [name for name, known in bank.known.items() if known.task == task]
               for task in TASKS}
    popular = {task: rng.dirichlet(np.full(len(names), 0.5)) if names else None
               for task, names in by_task.items()}
    entries = []
    for i in range(count):
        name = f"{FIRST[i % len(FIRST)]} {LAST[7 * i % len(LAST)]}"
        who = {"student": f"sub-{7_000_000 + 37 * i}", "name": name, "version": VERSION,
               "email": f"student{i}@university.example",
               "source": hashlib.sha256(f"{seed} {i}".encode()).hexdigest()}
        if i % 100 == 98:
            entries.append(Entry(**who, status=NO_SUBMISSION, error="the zip holds no problem1/"))
            continue
        skill = rng.beta(4, 2.5)
        made, blank = [], set()
        for task, names in by_task.items():
            if names and rng.random() > 0.1 + 0.85 * skill:
                made.append(str(rng.choice(names, p=popular[task])))
            elif rng.random() > 0.9 + 0.1 * skill:
                blank.add(task)
        failed = {number for mistake in made for number in wrong[mistake]}
        rows, accuracies = {}, {}
        for check in checks:
            share, verdict, message = 1.0, PASSED, "Passed."
            if check.number in ACCURACY:
                measured = float(np.clip(rng.normal(0.35 + 0.6 * skill, 0.08), 0, 0.997))
                claimed = np.clip(measured + rng.normal(0, 0.03), 0, 1)
                if rng.random() < 0.02:
                    claimed = 0.99
                accuracies[check.number] = {
                    "name": ACCURACY[check.number], "measured": round(measured, 3),
                    "claimed": [["metrics.json: value", round(float(claimed), 3)]]}
                share = float(np.clip(round((measured - 0.4) / 0.4 * 4) / 4, 0, 1))
                verdict = PASSED if share == 1 else FAILED
            elif check.task_number in blank:
                share, verdict, message = 0.0, SUBMISSION_BROKE, "Not written yet."
            elif check.number in failed or rng.random() > 0.97 + 0.03 * skill:
                share, verdict, message = 0.0, FAILED, "Something differs."
            rows[check.number] = {"verdict": verdict, "score": share * check.points,
                                  "points": check.points, "message": message}
        mistakes = {name: wrong[name] for name in made if rng.random() < 0.9}
        spent = {"seconds": round(float(rng.gamma(9, 2)), 2),
                 "cpu_seconds": round(float(rng.gamma(9, 1.2)), 2),
                 "peak_mb": round(float(rng.normal(420, 25)), 1)}
        if i % 100 == 99:
            rows["1.19.5"].update(verdict=CHECK_BROKE, score=0.0)
        entries.append(Entry(
            **who, **spent, checks=rows, mistakes=mistakes, accuracies=accuracies,
            status=GRADER_BROKE if i % 100 == 99 else "graded",
            error="a worker could not be started" if i % 100 == 99 else "",
            score=sum(row["score"] for row in rows.values()),
            possible=sum(check.points for check in checks)))
    return entries
