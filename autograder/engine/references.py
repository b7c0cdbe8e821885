"""Reference outputs as data: what the solution answered to seeded questions.

A set of references (a tier: public or hidden) is `<tier>.json` beside `<tier>.npz`: for every check
the question that is asked and what the solution answered. Students get the public set; neither set
holds code. The data profile and the grading images belong to the set. Floors and targets follow
from it and from the points file when it is loaded; nothing else about a check is stored.
"""

import functools
import hashlib
import io
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .assignment import Assignment
from .check import Check, Question
from .files import write_whole
from .sandbox import wire

TIERS = ("public", "hidden")
# What is stored of a question.
QUESTION = ("problem", "probe", "inputs", "truth", "results", "handed", "cpu_seconds", "then")
PRIVATE = 0o600  # mode of hidden references
MOST = 2**16  # bytes of an array that stays unpacked; all others together take 40 MB


class BadReferences(ValueError):
    """The stored references cannot be used; the message is one line that says what to run."""


@dataclass(frozen=True)
class Reference:
    """One check's question and the solution's answer to it.

    Args:
        expected: the answer; of a check whose points follow from an accuracy, that of the
            reference, its floor and its target.
        earlier: what functions of earlier tasks gave on the way, by name (`sandbox.recording`).
        size: bytes of the solution's answer: JSON and arrays.
    """

    question: Question
    expected: Any
    earlier: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)

    @property
    def most(self) -> wire.Bounds:
        """The most that is read of an answer: a wrong one may be larger than the solution's."""
        text, arrays = self.size
        return wire.Bounds(min(2**18 + 8 * text, 2**20), min(2**22 + 8 * arrays, wire.MAX_ARRAYS))


@dataclass(frozen=True)
class References:
    """A tier's references by check number, and how they were made."""

    tier: str
    made: dict[str, Any]
    by_number: dict[str, Reference]


def draw(check: Check, seed: int, tier: str, made: Mapping[str, Any]) -> Question:
    """A check's question for a seed and a tier: the same on every machine, and independent of all
    other checks and tiers. Checks that draw images need how references are made, and the tier."""
    stream = zlib.crc32(f"{tier}/{check.like or check.number}".encode())
    return check.question(np.random.default_rng([seed, stream]), {**made, "tier": tier})


def worker_seed(made: Mapping[str, Any], code: str = "") -> int:
    """What student code's random generators are seeded with before every question of a run.

    It is the same for all checks and tiers, so that it tells nothing about the question, and the
    same on every machine. With hidden references nobody can foresee it.

    Args:
        made: how the last references of the run are made.
        code: digest of the submission's code.
    """
    # Slow, since student code sees the result and may try one seed of the references after another.
    digest = hashlib.pbkdf2_hmac("sha256", str(made.get("seed")).encode(), code.encode(), 20_000)
    return int.from_bytes(digest[:4], "little")


def derived(check: Check, question: Question, expected: Any) -> Any:
    """What a check compares with: what the solution answered; for a measured accuracy, its floor
    and target of today.

    Raises:
        ValueError: there is no room between them.
    """
    if check.measured is None or check.accuracy is None:
        return expected
    return check.measured.thresholds(check.accuracy, expected["reference"], question)


def save(references: References, folder: Path) -> list[Path]:
    """Write both files of a tier; each is replaced whole."""
    entries = {number: {**stored(r.question), "expected": r.expected, "earlier": r.earlier,
                        "size": list(r.size)}
               for number, r in references.by_number.items()}
    return save_tree(references.tier, references.made, entries, folder)


def stored(question: Question) -> dict[str, Any]:
    """A question as it is stored; `Question(**stored)` is the question again."""
    return {**{key: getattr(question, key) for key in QUESTION}, "inputs": dict(question.inputs)}


def save_tree(name: str, made: dict[str, Any], entries: dict[str, Any], folder: Path) -> list[Path]:
    """Write `<name>.json` and `<name>.npz`: how the entries were made, and the entries; an array
    that occurs twice is stored once."""
    tree, arrays = wire.flatten(entries)
    places: dict[tuple[Any, ...], int] = {}
    index = [places.setdefault((a.dtype.str, a.shape, a.tobytes()), len(places)) for a in arrays]
    content = {"made": made, "arrays": index, "checks": dict(tree["dict"])}
    text = json.dumps(content, indent=None, separators=(",", ":"), allow_nan=False)
    text = text.replace(',"', ',\n"')  # line by line, so that versions can be compared
    unique = {f"a{place}": array for place, array in dict(zip(index, arrays)).items()}
    mode = PRIVATE if name == "hidden" else None
    paths = [folder / f"{name}.json", folder / f"{name}.npz"]
    write_whole(paths[0], text + "\n", mode)
    write_whole(paths[1], lambda file: np.savez_compressed(
        file, allow_pickle=False, **unique), mode)
    return paths


def load_tree(name: str, folder: Path, most: float = math.inf) -> tuple[dict[str, Any], Any]:
    """Read what `save_tree` wrote: `(made, entries)`. Arrays of `inputs` of more than `most` bytes
    are kept packed, and unpacked wherever they are used.

    Raises:
        OSError, ValueError, KeyError, BadZipFile, WireError: missing or damaged.
    """
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    # Not the file itself, which may be replaced while this is in use.
    packed = np.load(io.BytesIO((folder / f"{name}.npz").read_bytes()), allow_pickle=False)
    unique: list[Any] = []
    for key in (f"a{i}" for i in range(len(packed.files))):
        array = packed[key]
        unique.append(array if array.nbytes <= most else functools.partial(packed.get, key))
    make = functools.partial(
        wire.unflatten, arrays=[unique[place] for place in content["arrays"]],
        from_array=lambda array: array() if callable(array) else array)
    return content["made"], {
        number: {key: wire.Lazy(tree["dict"], make) if key == "inputs" else make(tree)
                 for key, tree in entry["dict"]} for number, entry in content["checks"].items()}


def load_stored(tier: str, folder: Path) -> References:
    """Read a tier as it is stored, whatever checks there are today.

    Raises:
        BadReferences: missing or damaged.
    """
    remedy = f"run `python -m autograder references --tier {tier}`"
    try:
        made, entries = load_tree(tier, folder, MOST)
        by_number = {}
        for number, entry in entries.items():
            expected, earlier = entry.pop("expected"), entry.pop("earlier")
            size = tuple(entry.pop("size"))
            by_number[number] = Reference(Question(**entry), expected, earlier, size)
    except FileNotFoundError:
        raise BadReferences(f"there are no {tier} references in {folder}: {remedy}") from None
    except PermissionError:
        raise BadReferences(f"the {tier} references in {folder} are not yours to read: whoever "
                            "made them can (sudo)") from None
    except Exception as error:
        raise BadReferences(
            f"the {tier} references in {folder} are damaged ({type(error).__name__}): {remedy}"
        ) from None
    return References(tier, made, by_number)


def load(assignment: Assignment, tier: str, folder: Path | None = None) -> References:
    """Read a tier of an assignment, or of another folder, with floors and targets as its points
    file asks for them.

    Raises:
        BadReferences: missing, damaged, or made for other checks than this version's.
    """
    references = load_stored(tier, folder or assignment.references)
    by_number = dict(references.by_number)
    for check in assignment.checks:
        reference = by_number.get(check.number)
        if reference is None:
            raise BadReferences(f"the {tier} references lack check {check.number}: "
                                f"run `python -m autograder references --tier {tier}`")
        try:
            expected = derived(check, reference.question, reference.expected)
        except ValueError as error:
            raise BadReferences(f"points.toml and the {tier} references do not fit for check "
                                f"{check.number}: {error}") from None
        by_number[check.number] = replace(reference, expected=expected)
    return References(tier, references.made, by_number)
