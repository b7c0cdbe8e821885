"""What `python -m autograder references` does: ask the solution and the known mistakes."""

import argparse
import contextlib
import secrets
import sys
from dataclasses import replace

from datasets import term

from ..assignment import ASSIGNMENT
from ..engine.diagnosis import load_bank, save_bank
from ..engine.messages import show, show_inputs
from ..engine.references import TIERS, BadReferences, References, load_stored, save
from . import bank, building

BITS = 64  # of a hidden seed that is drawn
# Student code sees what follows from the hidden seed. A core that tries a hundred of them a second
# needs centuries for 2**40; fewer are within reach of whoever has many cores.
TRIED = 2**40


def hidden_seed(chosen: int | None) -> int:
    """The seed of hidden inputs: the chosen one, with a warning where it is short, or a fresh one.
    """
    if chosen is not None and chosen < TRIED:
        print(f"warning: the hidden seed {chosen} is short: student code can tell what follows "
              "from it, and it is found by trying. Leave it out, and a long one is drawn",
              file=sys.stderr)
    return secrets.randbits(BITS) if chosen is None else chosen


def run(options: argparse.Namespace) -> int:
    """Ask, and store what was answered; exit code 0."""
    for tier in TIERS if options.tier == "all" else (options.tier,):
        public = term.SEED if options.seed is None else options.seed
        _make_references(options, tier, public if tier == "public" else hidden_seed(options.seed))
    return 0


def _make_references(options: argparse.Namespace, tier: str, seed: int) -> None:
    """Ask the solution, and on public inputs the known mistakes, what is not stored yet."""
    folder, made = ASSIGNMENT.references, {"profile": options.profile}
    former, changed = None, None
    if tier == "public":
        with contextlib.suppress(BadReferences):
            former = load_stored(tier, folder)
        if former is not None and not options.all and (
                former.made["seed"], former.made["profile"]) == (seed, options.profile):
            changed = building.stale(ASSIGNMENT, former)
    references = building.build(ASSIGNMENT, options.solution, tier, seed, made, changed)
    asked = len(references.by_number)
    if former is not None:
        _confirm([number for number in references.by_number if number not in former.by_number],
                 references, options.yes)
    if former is not None and changed is not None:
        stored = {**former.by_number, **references.by_number}
        references = replace(references, by_number={
            check.number: stored[check.number] for check in ASSIGNMENT.every_check})
    paths = save(references, folder)
    print(f"{tier} references for seed {seed}: {asked} of {len(references.by_number)} checks "
          f"asked, {sum(path.stat().st_size for path in paths) / 1e6:.1f} MB in {folder}")
    if tier == "public":
        known, asked = bank.refresh(load_bank(folder), options.solution, references, changed)
        size = sum(path.stat().st_size for path in save_bank(known, folder))
        print(f"known mistakes: {asked} of {len(known.digests)} asked, answers of "
              f"{len(known.known)} kept, {size / 1e6:.1f} MB")


def _confirm(numbers: list[str], references: References, yes: bool) -> None:
    """Show what the solution answers to new checks, since that becomes the truth. ValueError where
    the author of the checks does not say that it is right."""
    for number in numbers:
        reference = references.by_number[number]
        print(f"new check {number}\n  asked:   {show_inputs(reference.question) or 'see its probe'}"
              f"\n  answers: {show(reference.expected)}")
    if numbers and not yes and not (sys.stdin.isatty() and input(
            "Are these answers right? They become the truth [y/N] ").lower().startswith("y")):
        raise ValueError("nothing is stored: work the answers out by hand, and say --yes if they "
                         "are right (make references YES=1)")
