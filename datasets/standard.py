"""The look of the course's images, without what cannot be learned from pixels.

Each image draws from a stream of its own, seeded by "seed/dataset/split/index", so any image
can be made alone and in any order. (Python seeds from a string through SHA-512, the same in
every version and on every platform.)

Every shape stays at least half visible and overlaps no other with an IoU above .3. Each hand
stays on its own side of the body, so that its name can be read off the image.
"""

import colorsys
import random

from datasets import shapes, stick_figures
from datasets.classic import MAX_IOU, POSITION_TRIES, random_place
from datasets.constants import CLASSES

MIN_VISIBILITY = 0.5
SHAPE_TRIES = 100  # crowded images still take small circles: none of 28,000 ran out


def shape_scene(seed: int, split: str, index: int, palette: str) -> list[shapes.Shape]:
    """Return detection image `index` of a split: 2 to 5 shapes, all at least half visible, in the
    colours of a palette."""
    rng = random.Random(f"{seed}/detection/{split}/{index}")
    owners = shapes.OwnerMap()
    scene: list[shapes.Shape] = []
    for _ in range(rng.randint(2, 5)):
        shape = _free_shape(rng, scene, owners)
        if shape is not None:
            scene.append(shape)
            owners.add(shape)
    if palette == "random":  # after all shapes, so that a palette changes nothing but colours
        scene = [shape._replace(colour=_saturated_colour(rng)) for shape in scene]
    return scene


def _free_shape(rng: random.Random, scene: list[shapes.Shape],
                owners: shapes.OwnerMap) -> shapes.Shape | None:
    """Draw a shape until one has a place; None when `SHAPE_TRIES` shapes found none."""
    for _ in range(SHAPE_TRIES):
        label = rng.randrange(len(CLASSES))
        size = rng.randint(*shapes.SIZE_RANGES[label])
        for _ in range(POSITION_TRIES):
            shape = random_place(rng, label, size)
            if _fits(shape, scene, owners):
                return shape
    return None


def _fits(shape: shapes.Shape, scene: list[shapes.Shape], owners: shapes.OwnerMap) -> bool:
    if any(shapes.box_iou(shape.box, other.box) > MAX_IOU for other in scene):
        return False
    return all(shown - lost >= MIN_VISIBILITY * own
               for own, shown, lost in zip(owners.own, owners.shown, owners.hidden_by(shape)))


def _saturated_colour(rng: random.Random) -> tuple[int, int, int]:
    hue, saturation, value = rng.random(), rng.uniform(0.7, 1), rng.uniform(0.6, 1)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return int(255 * red), int(255 * green), int(255 * blue)


def figure_scene(seed: int, split: str, index: int) -> list[stick_figures.Point]:
    """Return keypoint image `index` of a split: arms 15 to 150 degrees off straight down."""
    rng = random.Random(f"{seed}/keypoints/{split}/{index}")
    cx, cy = rng.randint(40, 88), rng.randint(40, 88)
    left_angle, right_angle = rng.uniform(15, 150), rng.uniform(15, 150)
    left_leg, right_leg = rng.uniform(10, 30), rng.uniform(10, 30)
    return stick_figures.pose(cx, cy, left_angle, right_angle, left_leg, right_leg)
