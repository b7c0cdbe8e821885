"""Reference outputs as data: the solution is run once over seeded questions.

A set of references (a tier: public or hidden) is `<tier>.json` beside `<tier>.npz`: for every check
the question that is asked and what the solution answered. Students get the public set; neither set
holds code. The data profile, grading images, floors and targets belong to the set.
"""

import contextlib
import json
import os
import tempfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import version, wire
from .catalogue import all_checks, selected
from .compare import Wrong
from .points import follows
from .questions import Check, Question
from .submission import take_in
from .tasks import earlier_functions
from .workers import Workers

FOLDER = Path(__file__).resolve().parent / "references"
TIERS = ("public", "hidden")


class BadReferences(ValueError):
    """The stored references cannot be used; the message is one line that says what to run."""


@dataclass(frozen=True)
class Reference:
    """One check's question and the solution's answer to it.

    Args:
        earlier: what functions of earlier tasks gave on the way, by name (see `worker.earlier`).
    """

    question: Question
    expected: Any
    earlier: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class References:
    """A tier's references by check number, and how they were made."""

    tier: str
    made: dict[str, Any]
    by_number: dict[str, Reference]


def generator(seed: int, tier: str, number: str) -> np.random.Generator:
    """The random stream of one check: independent of all others, the same on every machine."""
    return np.random.default_rng([seed, zlib.crc32(f"{tier}/{number}".encode())])


def build(solution: Path, tier: str, seed: int, made: dict[str, Any], progress=iter,
          only: str | Collection[str] | None = None, workers: Workers | None = None) -> References:
    """Ask the solution every check's question.

    Args:
        made: what is recorded about the set, for example profile and seed; checks that draw
            grading images read it (`ask(rng, made)`).
        only: the checks to ask, see `catalogue.selected`; None for all.
        workers: warm ones, which stay open.

    Raises:
        Wrong: the solution could not answer.
    """
    checks = [check for check in all_checks() if selected(check, only)]
    questions = {check.number: ask(check, seed, tier, made) for check in checks}
    by_number = {}
    lent = contextlib.nullcontext(workers) if workers else Workers()
    with tempfile.TemporaryDirectory(prefix="references-") as folder, lent as warm:
        inquiry = warm.about(take_in(solution, Path(folder)))
        names = {check.number: list(earlier_functions(check.task)) for check in checks}
        futures = {check.number: inquiry.ask(
            questions[check.number], check.task, worker_seed(check.number),
            {"record": names[check.number]} if names[check.number] else None) for check in checks}
        for check in progress(checks):
            answer = futures[check.number].result()
            if answer.status != "ok":
                raise Wrong(f"check {check.number}: the solution gave no answer ({answer.status}): "
                            f"{answer.error or answer.detail}")
            question = questions[check.number]
            value, earlier = answer.value, {}
            if names[check.number]:
                value, earlier = value["answer"], value["earlier"]
            derive = getattr(check.ask, "derive", None)
            expected = derive(value, question) if derive else value
            by_number[check.number] = Reference(question, expected, earlier)
    return References(tier, {**made, "seed": seed, "code": version.asking()}, by_number)


def ask(check: Check, seed: int, tier: str, made: dict[str, Any]) -> Question:
    """A check's question for a seed and tier."""
    rng = generator(seed, tier, check.number)
    if getattr(check.ask, "needs_data", False):
        return check.ask(rng, made)
    return check.ask(rng)


def worker_seed(number: str) -> int:
    """What student code's random generators are seeded with before a check."""
    return zlib.crc32(number.encode())


def save(references: References, folder: Path = FOLDER) -> list[Path]:
    """Write both files of a tier; each is replaced whole."""
    entries = {
        number: {**{key: getattr(r.question, key) for key in
                    ("problem", "probe", "inputs", "truth", "results", "cpu_seconds")},
                 "expected": r.expected, "earlier": r.earlier}
        for number, r in references.by_number.items()
    }
    return save_tree(references.tier, references.made, entries, folder)


def save_tree(name: str, made: dict[str, Any], entries: dict[str, Any], folder: Path) -> list[Path]:
    """Write `<name>.json` and `<name>.npz`; an array that occurs twice is stored once."""
    folder.mkdir(parents=True, exist_ok=True)
    tree, arrays = wire.flatten(entries)
    places: dict[tuple, int] = {}
    index = [places.setdefault((a.dtype.str, a.shape, a.tobytes()), len(places)) for a in arrays]
    content = {"made": made, "arrays": index, "checks": dict(tree["dict"])}
    text = json.dumps(content, indent=None, separators=(",", ":"), allow_nan=False)
    text = text.replace(',"', ',\n"')  # line by line, so that versions can be compared
    paths = [folder / f"{name}.json", folder / f"{name}.npz"]
    partial = [path.with_name(path.name + ".partial") for path in paths]
    partial[0].write_text(text + "\n", encoding="utf-8", newline="\n")
    unique = dict(zip(index, arrays))
    with partial[1].open("wb") as file:
        np.savez_compressed(file, **{f"a{place}": array for place, array in unique.items()})
    for source, target in zip(partial, paths):
        if name == "hidden":
            source.chmod(0o600)
        os.replace(source, target)
    return paths


def load_tree(name: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what `save_tree` wrote: `(made, entries)`.

    Raises:
        OSError, ValueError, KeyError, BadZipFile, WireError: missing or damaged.
    """
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        unique = [stored[f"a{i}"] for i in range(len(stored.files))]
    arrays = [unique[place] for place in content["arrays"]]
    return content["made"], {key: wire.unflatten(tree, arrays)
                             for key, tree in content["checks"].items()}


def load(tier: str, folder: Path = FOLDER) -> References:
    """Read a tier.

    Raises:
        BadReferences: missing, damaged, or made for other checks than this version's.
    """
    remedy = f"run `python -m autograder references --tier {tier}`"
    try:
        made, entries = load_tree(tier, folder)
        by_number = {}
        for number, entry in entries.items():
            expected, earlier = entry.pop("expected"), entry.pop("earlier")
            by_number[number] = Reference(Question(**entry), expected, earlier)
    except FileNotFoundError:
        raise BadReferences(f"there are no {tier} references in {folder}: {remedy}") from None
    except Exception as error:
        raise BadReferences(
            f"the {tier} references in {folder} are damaged ({type(error).__name__}): {remedy}"
        ) from None
    lacking = [check.number for check in all_checks() if check.number not in by_number]
    if lacking:
        raise BadReferences(f"the {tier} references lack check {lacking[0]}: {remedy}")
    stale = [check.number for check in all_checks() if not follows(check, by_number[check.number])]
    if stale:
        raise BadReferences(f"the {tier} references have another floor or target for check "
                            f"{stale[0]} than points.toml asks for: {remedy}")
    return References(tier, made, by_number)

