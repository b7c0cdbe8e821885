"""Trained networks that come from each other: where to look, and no finding about anyone.

Weights files are read as bytes and never unpickled, each in a process that may be lost, since bytes
can keep any reader busy or end it. Two files are alike

    where they share values: float32 numbers that differ in their last bits are not met twice by
    accident (the smallest `SKETCH` hashes of each file's values estimate the share; Broder, "On the
    resemblance and containment of documents", 1997), or
    where they are near: the median over their tensors of |a - b| / sqrt(|a| |b|) is at most `NEAR`,
    and few others come near both, or it is at most `CLOSE`. Who trains from one seed in the same
    way starts from the same values, and their trainings stay as near to each other as those of the
    whole group.

Trainings of one seed, code, version and machine may end with the same values. Times in a training
log do not.
"""

import hashlib
import itertools
import pickle
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ... import KIT
from ...assignment import ASSIGNMENT
from ...engine.sandbox.bounded import OutOfBounds
from .similarity import SOLUTION, STUDENT

SUFFIXES = (".pth", ".pt")
MAX_FILES = 10  # of a problem, those of the solution's names first
MAX_TENSORS = 512  # of a file
MAX_BYTES = 2**26  # of a file, and of what it unpacks to
SECONDS = 5  # of CPU time for a file
MAX_PICKLE = 2**18  # bytes that say which tensors there are: 30 times those of the solution
KINDS: dict[str, Any] = {"FloatStorage": np.float32, "DoubleStorage": np.float64,
                         "HalfStorage": np.float16, "BFloat16Storage": np.uint16}
SKETCH = 4096
SAMPLE = 256  # values of a tensor that stand for all
LARGEST = 1e6  # a value beyond it counts as this
LEAST = 16  # values of a tensor; shorter ones say little
MET = 20  # values that two sketches have in common, of which zero and one are two
SHARE, NEAR = 0.3, 0.06
CLOSE = 0.03  # trainings of any length that start alike end further apart
CROWD, AROUND = 3, 2  # so many others within so many times the distance are a common start
OUTSIDE = "the solution"


@dataclass(frozen=True)
class Weights:
    """What is kept of a weights file.

    Args:
        values: the smallest hashes of its values, sorted; count: how many values it has.
        tensors: `(values, how many of this size came before)` -> some of them, float32.
        log: digest of the training log beside it, "" without one.
    """

    values: np.ndarray
    count: int
    tensors: dict[tuple[int, int], np.ndarray]
    log: str


@dataclass(frozen=True)
class Likeness:
    """Two networks that are alike.

    Args:
        a: a student's id; b: another one's, or `OUTSIDE`; kind: of b, as in `similarity.Pair`.
        file: of a; share: of the values that both have; distance: see above, None where their
            tensors differ in size; others: the least distance of any other work to one of both.
        log: whether both have the very same training log, with its times.
    """

    a: str
    b: str
    kind: str
    file: str
    share: float
    distance: float | None
    others: float | None
    log: bool


class _Inert(dict[Any, Any]):
    """Stands for whatever a pickle wants to make: it does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, _: Any) -> None:
        pass


class _Tensors(pickle.Unpickler):
    """Reads which storages a state dict has, and makes nothing that a pickle names."""

    def __init__(self, content: bytes) -> None:
        super().__init__(BytesIO(content))
        self.kinds: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> type[_Inert]:
        return type(name, (_Inert,), {})

    def persistent_load(self, pid: Any) -> _Inert:
        self.kinds[str(pid[2])] = pid[1].__name__
        return _Inert()


Kept = tuple[np.ndarray, int, list[tuple[tuple[int, int], np.ndarray]]]


def look(content: bytes) -> Kept:
    """What is kept of a file's tensors: `values`, `count` and `tensors` of `Weights`."""
    tensors = _tensors(content)
    every = np.concatenate([np.zeros(0, np.float32), *tensors]).view(np.uint32)
    hashes = every * np.uint32(2654435761)  # Knuth's multiplicative hash, one to one
    if len(hashes) > 4 * SKETCH:
        hashes = np.partition(hashes, 4 * SKETCH)[:4 * SKETCH]
    seen: Counter[int] = Counter()
    kept = []
    for values in tensors:
        if len(values) >= LEAST:
            step = max(1, len(values) // SAMPLE)
            with np.errstate(invalid="ignore"):
                kept.append(((len(values), seen[len(values)]), np.clip(np.nan_to_num(
                    values[::step][:SAMPLE].astype(np.float64)), -LARGEST, LARGEST)))
            seen[len(values)] += 1
    return np.unique(hashes)[:SKETCH], len(every), kept


def _tensors(content: bytes) -> list[np.ndarray]:
    """The values of all tensors of floating-point numbers, in the order of the file."""
    if not zipfile.is_zipfile(BytesIO(content)):  # of old versions of torch: values at any place
        return [np.frombuffer(content, np.float32, (len(content) - start) // 4, start)
                for start in range(min(4, len(content)))]
    with zipfile.ZipFile(BytesIO(content)) as packed:
        listed = packed.infolist()
        about = next(entry for entry in listed if entry.filename.endswith("data.pkl"))
        if sum(entry.file_size for entry in listed) > MAX_BYTES or about.file_size > MAX_PICKLE:
            return []
        reader = _Tensors(packed.read(about))
        reader.load()
        top, found = about.filename.removesuffix("data.pkl"), []
        for key, kind in [*reader.kinds.items()][:MAX_TENSORS]:
            if kind in KINDS:
                values = np.frombuffer(packed.read(f"{top}data/{key}"), KINDS[kind])
                found.append(values.astype(np.float32) if values.dtype != np.uint16 else
                             (values.astype(np.uint32) << 16).view(np.float32))
    return found


def read(root: Path, look: Callable[[bytes], Kept] = look) -> dict[str, Weights]:
    """The weights files of a submission: `problem1/best_model.pth` -> what is kept of it.

    Args:
        look: calls the function of this name in another process (`engine.sandbox.bounded`); by
            default in this one, which is for files of the kit.
    """
    found: dict[str, Weights] = {}
    for problem in ASSIGNMENT.problems:
        folder, own = root / problem / "results", KIT / "solution" / problem / "results"
        log, log_digest = folder / "training_log.json", ""
        if log.is_file():
            with log.open("rb") as stream:
                log_digest = hashlib.sha256(stream.read(MAX_BYTES)).hexdigest()
        files = sorted((not (own / path.name).exists(), path) for path in folder.glob("*")
                       if path.suffix in SUFFIXES and path.is_file()
                       and path.stat().st_size <= MAX_BYTES)
        for _, path in files[:MAX_FILES]:
            try:
                values, count, tensors = look(path.read_bytes())
            except OutOfBounds:  # what is left could keep others waiting as well
                return found
            except Exception:  # bytes may break a reader in any way; the grade says so
                continue
            found[f"{problem}/{path.name}"] = Weights(values, count, dict(tensors), log_digest)
    return found


def alike(works: Mapping[str, Mapping[str, Weights]],
          solution: Mapping[str, Weights] | None = None) -> list[Likeness]:
    """Networks that are alike, also those of the solution, the ones that share most first; a pair
    once, with its nearest files."""
    named = [*((OUTSIDE, solution or {}), *sorted(works.items()))]
    found: dict[tuple[str, str], Likeness] = {}
    for problem in ASSIGNMENT.problems:
        files = [(owner, file, one) for owner, own in named for file, one in own.items()
                 if file.startswith(f"{problem}/")]
        distances = _distances([one for _, _, one in files])
        near = {(int(i), int(j)) for i, j in np.argwhere(distances <= NEAR) if i < j}
        for i, j in sorted(near | _meeting([one for _, _, one in files])):
            if files[i][0] != files[j][0]:
                made = _compared(files, i, j, distances)
                if made is not None:
                    key = (made.a, made.b)
                    if key not in found or found[key].share < made.share:
                        found[key] = made
    return sorted(found.values(), key=lambda each: (-each.share, each.distance or 0.0, each.a,
                                                    each.b))


def _compared(files: list[tuple[str, str, Weights]], i: int, j: int,
              distances: np.ndarray) -> Likeness | None:
    (first, _, a), (second, file, b) = files[i], files[j]
    share, distance = _shared(a, b), float(distances[i, j])
    apart = [k for k in range(len(files)) if files[k][0] not in (first, second)]
    around = np.minimum(distances[i, apart], distances[j, apart])
    crowd = int((np.maximum(distances[i, apart], distances[j, apart]) < AROUND * distance).sum())
    if share < SHARE and distance > (NEAR if crowd < CROWD else CLOSE):
        return None
    outside = first == OUTSIDE  # which comes first
    return Likeness(second if outside else first, first if outside else second,
                    SOLUTION if outside else STUDENT, file if outside else files[i][1], share,
                    distance if np.isfinite(distance) else None,
                    float(around.min()) if np.isfinite(around).any() else None,
                    bool(a.log) and a.log == b.log)


def _meeting(files: list[Weights]) -> set[tuple[int, int]]:
    """Pairs of files with some values in common."""
    values = np.concatenate([np.zeros(0, np.uint32), *(one.values for one in files)])
    owners = np.repeat(np.arange(len(files)), [len(one.values) for one in files])
    order = np.argsort(values, kind="stable")
    values, owners = values[order], owners[order]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1], True])
    many = np.flatnonzero(np.diff(starts) > 1)
    groups = Counter(tuple(owners[starts[g]:starts[g + 1]].tolist()) for g in many)
    pairs: Counter[tuple[int, int]] = Counter()
    for group, count in groups.items():
        for pair in itertools.combinations(group, 2):
            pairs[pair] += count
    return {pair for pair, count in pairs.items() if count >= MET}


def _shared(a: Weights, b: Weights) -> float:
    """The share of the values of the smaller file that the other one has, estimated."""
    union = np.union1d(a.values, b.values)[:SKETCH]
    if not len(union):
        return 0.0
    both = np.intersect1d(a.values, b.values, assume_unique=True)
    jaccard = float(np.isin(both, union, assume_unique=True).sum()) / len(union)
    return min(1.0, jaccard * (a.count + b.count) / (1 + jaccard) / max(1, min(a.count, b.count)))


def _distances(files: list[Weights]) -> np.ndarray:
    """`[n, n]`, inf where less than half of the tensors have the same sizes."""
    found = np.full((len(files), len(files)), np.inf)
    layouts: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for index, one in enumerate(files):
        layouts.setdefault(tuple(sorted(one.tensors)), []).append(index)
    for this, other in itertools.combinations_with_replacement(layouts, 2):
        common = sorted(set(this) & set(other))
        if 2 * len(common) >= max(len(this), len(other), 1):
            rows, columns = layouts[this], layouts[other]
            apart = np.stack([_apart(np.stack([files[i].tensors[key] for i in rows]),
                                     np.stack([files[j].tensors[key] for j in columns]))
                              for key in common])
            found[np.ix_(rows, columns)] = np.median(apart, 0)
            found[np.ix_(columns, rows)] = np.median(apart, 0).T
    return found


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Relative distances of some vectors `[n, k]` from others `[m, k]`: `[n, m]`."""
    norms = (a**2).sum(1)[:, None], (b**2).sum(1)[None]
    squares = np.maximum(norms[0] + norms[1] - 2 * a @ b.T, 0)
    return np.sqrt(squares / np.maximum(np.sqrt(norms[0] * norms[1]), 1e-12))
