"""Submissions that share code: where to look, and no finding about anyone.

Code is compared by copydetect: a file's tokens, with names and strings replaced and comments left
out, are cut into all runs of `RUN` characters, whose hashes are the file's fingerprints (Schleimer,
Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003; with a
window of 1, so that none is left out and results do not depend on Python's random hashes).
Fingerprints of the starter do not count.

A pair is reported where at least `THRESHOLD` of the fingerprints of a file stand in the other work.
Two right solutions of one stub look alike to some degree: among the independent solutions in
`tests/assignment/variants` no file reaches half of the threshold, and a copy with other names,
comments and order of functions stays above it (test_similarity.py measures both).
"""

import functools
import importlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...assignment.tasks import TASKS
from ...engine.command import Bar
from ...engine.files import write_whole
from ...engine.submission import walk

FILE = "similarity.json"
RUN = 25  # characters of filtered code, about ten tokens: copydetect's own default
THRESHOLD = 0.5
LEAST = 100  # fingerprints of a file; of a shorter one, a few common lines would be half
MAX_BYTES = 100_000  # of a file's code: twenty times the starter's longest
MAX_LINE = 1000  # characters
MAX_FILES = 100  # of a work
MAX_CODE = 10 * MAX_BYTES  # of a work: reading it takes seconds
MAX_PAIRS = 500
STUDENT, SOLUTION, EARLIER = "student", "solution", "earlier work"

GRADED = {name for task in TASKS.values() for name in task.files}
NOTHING = np.zeros(0, np.int64)
Work = Mapping[str, bytes]  # relative path -> content of a .py file


@dataclass(frozen=True)
class Match:
    """Two files that share fingerprints: how many, and their share of each file's."""

    file_a: str
    file_b: str
    shared: int
    share_a: float
    share_b: float


@dataclass(frozen=True)
class Pair:
    """Two works that share code.

    Args:
        a: a student's id.
        b: another student's id, or the name of a work outside of the class.
        kind: of b: STUDENT, SOLUTION or EARLIER.
        shared: fingerprints in common.
        share_a: share of the fingerprints of a that b has; share_b: the other way.
        files: those that reach the threshold, each beside the file that has most of it.
    """

    a: str
    b: str
    kind: str
    shared: int
    share_a: float
    share_b: float
    files: tuple[Match, ...]


def sources(folder: Path) -> dict[str, bytes]:
    """The code of a work's .py files; links are left out.

    Of more than `MAX_FILES` those with the names of graded files come first, then the largest, so
    that nobody hides them behind others.
    """
    paths = [("/".join(path.parts[-2:]) not in GRADED, -status.st_size, path)
             for path, status in walk(folder) if status and path.name.endswith(".py")]
    found: dict[str, bytes] = {}
    left = MAX_CODE
    for _, _, path in sorted(paths)[:MAX_FILES]:
        try:
            with path.open("rb") as file:
                text = code(file.read(10 * MAX_BYTES))[:left]
        except OSError:  # one file that cannot be read is not a reason to compare nothing
            continue
        found[path.relative_to(folder).as_posix()] = text
        left -= len(text)
    return found


def code(content: bytes) -> bytes:
    """The lines with code in them, within bounds.

    Blank lines and comments go before the bounds are applied, so that they cannot push code out.
    They have no fingerprints, and the lexer takes minutes for thousands of blank lines, or for one
    very long line.
    """
    lines = (line.rstrip()[:MAX_LINE] for line in content.splitlines())
    return b"\n".join(line for line in lines if line and not line.lstrip().startswith(b"#")
                      )[:MAX_BYTES]


def similar(works: Mapping[str, Work], starter: Work, solution: Work | None = None,
            earlier: Mapping[str, Work] | None = None) -> list[Pair]:
    """Pairs of works that share code, those that share most first, at most `MAX_PAIRS`.

    Args:
        works: student id -> files.
        starter: files whose fingerprints do not count.
        solution, earlier: compared with the works, not with each other.

    Raises:
        ValueError: copydetect is not installed.
    """
    given = np.unique(np.concatenate([NOTHING, *map(_fingerprints, starter.values())]))
    named = [*((name, STUDENT, work) for name, work in sorted(works.items())),
             *([("solution", SOLUTION, solution)] if solution else []),
             *((name, EARLIER, work) for name, work in sorted((earlier or {}).items()))]
    bar = Bar(named, desc="similar code", unit="work", leave=False, delay=1)
    prints = [{file: np.setdiff1d(_fingerprints(content), given, assume_unique=True)
               for file, content in sorted(work.items())} for _, _, work in bar]
    # Counted from 0, so that they can index an array.
    known = np.unique(np.concatenate([NOTHING, *(h for work in prints for h in work.values())]))
    prints = [{file: np.searchsorted(known, hashes) for file, hashes in work.items()}
              for work in prints]
    wholes = [np.unique(np.concatenate([NOTHING, *work.values()])) for work in prints]
    standing = _standing(prints, wholes, len(works))
    common = {(i, j): len(np.intersect1d(wholes[i], wholes[j], assume_unique=True))
              for i, j in standing}

    def shares(pair: tuple[int, int]) -> tuple[float, float]:
        a, b = (common[pair] / len(wholes[i]) for i in pair)
        return a, b

    most = sorted(common, key=lambda pair: (-max(shares(pair)), -common[pair], pair))[:MAX_PAIRS]
    return [Pair(named[i][0], named[j][0], named[j][1], common[i, j], *shares((i, j)),
                 _matches(prints[i], prints[j], *standing[i, j]))
            for i, j in most]


def library() -> ModuleType:
    """copydetect, which brings matplotlib and so is loaded where it is needed.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return importlib.import_module("copydetect")
    except ImportError:
        raise ValueError("looking for similar submissions needs copydetect: "
                         "pip install -r requirements-dev.txt") from None


def read(work: Work) -> None:
    """Take the fingerprints of a work's files ahead of time, so that `similar` is faster."""
    for content in work.values():
        _fingerprints(content)


@functools.lru_cache(2**14)  # the files of a thousand works
def _fingerprints(content: bytes) -> np.ndarray:
    """The fingerprints of a file, int64 `[n]`, sorted, each once; none for a binary file."""
    if b"\0" in content:
        return NOTHING
    text = io.StringIO(code(content).decode("utf-8", "replace"))
    made = library().CodeFingerprint("work.py", RUN, 1, language="python", fp=text)
    return np.unique(np.fromiter(made.hashes, np.int64, len(made.hashes)))


def _standing(prints: list[dict[str, np.ndarray]], wholes: list[np.ndarray],
              students: int) -> dict[tuple[int, int], tuple[list[str], list[str]]]:
    """Pairs (student, any later work) -> the files of each that stand in the other.

    One pass per work marks its fingerprints and counts the marks in every file of all others.

    Args:
        wholes: the fingerprints of all files of a work, each once.
        students: how many of the works, from the first, are students'.
    """
    files = [(i, name, hashes) for i, work in enumerate(prints) for name, hashes in work.items()
             if len(hashes) >= LEAST]
    if not files:
        return {}
    every = np.concatenate([hashes for _, _, hashes in files])
    sizes = np.array([len(hashes) for _, _, hashes in files])
    starts = np.cumsum(sizes) - sizes
    found: dict[tuple[int, int], tuple[list[str], list[str]]] = {}
    for j, whole in enumerate(wholes):
        marks = np.bincount(whole, minlength=every.max() + 1)
        for f in np.flatnonzero(np.add.reduceat(marks[every], starts) / sizes >= THRESHOLD):
            i, name, _ = files[f]
            if i != j and min(i, j) < students:
                found.setdefault((min(i, j), max(i, j)), ([], []))[i > j].append(name)
    return found


def _matches(a: dict[str, np.ndarray], b: dict[str, np.ndarray], of_a: list[str],
             of_b: list[str]) -> tuple[Match, ...]:
    """Files that stand in the other work, each with the file there that shares most."""
    def match(one: str, two: str) -> Match:
        shared = len(np.intersect1d(a[one], b[two], assume_unique=True))
        return Match(one, two, shared, shared / len(a[one]), shared / max(1, len(b[two])))

    best = functools.partial(max, key=lambda match: match.shared)
    chosen = {best(match(one, two) for two in b) for one in of_a}
    chosen |= {best(match(one, two) for one in a if len(a[one])) for two in of_b}
    return tuple(sorted(chosen, key=lambda match: (match.file_a, match.file_b)))


def save(pairs: list[Pair], grades: Path, weights: Iterable[Any] = ()) -> None:
    """Write `similarity.json` into the folder of grades, with networks that are alike."""
    content = {"run": RUN, "threshold": THRESHOLD, "pairs": [asdict(pair) for pair in pairs],
               "weights": [asdict(each) for each in weights]}
    write_whole(grades / FILE, json.dumps(content, indent=1) + "\n")
