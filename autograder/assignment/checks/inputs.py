"""Random inputs of the checks: boxes, anchors, prediction maps. numpy only.

All take the check's own random generator, so that public and hidden inputs are of one kind and
differ in structure (how many, in which order, which of them hit) as well as in numbers: the answer
to a public question is wrong on a hidden one.
"""

from collections.abc import Sequence

import numpy as np


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number in `low..high`, both included."""
    return int(rng.integers(low, high + 1))


def boxes(rng: np.random.Generator, count: int, low: float = 8, high: float = 90,
          size: float = 224) -> np.ndarray:
    """float32 `[count, 4]` xyxy boxes with sides in `low..high` inside a square image of `size`
    pixels."""
    side = rng.uniform(low, high, (count, 2))
    corner = rng.uniform(0, 1, (count, 2)) * (size - side)
    return np.concatenate([corner, corner + side], axis=1).astype(np.float32)


def beside(rng: np.random.Generator, some: np.ndarray, count: int) -> np.ndarray:
    """float32 `[count, 4]`: boxes that overlap some of the given ones, whose sides are >= 20."""
    near = some[rng.integers(0, len(some), count)]
    return (near + rng.uniform(-5, 5, near.shape)).astype(np.float32)


def rows(*values: tuple[float, ...]) -> np.ndarray:
    """float32 array of the given rows."""
    return np.array(values, dtype=np.float32)


def shift(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes moved together by whole pixels: another input with the same IoUs, exactly."""
    dx, dy = rng.integers(0, 60, 2)
    return (array + np.array([dx, dy, dx, dy])).astype(np.float32)


def square_grid(side: int, scales: Sequence[int], image_size: int) -> np.ndarray:
    """Anchors of one square map of `side` cells, as `generate_anchors` makes them; pixels."""
    centre = (np.arange(side) + 0.5) * image_size / side
    y, x, half = np.meshgrid(centre, centre, np.array(scales) / 2, indexing="ij")
    return np.stack([x - half, y - half, x + half, y + half], -1).reshape(-1, 4).astype(np.float32)


def quiet_map(images: int, anchors: int, side: int, classes: int = 3) -> np.ndarray:
    """A prediction map `[images, anchors * (5 + classes), side, side]` of zeros in which no anchor
    sees an object."""
    prediction = np.zeros((images, anchors, 5 + classes, side, side), np.float32)
    prediction[:, :, 4] = -30
    return prediction.reshape(images, anchors * (5 + classes), side, side)


def plant(prediction: np.ndarray, image: int, anchor: int, row: int, column: int,
          offsets: tuple[float, float, float, float], objectness: float,
          logits: tuple[float, ...]) -> None:
    """Write one anchor's prediction into its place of a map of `quiet_map`: offsets (tx, ty, tw,
    th), objectness and class logits before sigmoid and softmax."""
    channels = 5 + len(logits)
    begin = anchor * channels
    prediction[image, begin:begin + channels, row, column] = [*offsets, objectness, *logits]


def offsets(box: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """The `(tx, ty, tw, th)` with which an anchor predicts a box, both `[4]`."""
    (centre, size), (anchor_centre, anchor_size) = (
        ((b[:2] + b[2:]) / 2, b[2:] - b[:2]) for b in (box.astype(np.float64), anchor))
    return np.concatenate([(centre - anchor_centre) / anchor_size, np.log(size / anchor_size)])


def pictures(rng: np.random.Generator, count: int, channels: int, side: int) -> np.ndarray:
    """float32 `[count, channels, side, side]` in 0..1, of random blocks, which compress well."""
    blocks = rng.integers(0, 256, (count, channels, side // 8, side // 8)) / 255
    return blocks.repeat(8, axis=2).repeat(8, axis=3).astype(np.float32)
