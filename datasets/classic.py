"""The course's own generator, draw for draw.

One `random.Random(seed)` feeds everything: detection training images, detection validation
images, keypoint training images, keypoint validation images. An image therefore depends on
all images before it, and on the counts. Seed 641 with 1000 + 200 images gives the boxes and
keypoints that classes already hold.
"""

import random
from functools import lru_cache

from datasets import shapes, stick_figures
from datasets.constants import CLASSES, IMAGE_SIZE

POSITION_TRIES = 50
MAX_IOU = 0.3


@lru_cache(maxsize=4)
def scenes(seed: int, train: int, val: int) -> dict[str, list]:
    """Return the scenes of all four splits, keyed "detection/train" and so on, of so many images.
    """
    rng = random.Random(seed)
    return {
        "detection/train": [shape_scene(rng) for _ in range(train)],
        "detection/val": [shape_scene(rng) for _ in range(val)],
        "keypoints/train": [figure_scene(rng) for _ in range(train)],
        "keypoints/val": [figure_scene(rng) for _ in range(val)],
    }


def shape_scene(rng: random.Random) -> list[shapes.Shape]:
    """Draw 2 to 5 shapes; one that finds no free place in 50 tries lies where it fell."""
    scene: list[shapes.Shape] = []
    for _ in range(rng.randint(2, 5)):
        label = rng.choice(range(len(CLASSES)))
        size = rng.randint(*shapes.SIZE_RANGES[label])
        for _ in range(POSITION_TRIES):
            shape = random_place(rng, label, size)
            if all(shapes.box_iou(shape.box, other.box) <= MAX_IOU for other in scene):
                break
        scene.append(shape)
    return scene


def random_place(rng: random.Random, label: int, size: int) -> shapes.Shape:
    """Draw a centre (x first) that keeps the shape's box inside the image."""
    low, high = size // 2, IMAGE_SIZE - size // 2
    x = rng.randint(low, high)
    y = rng.randint(low, high)
    return shapes.Shape(label, x, y, size, shapes.CLASS_COLOURS[label])


def figure_scene(rng: random.Random) -> list[stick_figures.Point]:
    """Draw a figure; angles of either sign let its arms cross, unseen in the pixels."""
    cx, cy = rng.randint(40, 88), rng.randint(40, 88)
    left_angle, right_angle = rng.uniform(-60, 60), rng.uniform(-60, 60)
    spread = rng.uniform(10, 30)
    return stick_figures.pose(cx, cy, left_angle, right_angle, spread, spread)
