"""Say how wrong values follow from the right ones, where that is something simple.

So a student reads "v * 2" or "x and y?" also of a mistake that nobody has written down before.
"""

from collections.abc import Callable, Iterator

import numpy as np

from .sandbox.wire import Array

FEWEST = 3  # different values: fewer agree with anything by chance
OF_ONE: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("floor(v)", np.floor), ("ceil(v)", np.ceil), ("round(v)", np.round), ("trunc(v)", np.trunc),
    ("v / log(2)", lambda v: v / np.log(2)), ("v / log(10)", lambda v: v / np.log(10)),
    ("v ** 2", np.square), ("sqrt(v)", np.sqrt), ("1 - v", lambda v: 1 - v),
    ("1 / v", lambda v: 1 / v), ("abs(v)", np.abs), ("exp(v)", np.exp), ("log(v)", np.log),
    ("sigmoid(v)", lambda v: 1 / (1 + np.exp(-v))),
)
OF_BOX: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("columns 0 and 1 are swapped, and 2 and 3 (x and y?)", lambda v: v[:, [1, 0, 3, 2]]),
    ("columns 0 and 1 stand behind 2 and 3", lambda v: v[:, [2, 3, 0, 1]]),
    ("columns 1 and 2 are swapped", lambda v: v[:, [0, 2, 1, 3]]),
    ("columns 2 and 3 have columns 0 and 1 added (corners read as x, y, width, height?)",
     lambda v: np.hstack([v[:, :2], v[:, :2] + v[:, 2:]])),
    ("columns 2 and 3 are width and height", lambda v: np.hstack([v[:, :2], v[:, 2:] - v[:, :2]])),
    ("they are centre, width and height",
     lambda v: np.hstack([(v[:, :2] + v[:, 2:]) / 2, v[:, 2:] - v[:, :2]])),
)


def relation(got: Array, want: Array) -> str:
    """A sentence on how wrong values follow from the right ones (float64 of one shape); "" where
    nothing simple fits."""
    with np.errstate(all="ignore"):
        wrong = ~_same(got, want)
        some, right = got[wrong], want[wrong]
        low, high = np.min(some, initial=np.inf), np.max(some, initial=-np.inf)
        if low < high and (~wrong).sum() >= FEWEST and _same(got, want.clip(low, high)).all():
            return f"Each wrong value is clip(v, {low:.4g}, {high:.4g}), with v for the right one."
        rounded = (right % 1 > 0).all() and (some % 1 == 0).all() and len(np.unique(some)) > 1
        if len(np.unique(right)) < FEWEST - int(rounded) or not np.isfinite(got).all():
            return ""
        if np.ptp(some) == 0:
            return f"Each wrong value is {some[0]:.6g}."
        for formula, values in _of_values(some, right):
            if _same(some, values).all():
                return f"Each wrong value is {formula}, with v for the right one."
        for change, values in _of_all(got, want):
            if values.shape == got.shape and _same(got, values).all():
                return f"The values are right, but {change}."
    return ""


def _same(got: Array, want: Array) -> Array:
    near: Array = np.isclose(got, want, 1e-4, 1e-6)
    return near


def _of_values(got: Array, want: Array) -> Iterator[tuple[str, Array]]:
    factor, step = np.median(got / want), np.median(got - want)
    # Others are numbers of the question, and say nothing of the code.
    simple = any(abs(2 * v - np.round(2 * v)) < 1e-3 < abs(v) - 0.4 for v in (factor, 1 / factor))
    if simple and abs(factor - 1) > 0.01:
        yield f"v * {factor:.4g}" if abs(factor) >= 1 else f"v / {1 / factor:.4g}", want * factor
    if np.isclose(abs(step), (0.5, 1, 2), 1e-3).any():
        yield f"v {'-+'[int(step > 0)]} {abs(step):.4g}", want + step
    slope = (got[want.argmax()] - got[want.argmin()]) / np.ptp(want)
    start = got[want.argmin()] - slope * want.min()
    line = 2 * np.array([slope, start])
    if abs(start) > 0.4 and np.isclose(line, np.round(line), 1e-4).all():
        times = f" * {slope:.4g}" * bool(round(slope, 3) != 1)
        yield f"v{times} {'-+'[int(start > 0)]} {abs(start):.4g}", slope * want + start
    for formula, function in OF_ONE:
        yield formula, function(want)


def _of_all(got: Array, want: Array) -> Iterator[tuple[str, Array]]:
    if want.ndim == 2 and want.shape[1] == 4:
        for change, function in OF_BOX:
            yield change, function(want)
        width, height = (1 / np.median(got[:, axis::2] / want[:, axis::2]) for axis in (0, 1))
        yield (f"x is divided by {width:.4g} and y by {height:.4g} (the size of the image?)",
               want / np.array([width, height, width, height]))
    if want.ndim > 1:
        if want.shape[-1] == 2:
            yield "both columns are swapped (x and y?)", want[..., ::-1]
        yield "rows and columns are swapped", np.swapaxes(want, -1, -2)
    for axis in range(want.ndim):
        yield f"dimension {axis} runs backwards", np.flip(want, axis)
