"""What a picture must show, whatever its style: judged by its pixels, on inputs of this run.

An image is drawn twice with the same boxes or points, once with dark and light exchanged. What
differs between both pictures is the image; what does not, in the middle of its blocks, lies on it.
Before, something else is drawn, of which no trace may be left: pyplot draws on in an open figure.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...engine.compare import Array, Wrong, kind, sequence

SIDES = LEAST, MOST = 50, 800  # pixels: the smallest picture, and what comes back of larger ones
BLOCK = 16  # pixels of an image; boxes and points lie on the centres of blocks (nodes)
# A block is looked at up to here from its centre: further out, scaling blends it with others.
REACH = 0.36
FADED = 0.65  # of what an image changes elsewhere: where it changes less, something covers it
FREE = 0.25  # of the nodes, those that nothing covers, at least
SHOWN = 0.9  # nodes, of those that are not covered, that must be like the image's
DRAWN = 0.9  # of the nodes of boxes and points, those that must be covered, ...
CONTRAST = 0.3  # ... and by how much more often than others: labels and legends cover some as well
FULL = 0.9  # of the nodes inside of boxes, those that are hidden where boxes are filled
HIDDEN = 0.85  # like FADED, in the middle of a block: what pales the image by a sixth hides it
STILL = 0.2  # pictures of the same counts differ by less than this share of what others do
EDGE = 24  # levels of grey; less is none
LINE = 3  # pixels of a line, at most, that crosses a whole image
STRIPS = 50  # of a picture of curves, from left to right
ORDERED = 0.8  # of the pairs of strips, one that goes up and one that goes down, must be in order


def drawn(answer: Any, count: int, what: str) -> list[Array]:
    """`count` pictures as float `[H, W]`, or `Wrong`; `answer` has the bytes of each file, `what`
    names one in messages."""
    pictures = sequence(answer, count, "the pictures")
    for picture in pictures:
        if not (isinstance(picture, np.ndarray) and picture.dtype == np.uint8
                and picture.ndim == 2 and min(picture.shape) >= LEAST
                and max(picture.shape) <= MOST):
            found = picture if isinstance(picture, str) else kind(picture)
            raise Wrong(f"{what} should be a PNG of at least {LEAST} x {LEAST} pixels, but "
                        f"{found[:80]} was found there.")
        if np.ptp(picture) < EDGE:
            raise Wrong(f"{what} is empty: all of it has one colour. Save the figure that you have "
                        "drawn in, and before plt.show(), which leaves a new one.")
    return [picture.astype(np.float64) for picture in pictures]


def blocks(rng: np.random.Generator, channels: int, count: int) -> tuple[Array, Array]:
    """Two images float32 `[channels, H, W]` of `count` x `count` dark and light blocks, the second
    one with dark and light exchanged."""
    pattern = rng.random((count, count)) < 0.5
    dark, light = rng.uniform(0.05, 0.25, channels), rng.uniform(0.75, 0.95, channels)
    large = pattern.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    first, second = (np.where(where, light[:, None, None], dark[:, None, None]).astype(np.float32)
                     for where in (large, ~large))
    return first, second


def nodes(points: Iterable[Sequence[int]]) -> Array:
    """float32 `[n, 2 or 4]`: nodes (column, row, ...) in pixels."""
    return (np.asarray(list(points), np.float32) + np.float32(0.5)) * BLOCK


def _corners(marks: Array) -> Array:
    """int `[n, 4]`: nodes of boxes `[n, 4]` in pixels, or points `[n, 2]`, which have no size."""
    return np.tile(marks // BLOCK, 4 // marks.shape[1]).astype(int)


def outlines(marks: Array, count: int) -> Array:
    """bool `[count, count]`: the nodes that the outlines of boxes pass, or points lie on."""
    found = np.zeros((count, count), bool)
    for left, top, right, bottom in _corners(marks):
        found[[top, bottom], left:right + 1] = True
        found[top:bottom + 1, [left, right]] = True
    return found


def interiors(marks: Array, count: int) -> Array:
    """bool `[count, count]`: the nodes in boxes, some of their outlines among them."""
    found = np.zeros((count, count), bool)
    for left, top, right, bottom in _corners(marks):
        found[top:bottom, left:right] = True
    return found


def shows(answer: Any, name: str, image: Array, boxes: dict[str, Array], before: Array) -> None:
    """The image is in the pictures, with marks on its nodes.

    Args:
        answer: three pictures of the function `name`, of something else, of the image and of the
            one with dark and light exchanged.
        image: `[channels, H, W]`, the first of both.
        boxes: `[n, 4]` by what is marked, or points `[n, 2]`. A title may stand in a box, but none
            is filled.
        before: what is marked in the first picture, each kind there.

    Raises:
        Wrong: something is missing.
    """
    _, first, second = drawn(answer, 3, f"what {name} writes to save_path")
    if first.shape != second.shape:
        raise Wrong(f"{name} draws images of one size in pictures of different sizes.")
    grey = image.mean(axis=0)[BLOCK // 2::BLOCK, BLOCK // 2::BLOCK]
    pattern = grey > (grey.min() + grey.max()) / 2
    best, filled, turned = dict.fromkeys(boxes, -1.0), set(), set()
    found = left = upside_down = False
    marks, inner = ({what: nodes_of(some, len(pattern)) for what, some in boxes.items()}
                    for nodes_of in (outlines, interiors))
    marked = np.logical_or.reduce(list(marks.values()))
    former = outlines(before, len(pattern))
    for rows, columns in _places(np.abs(first - second)):
        covered, hidden, sign = _nodes((first - second)[rows, columns], len(pattern))
        free = ~covered
        shown, turned_over = (
            free.mean() > FREE and abs((sign == rows)[free].mean() - 0.5) >= SHOWN - 0.5
            for rows in (pattern, pattern[::-1]))
        upside_down |= turned_over
        if not shown:
            continue
        found, others = True, ~np.logical_or.reduce([marked, *inner.values()])
        old = covered[former & ~marked].mean()
        left |= old >= DRAWN and old - covered[others & ~former].mean() > CONTRAST
        for what, where in marks.items():
            alone = where & ~np.logical_or.reduce(
                [other for key, other in marks.items() if key != what])
            share, within = covered[alone].mean(), hidden[inner[what] & ~marked]
            if covered[elsewhere := where.T & ~marked].sum() >= DRAWN * max(1, elsewhere.sum()):
                turned.add(what)
            if share >= DRAWN and len(within) and within.mean() > FULL:
                filled.add(what)
            elif share >= DRAWN:
                best[what] = max(best[what], share - covered[others].mean())
    if upside_down and not found:
        raise Wrong(f"{name} draws the image upside down: row 0 is its top row (imshow draws it so "
                    "unless origin='lower' is given, or the y axis inverted).")
    if not found:
        raise Wrong(f"the image that {name} gets is not to be seen in its picture, or very small.")
    if left:
        raise Wrong(f"the picture of {name} also shows what the call before it has drawn: begin a "
                    "new figure in each call (plt.figure()), and close it (plt.close()).")
    for what, contrast in best.items():
        if what in filled and contrast < CONTRAST:
            raise Wrong(f"{name} fills the boxes of the {what}, so that the image in them is pale "
                        "or not to be seen.")
        if contrast < CONTRAST:
            raise Wrong(f"the picture of {name} does not show the {what} on the image, at their "
                        f"place{'; at (y, x) something is drawn' * (what in turned)}.")


def _places(difference: Array) -> list[tuple[slice, slice]]:
    """Where copies of an image lie in pictures that differ by `difference`."""
    strong = difference > max(EDGE, 0.35 * difference.max())
    found = []
    for rows in _runs(strong.any(axis=1)):
        for columns in _runs(strong[rows].any(axis=0)):
            height, width = rows.stop - rows.start, columns.stop - columns.start
            down, across = max(1, round(height / width)), max(1, round(width / height))
            found += [(part, other) for part in _parts(rows, down)
                      for other in _parts(columns, across)]
    return found


def _parts(run: slice, count: int) -> list[slice]:
    """A run in equal parts: copies that touch each other."""
    ends = np.linspace(run.start, run.stop, count + 1).round().astype(int)
    return [slice(begin, end) for begin, end in pairwise(ends)]


def _runs(flags: Array) -> list[slice]:
    """Runs of true values that are long enough for an image; a line may cross them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    begins, ends = edges[::2], edges[1::2]
    apart = begins[1:] - ends[:-1] > LINE
    runs = zip(begins[np.append(True, apart)], ends[np.append(apart, True)]) if len(edges) else ()
    return [slice(begin, end) for begin, end in runs if end - begin >= LEAST]


def _nodes(difference: Array, count: int) -> tuple[Array, Array, Array]:
    """bool `[count, count]` each: nodes that something covers, those that show no image there,
    and those that got darker."""
    height, width = difference.shape
    weakest, middle = np.zeros((count, count)), np.zeros((count, count))
    for row in range(count):
        for column in range(count):
            block = difference[_inside(row, height / count), _inside(column, width / count)]
            weakest[row, column] = np.abs(block).min()
            middle[row, column] = np.median(block)
    usual = np.median(np.abs(middle))
    return weakest < FADED * usual, np.abs(middle) < HIDDEN * usual, middle > 0


def _inside(index: int, size: float) -> slice:
    """The pixels of a block that lie around its centre."""
    begin = int(np.ceil((index + 0.5 - REACH) * size - 0.5))
    return slice(begin, max(begin + 1, int((index + 0.5 + REACH) * size + 0.5)))


def moves(before: Array, after: Array, up: str, down: str, name: str) -> None:
    """From one picture of curves to the next, one part moves up and another one moves down: `up`
    and `down` are "left" and "right".

    Raises:
        Wrong: they do not.
    """
    if before.shape != after.shape:
        raise Wrong(f"{name} draws other values in a picture of another size.")
    levels, counts = np.unique(before, return_counts=True)
    empty = levels[counts.argmax()]
    change = np.abs(after - empty) - np.abs(before - empty)
    change[np.abs(change) < EDGE] = 0
    height = np.arange(len(change))[::-1, None]
    # In strips, since the dots of a dotted line move along it as well.
    strips = np.arange(STRIPS) * change.shape[1] // STRIPS
    new, old = (np.add.reduceat(np.maximum(ink, 0), strips, axis=1) for ink in (change, -change))
    mass = new.sum(axis=0), old.sum(axis=0)
    rise = ((new * height).sum(axis=0) / np.maximum(mass[0], 1)
            - (old * height).sum(axis=0) / np.maximum(mass[1], 1))
    # Ink that moved, and a little for ink that is new, as when a bar grows, or gone.
    moved = np.minimum(*mass) * rise + (mass[0] - mass[1]) * len(change) / 60
    higher, lower = np.maximum(moved, 0), np.maximum(-moved, 0)
    sides = (higher, lower) if up == "left" else (lower, higher)
    # What is amiss is told apart, for a known mistake is named by these words.
    if not moved.any():
        raise Wrong(f"{name} draws the same where one value of a curve is higher "
                    "and one lower: is each curve drawn, and all of it?")
    if _lie_before(*sides[::-1]):
        raise Wrong(f"{name} turns an axis round: larger thresholds should stand further to the "
                    "right, and higher values higher up.")
    if not _lie_before(*sides):
        raise Wrong(f"{name} does not show every value of both curves at its place. Another call "
                    "has one value higher and one lower: its picture should be higher on the "
                    f"{up}, lower on the {down} and else the same, without anything of an earlier "
                    "picture.")


def _lie_before(first: Array, second: Array) -> bool:
    """Whether nearly all that is in `first` lies left of what is in `second`."""
    pairs = (first * (second.sum() - second.cumsum())).sum()
    return bool(pairs > ORDERED * first.sum() * second.sum())


def follow(pictures: list[Array], values: list[Any], name: str) -> None:
    """Pictures `name` differ where the values that they show do, and only there.

    Raises:
        Wrong: they do not.
    """
    def apart(i: int, j: int) -> float:
        if pictures[i].shape != pictures[j].shape:
            return 255.0
        return float(np.abs(pictures[i] - pictures[j]).mean())

    pairs = [(i, j) for j in range(len(values)) for i in range(j)]
    others = [apart(i, j) for i, j in pairs if not np.array_equal(values[i], values[j])]
    same = [apart(i, j) for i, j in pairs if np.array_equal(values[i], values[j])]
    if min(others) == 0:
        raise Wrong(f"{name} is the same for other counts: it should show the numbers that there "
                    "are in each call. Colours and shares only tell how counts compare.")
    if max(same) > STILL * min(others):
        raise Wrong(f"{name} differs although the counts are the same: it should show these, in "
                    "a figure of its own.")
