"""Reference outputs as data: the solution is run once over seeded questions.

A set of references (a tier: public or hidden) is `<tier>.json` beside `<tier>.npz`: for every check
the question that is asked and what the solution answered. Students get the public set; neither set
holds code. The data profile, grading images, floors and targets belong to the set.
"""

import json
import os
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import wire
from .catalogue import all_checks
from .compare import Wrong
from .questions import Check, Question
from .submission import take_in
from .workers import Workers

FOLDER = Path(__file__).resolve().parent / "references"
TIERS = ("public", "hidden")


class BadReferences(ValueError):
    """The stored references cannot be used; the message is one line that says what to run."""


@dataclass(frozen=True)
class Reference:
    """One check's question and the solution's answer to it."""

    question: Question
    expected: Any


@dataclass(frozen=True)
class References:
    """A tier's references by check number, and how they were made."""

    tier: str
    made: dict[str, Any]
    by_number: dict[str, Reference]


def generator(seed: int, tier: str, number: str) -> np.random.Generator:
    """The random stream of one check: independent of all others, the same on every machine."""
    return np.random.default_rng([seed, zlib.crc32(f"{tier}/{number}".encode())])


def build(solution: Path, tier: str, seed: int, made: dict[str, Any], progress=iter) -> References:
    """Ask the solution every check's question.

    Args:
        made: what is recorded about the set, for example profile and seed; checks that draw
            grading images read it (`ask(rng, made)`).

    Raises:
        Wrong: the solution could not answer.
    """
    checks = all_checks()
    questions = {check.number: _ask(check, seed, tier, made) for check in checks}
    by_number = {}
    with (tempfile.TemporaryDirectory(prefix="references-") as folder,
          Workers(take_in(solution, Path(folder))) as workers):
        futures = {check.number: workers.ask(questions[check.number], check.task,
                                             worker_seed(check.number)) for check in checks}
        for check in progress(checks):
            answer = futures[check.number].result()
            if answer.status != "ok":
                raise Wrong(f"check {check.number}: the solution gave no answer ({answer.status}): "
                            f"{answer.error or answer.detail}")
            question = questions[check.number]
            derive = getattr(check.ask, "derive", None)
            expected = derive(answer.value, question) if derive else answer.value
            by_number[check.number] = Reference(question, expected)
    return References(tier, {**made, "seed": seed}, by_number)


def _ask(check: Check, seed: int, tier: str, made: dict[str, Any]) -> Question:
    rng = generator(seed, tier, check.number)
    if getattr(check.ask, "needs_data", False):
        return check.ask(rng, made)
    return check.ask(rng)


def worker_seed(number: str) -> int:
    """What student code's random generators are seeded with before a check."""
    return zlib.crc32(number.encode())


def save(references: References, folder: Path = FOLDER) -> list[Path]:
    """Write both files of a tier; each is replaced whole."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {
        number: {**{key: getattr(r.question, key) for key in
                    ("problem", "probe", "inputs", "truth", "results", "cpu_seconds")},
                 "expected": r.expected}
        for number, r in references.by_number.items()
    }
    tree, arrays = wire.flatten(entries)
    content = {"made": references.made, "checks": dict(tree["dict"])}
    text = json.dumps(content, indent=None, separators=(",", ":"), allow_nan=False)
    text = text.replace(',"', ',\n"')  # line by line, so that versions can be compared
    paths = [folder / f"{references.tier}.json", folder / f"{references.tier}.npz"]
    partial = [path.with_name(path.name + ".partial") for path in paths]
    partial[0].write_text(text + "\n", encoding="utf-8", newline="\n")
    with partial[1].open("wb") as file:
        np.savez_compressed(file, **{f"a{i}": array for i, array in enumerate(arrays)})
    for source, target in zip(partial, paths):
        if references.tier == "hidden":
            source.chmod(0o600)
        os.replace(source, target)
    return paths


def load(tier: str, folder: Path = FOLDER) -> References:
    """Read a tier.

    Raises:
        BadReferences: missing, damaged, or made for other checks than this version's.
    """
    remedy = f"run `python -m autograder references --tier {tier}`"
    try:
        content = json.loads((folder / f"{tier}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"{tier}.npz", allow_pickle=False) as stored:
            arrays = [stored[f"a{i}"] for i in range(len(stored.files))]
        by_number = {}
        for number, tree in content["checks"].items():
            entry = wire.unflatten(tree, arrays)
            expected = entry.pop("expected")
            by_number[number] = Reference(Question(**entry), expected)
    except FileNotFoundError:
        raise BadReferences(f"there are no {tier} references in {folder}: {remedy}") from None
    except Exception as error:
        raise BadReferences(
            f"the {tier} references in {folder} are damaged ({type(error).__name__}): {remedy}"
        ) from None
    lacking = [check.number for check in all_checks() if check.number not in by_number]
    if lacking:
        raise BadReferences(f"the {tier} references lack check {lacking[0]}: {remedy}")
    return References(tier, content["made"], by_number)

