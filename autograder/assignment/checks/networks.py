"""What every network of the assignment must do, whatever its layers are, judged by its outputs.

A question shows variants of one image: `plain`; `patched`, which is another one in a region;
`around`, which is so some pixels away from it; `other`, which is so at both places; `close`, which
differs a little everywhere; `shuffled`, with the same blocks in other places; `black`, which has
nothing that one can divide by. Maps are seen at some cells, the region's corners among them.
"""

import functools
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...engine.check import Question
from ...engine.compare import Array, Wrong, array, entries, sequence
from .inputs import pictures

CHANCE = ("two copies of an image in one batch differ in evaluation mode: something random acts, "
          "like a dropout that does not rest.")
COMPANY = ("an image has other values in a batch than alone, in evaluation mode: something is "
           "computed over the batch, like a maximum, a mean or the statistics of batch norm.")
STATE = ("two passes over the same image in evaluation mode differ: something is kept from call to "
         "call.")
SHOWN = 400  # characters of a message
NUMBERS = re.compile(r"[-\d.e+]+")
MAX_PARAMETERS = 50_000_000
FEWEST_PARAMETERS = 1000  # that learn, in any network that is worth its name
BLOCK = 8  # pixels: the side of the blocks that images are made of
LEAST = 3  # cells of the coarsest map along a region
BESIDE = 2  # pixels around a region that stay as they are where those further away change
GRID = 16  # pixels: regions begin and end between the cells of all maps
FAR = 40  # pixels from a region to what is called far from it
STEP = 0.03  # the most that `close` differs from `plain`
ROUNDING = 1e-7  # relative; a smaller change of an output is none
# The following numbers are shares of the change that a region makes in the cells at its place. In
# all networks that were tried, cells far from it change half as much or less; in a network that
# does not know places, they change as much.
FOCUS = 1.5
# Two passes over one image: rounding makes a thousandth of it, dropout of 5 % a thirtieth.
NOISE = 0.02
# What surrounds a cell, or lies beside a pixel, changes it by a 400th and more, or not at all.
SURROUNDINGS = 0.0005
# What the gradient says of the step from `plain` to `close`, as a share of what happens: the kinks
# of ReLU and the rounding of bfloat16 move it a little.
SLOPES = (0.4, 2.5)


def scene(rng: np.random.Generator, channels: int, side: int, sizes: Sequence[int],
          names: Iterable[str]) -> dict[str, Any]:
    """Images `[channels, side, side]` by name, and cells of square maps with these numbers of cells
    along a side.

    Returns:
        `images`: `[channels, side, side]` by name; `cells`: int64 `[n, 2]` per map.
    """
    plain, other, noise = pictures(rng, 3, channels, side)
    size = GRID * int(rng.integers(1, 3))
    if sizes:  # darker, so that it shows who divides by the brightest pixel of a batch
        plain, size = np.float32(0.75) * plain, max(size, LEAST * side // min(sizes))
    else:  # of the image as a whole, a network may know little but its brightness
        plain, other, size = _apart(plain / 2), (1 + other) / 2, size + 2 * GRID
    places = (side - size) // GRID + 1
    top, left = GRID * rng.integers(0, places, 2)
    while sizes and abs(top - left) < size + FAR:  # so that swapped rows and columns show
        top, left = GRID * rng.integers(0, places, 2)
    inside = _square(side, top, left, size, 0)
    reached = _square(side, top, left, size, BESIDE if sizes else 0)
    around = np.where(reached, plain, other)
    made = {"plain": plain, "other": np.where(inside, other, around),
            "patched": np.where(inside, other, plain), "around": around,
            "shuffled": _shuffled(rng, plain),
            "close": plain + np.float32(STEP) * noise, "black": np.zeros_like(plain)}
    cells = []
    for count in sizes:
        near = np.argwhere(_cells(inside, count, np.all))
        corners = near[((near == near[0]) | (near == near[-1])).all(axis=1)]
        far = np.argwhere(~_cells(_square(side, top, left, size, FAR), count, np.any))
        cells.append(rng.permutation(np.concatenate([
            corners, corners[:, ::-1], np.clip(corners, near[0] + 1, near[-1] - 1),
            rng.permutation(near)[:int(rng.integers(1, 5))],
            rng.permutation(far)[:int(rng.integers(12, 17))]])))
    return {"images": {name: made[name] for name in rng.permutation(list(names)).tolist()},
            "cells": cells}


def alone(rng: np.random.Generator, names: Sequence[str], more: int) -> list[list[str]]:
    """Passes of one image each: all of them, and so many more of some of them."""
    return [[name] for name in _mixed(rng, names, more)]


def together(rng: np.random.Generator, names: Sequence[str], more: int) -> list[list[str]]:
    """A pass of all images and copies of so many and one, and a pass of the dark one alone."""
    return [_mixed(rng, names, 1 + more), ["plain"]]


def crowd(rng: np.random.Generator, names: Sequence[str]) -> list[list[str]]:
    """A pass of all images and a copy of one, in which chance shows."""
    return [_mixed(rng, names, 1)]


def _mixed(rng: np.random.Generator, names: Sequence[str], more: int) -> list[str]:
    return [str(name) for name in rng.permutation([*names, *rng.choice(names, more)])]


def _square(side: int, top: int, left: int, size: int, margin: int) -> Array:
    """bool `[side, side]`: true in a square and up to `margin` around it."""
    inside = np.zeros((side, side), bool)
    inside[max(0, top - margin):top + size + margin,
           max(0, left - margin):left + size + margin] = True
    return inside


def _apart(image: Array) -> Array:
    """An image `[C, H, W]` in which every second block remains, away from others and the border."""
    small = np.full_like(image[:, ::BLOCK, ::BLOCK], image.max() / 2)
    small[:, 1:-1:2, 1:-1:2] = image[:, ::BLOCK, ::BLOCK][:, 1:-1:2, 1:-1:2]
    return small.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)


def _shuffled(rng: np.random.Generator, image: Array) -> Array:
    """The same of those blocks in other places: what is beside each of them stays the same."""
    small = image[:, ::BLOCK, ::BLOCK].copy()
    blocks: Array = small[:, 1:-1:2, 1:-1:2]
    order = rng.permutation(blocks[0].size)
    small[:, 1:-1:2, 1:-1:2] = blocks.reshape(len(image), -1)[:, order].reshape(blocks.shape)
    return small.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)


def _cells(pixels: Array, count: int, of: Callable[..., Array]) -> Array:
    """bool `[count, count]`: the cells of which `all` or `any` pixels are true."""
    size = len(pixels) // count
    return of(pixels.reshape(count, size, count, size), axis=(1, 3))


class Seen:
    """What came back.

    Args:
        expected: what the solution answered; an output that has no values there is not looked at.
        what: how outputs are called in messages: "map" or "output".
        ordered: outputs must come in their order; else those are looked at that are in their place.

    Raises:
        Wrong: outputs have other shapes, or hold nan or infinity.
    """

    def __init__(self, answer: Any, expected: Any, question: Question, what: str,
                 ordered: bool = True) -> None:
        self.question, self.expected, self.what = question, expected, what
        shapes, values = entries(answer, ("shapes", "values"), "the answer")
        self.moved: set[int] = set()
        self._compare(shapes, ordered)
        self.passes = [self.values(got, like) for got, like in zip(
            sequence(values, len(expected["values"]), "the passes"), expected["values"])]

    def _compare(self, shapes: Any, ordered: bool) -> None:
        should = self.expected["shapes"]
        for got, want in zip(sequence(shapes, len(should), "the passes"), should):
            if not ordered and isinstance(got, list) and sorted(map(str, got)) == sorted(
                    map(str, want)) and any(map(operator.eq, got, want)):
                self.moved |= {i for i in range(len(want)) if got[i] != want[i]}
                continue
            if got != want and len(want) > 1:
                raise Wrong(f"the {self.what}s should have the shapes {want}, but have "
                            f"{got}"[:SHOWN] + ".")
            if got != want:
                shown = got[0] if isinstance(got, list) and len(got) == 1 else got
                raise Wrong(f"the {self.what} should have the shape {want[0]}, but has "
                            f"{shown}"[:SHOWN] + ".")

    def values(self, got: Any, alike: list[Array | None]) -> dict[int, Array]:
        """The values of a pass by the index of the output, in the shapes of the solution's."""
        found = {}
        for index, (value, like) in enumerate(zip(
                sequence(got, len(alike), f"the {self.what}s"), alike)):
            if like is not None and index not in self.moved:
                if value is None:
                    raise Wrong(f"for a batch of one image, {self.what} {index} has other "
                                "dimensions than for a larger batch. Is there a squeeze()?")
                value = array(value, f"{self.what} {index}", like.shape, "float")
                if not np.isfinite(value).all():
                    raise Wrong(f"a {self.what} holds nan or infinity.")
                found[index] = value.astype(np.float64)
        return found

    def of(self, name: str, index: int) -> Array:
        """An output for an image, in the first pass that this is in: `[C, n]` or `[C]`."""
        number, names = next((number, names) for number, names
                             in enumerate(self.question.inputs["passes"]) if name in names)
        return self.passes[number][index][names.index(name)]

    def change(self, name: str, index: int) -> Array:
        """How much an output differs from that of the plain image, per cell if it is a map."""
        difference = np.abs(self.of(name, index) - self.of("plain", index))
        return difference.mean(axis=0) if difference.ndim > 1 else difference

    def near(self, index: int) -> Array:
        """bool `[n]`: which of the cells (or numbers) of an output see the region that changes."""
        cells, images = self.question.inputs["cells"], self.question.inputs["images"]
        if not cells:
            return np.ones(len(self.of("plain", index)), bool)
        changed = (images["patched"] != images["plain"]).any(axis=0)
        seen = _cells(changed, self.expected["shapes"][0][index][-1], np.any)
        return seen[tuple(cells[index].T)]

    def signal(self, index: int) -> float:
        """How much the region changes an output there; nan where nothing of it is seen."""
        changes = self.change("patched", index)[self.near(index)]
        return float(changes.mean()) if len(changes) else math.nan

    def beyond(self, index: int) -> list[float]:
        """How much an output changes inside the region with what lies around it; numbers with that,
        and with the order of the parts."""
        if self.question.inputs["cells"]:
            return [float(self.change("around", index)[self.near(index)].max(initial=0))]
        return [float(self.change(name, index).mean()) for name in ("around", "shuffled")]

    def linear(self, index: int) -> bool:
        """Whether a region and what lies around it add up to what both do together."""
        both = self.of("patched", index) + self.of("around", index) - self.of("plain", index)
        return bool(np.abs(both - self.of("other", index)).max()
                    <= SURROUNDINGS * self.signal(index))

    def agree(self, name: str, value: Array, index: int) -> bool:
        """Whether the output `value` is that of the image `name`."""
        return self.small(self.of(name, index) - value, index)

    def small(self, difference: Array, index: int) -> bool:
        """Whether a difference of outputs is small beside what images make."""
        limit = max(NOISE * self.signal(index), self.rounding(index))
        return bool(np.abs(difference).mean() <= limit)

    def rounding(self, index: int) -> float:
        """What rounding may change of an output."""
        return ROUNDING * max(1.0, float(np.abs(self.of("plain", index)).max()))


def named(judge: Callable[[Any, Any, Question], None]) -> Callable[[Any, Any, Question], None]:
    """Decorator of a check: what is also wrong with `expected`, then that of a known mistake, is
    not held against an answer. So a mistake is named whatever the weights are."""
    @functools.wraps(judge)
    def judged(answer: Any, expected: Any, question: Question) -> None:
        try:
            judge(answer, expected, question)
        except Wrong as wrong:
            try:
                judge(expected, expected, question)
            except Wrong as known:
                if NUMBERS.sub("", str(known)) == NUMBERS.sub("", str(wrong)):
                    return
            raise

    return judged


def depends(seen: Seen) -> None:
    """All outputs show where the image has changed, and the first map most at that place; they look
    at more than a pixel or cell; an image that is passed again, alone or in a batch, has the same
    values.

    Raises:
        Wrong: one of them does not.
    """
    passes = seen.question.inputs["passes"]
    for names, outputs in zip(passes, seen.passes):
        for index, values in outputs.items():
            if not all(seen.agree(name, value, index) for name, value in zip(names, values)):
                raise Wrong(CHANCE if names is passes[0] else _other(seen))
    for index in seen.passes[0]:
        if wrong := _independent(seen, index):
            raise Wrong(wrong)


def _other(seen: Seen) -> str:
    """What is wrong where another pass than the first one has other values for an image alone."""
    return COMPANY if len(seen.question.inputs["passes"][0]) > 1 else STATE


def _independent(seen: Seen, index: int) -> str:
    """In what way an output does not depend on the image as it should; "" if it does."""
    near, change = seen.near(index), seen.change("patched", index)
    if not near.any():  # the maps of a known mistake may be of another size
        return ""
    far, signal = change[~near], seen.signal(index)
    # Coarse maps may see all of the image, and mix it.
    if index == 0 and len(far) and FOCUS * far.mean() >= max(signal, seen.rounding(index)):
        return (f"where a region of the image changes, {seen.what} {index} changes no more than "
                "far away. Are rows and columns swapped?")
    if not signal > seen.rounding(index):
        return (f"{seen.what} {index} does not depend on the image: a region of it changes, and "
                "the values there stay the same.")
    if not min(seen.beyond(index)) > SURROUNDINGS * signal:
        return (f"{seen.what} {index} looks at little more than single pixels or cells: it hardly "
                "changes with what lies some pixels away from them.")
    plain = seen.of("plain", index).reshape(len(seen.of("plain", index)), -1)
    moved = np.max([np.abs(seen.of(name, index).reshape(plain.shape) - plain).max(axis=1)
                    for name in ("patched", "around")], axis=0)
    # Where an image makes little of a difference, rounding may hide that of one number.
    still = (moved <= seen.rounding(index)) & (signal > 100 * seen.rounding(index))
    if seen.what == "output":  # a ReLU may be closed everywhere, and a sigmoid saturated
        still &= (np.abs(plain - 0.5) < 0.49).all(axis=1)
    if 2 * still.sum() > len(still):  # without training, a single one may well be
        return (f"most numbers of {seen.what} {index} (channels or coordinates) are the same for "
                f"every image, the first one number {still.argmax()}.")
    return ""


def usable(answer: Any, expected: Any, question: Question, what: str,
           ordered: bool = True) -> None:
    """As `depends`; and repeatable, saved with the weights, smooth, with the gradient that the
    values have, not too large.

    Raises:
        Wrong: one of these does not hold.
    """
    seen = Seen(answer, expected, question, what, ordered)
    *others, slopes, parameters, reached = entries(
        answer, ("again", "loaded", "slopes", "parameters", "reached"), "the answer")
    alike = [None if like is None else like[:1] for like in expected["values"][0]]
    again, loaded = (seen.values(other, alike) for other in others)
    depends(seen)
    # Both were alone, so that what is computed over a batch makes no difference.
    if not all(seen.small(loaded[index] - value, index) for index, value in again.items()):
        raise Wrong("a new network that loads the state_dict() of this one answers otherwise: "
                    "some layers are not in it. Layers in a plain list or dict are neither "
                    "trained nor saved; keep them in nn.ModuleList, nn.ModuleDict or as "
                    "attributes.")
    if not all(seen.agree("plain", value[0], index) for index, value in again.items()):
        raise Wrong(_other(seen))
    slopes = sequence(slopes, len(alike), "the slopes")
    for index in loaded:
        plain, signal = seen.of("plain", index), seen.signal(index)
        step = float(((seen.of("close", index) - plain) ** 2).sum())
        slope = float(array(slopes[index], f"the slope of {what} {index}", ()))
        if not SLOPES[0] * step <= slope <= SLOPES[1] * step:
            raise Wrong(f"{what} {index} passes no gradient on to the image, or another one than "
                        "its values have: something on the way is detached." + (
                            " Or is there a ReLU behind it? Some of its values are 0."
                            * bool((plain == 0).any())))
        if seen.linear(index):
            raise Wrong(f"{what} {index} is a linear function of the image: is there an activation "
                        "between the layers?")
        if not seen.change("close", index).mean() < max(signal, *seen.beyond(index)):
            raise Wrong(f"{what} {index} changes as much with a little noise in the image as with "
                        "another image.")
    if array(reached, "the number of parameters", ()) < FEWEST_PARAMETERS:
        raise Wrong(f"gradients reach {reached} of the {parameters} numbers in parameters() of the "
                    "network: layers are attributes of the module, and their weights require "
                    "gradients and are not detached, or no optimizer can train them.")
    if array(parameters, "the number of parameters", ()) > MAX_PARAMETERS:
        raise Wrong(f"the network has {parameters:,} parameters; {MAX_PARAMETERS:,} are allowed.")
