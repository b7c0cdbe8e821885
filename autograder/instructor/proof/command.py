"""What `python -m autograder prove` and `audit` do.

A proof has four parts, each of which says what it does not prove.
"""

import argparse
import difflib
import json
import os
import secrets
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ... import KIT
from ...assignment import ASSIGNMENT
from ...assignment.mistakes import all_mistakes
from ...assignment.tasks import TASKS
from ...engine.command import Bar
from ...engine.diagnosis import load_bank
from ...engine.files import write_whole
from ...engine.references import References, load
from ...engine.sandbox import pool
from .mistakes import failures, lost_by_solution, prove, summary, write
from .spread import Spread, Tried, over_draws, over_images, partly_right, repeat

SOLUTION = KIT / "solution"
SLOTS = max(1, min(4, os.cpu_count() or 1))  # mutants side by side
REPEATS = 50
SPREAD = 20  # draws of hidden inputs, and submissions that are right in part


def run(options: argparse.Namespace) -> int:
    """Run the parts that are named, or all of them; exit code 1 where something is not proven."""
    references = load(ASSIGNMENT, "public")
    parts = {"mistakes": _mistakes, "mutants": _mutants, "repeats": _repeats, "spread": _spread}
    chosen = [name for name in parts if getattr(options, name) not in (None, False)] or list(parts)
    wrong = [line for name in chosen for line in parts[name](options, references)]
    for line in wrong:
        print(f"not proven: {line}")
    return 1 if wrong else 0


def _told(found: Any, stored: dict[str, Any], path: Path) -> list[str]:
    """Print what a part has found, write it down, and return what it does not prove."""
    print("\n".join(found.summary()))
    write_whole(path, json.dumps(stored, indent=1) + "\n")
    print(f"wrote {path}")
    return found.failures()


def _mistakes(options: argparse.Namespace, references: References) -> list[str]:
    bank = load_bank(ASSIGNMENT.references)
    if bank is None:
        raise ValueError("there is no bank of known mistakes: "
                         "run `python -m autograder references`")
    known, names = all_mistakes(), options.mistakes.split(",") if options.mistakes else []
    for name in names:
        if name not in known:
            near = ", ".join(difflib.get_close_matches(name, known)) or "none"
            raise ValueError(f"there is no known mistake {name!r}; names that come near: {near}")
    chosen = [known[name] for name in names] or [*known.values()][::options.sample]
    print(f"trying {len(chosen)} known mistakes", file=sys.stderr)
    with pool.Workers(ASSIGNMENT) as workers:
        proved = list(Bar(prove(chosen, references, bank, SOLUTION, workers),
                          desc="mistakes", unit="mistake", total=len(chosen)))
        own = [] if names else lost_by_solution(references, SOLUTION, workers)
    print("\n".join(summary(proved)))
    paths = write(proved, options.out / options.mistakes[:100] if names else options.out)
    print(f"wrote {', '.join(map(str, paths))}")
    return failures(proved) + own


def _mutants(options: argparse.Namespace, references: References) -> list[str]:
    from . import excuses, mutation, survival  # they need what only the tests install

    excused, mutants = excuses.excuses_of_solution(SOLUTION), mutation.mutants_of_solution(SOLUTION)
    chosen = mutants if options.sample == 1 else survival.sample(mutants, excused, options.sample)
    with pool.Workers(ASSIGNMENT, SLOTS) as workers:
        tried = survival.try_out(SOLUTION, chosen, references, workers)
    found = survival.Survival(mutants, excused, tried)
    return _told(found, found.stored(), options.out / "mutants.json")


def _repeats(options: argparse.Namespace, references: References) -> list[str]:
    with pool.Workers(ASSIGNMENT, 1) as one, pool.Workers(ASSIGNMENT, 2) as two:
        found = repeat(SOLUTION, references, max(2, REPEATS // options.sample), (one, two))
    return _told(found, asdict(found), options.out / "repeats.json")


def _spread(options: argparse.Namespace, references: References) -> list[str]:
    from tests.assignment import styles

    times = max(2, SPREAD // options.sample)
    with (tempfile.TemporaryDirectory(prefix="spread-") as folder,
          pool.Workers(ASSIGNMENT) as workers):
        submissions = {"the solution": Tried(SOLUTION, frozenset(TASKS), right=True)}
        for name in [*styles.STYLES][::options.sample]:
            submissions[name] = Tried(styles.write(name, Path(folder) / name),
                                      frozenset(styles.STYLES[name].split()), right=True)
        submissions |= partly_right(SOLUTION, Path(folder), times)
        seeds = [secrets.randbelow(2**31) for _ in range(times)]
        full, scores = over_draws(submissions, SOLUTION, references, seeds, workers)
        right = [name for name, tried in submissions.items() if tried.right]
        found = Spread(scores, right, full, over_images(SOLUTION, references, workers))
    return _told(found, asdict(found), options.out / "spread.json")


def audit(options: argparse.Namespace) -> int:
    """Look for what no check asks; exit code 1 where something is found."""
    from tests.assignment.audited import FUNCTIONS
    from tests.assignment.wrong import VARIANTS

    from . import audit as auditing
    from . import survival

    names = options.functions.split(",") if options.functions else list(FUNCTIONS)
    if unknown := set(names) - set(FUNCTIONS):
        raise ValueError(f"no function {', '.join(unknown)}: there are {', '.join(FUNCTIONS)}")
    folder = KIT / "tests" / "assignment" / "variants"
    others = {path.name: path for path in sorted(folder.iterdir()) if path.name != "odd"}
    references = load(ASSIGNMENT, "public")
    with pool.Workers(ASSIGNMENT, SLOTS) as workers:
        found = auditing.audit(
            {name: FUNCTIONS[name] for name in names}, SOLUTION, others,
            auditing.variants(SOLUTION, VARIANTS), lambda several: (
                verdict.check is not None
                for verdict in survival.try_out(SOLUTION, several, references, workers)),
            options.tries, options.seed)
    print("\n".join(found.summary()))
    if options.case:
        print(*map(auditing.add_case, found.gaps + found.unasked), sep="\n")
    return 1 if found.gaps or found.unasked else 0
