"""Detection images: circles, squares and triangles on white.

A scene is a list of `Shape` in drawing order: later shapes cover earlier ones. The box of a
shape is `(x1, y1, x2, y2)` in pixels, x right, y down, and both edges belong to it: Pillow
draws a box of side s on s + 1 pixels, the last of which falls off the image at x2 = 224.
"""

from functools import cache
from typing import NamedTuple

from PIL import Image, ImageDraw

from datasets.constants import CLASSES, IMAGE_SIZE

SIZE_RANGES = ((16, 32), (48, 96), (96, 192))
CLASS_COLOURS = ((255, 0, 0), (0, 128, 0), (0, 0, 255))  # "red", "green", "blue" in Pillow
OUTLINE_WIDTH = 2


class Shape(NamedTuple):
    """One object: class index, centre and size in pixels, RGB fill."""

    label: int
    x: int
    y: int
    size: int
    colour: tuple[int, int, int]

    @property
    def box(self) -> tuple[int, int, int, int]:
        half = self.size // 2
        return self.x - half, self.y - half, self.x + half, self.y + half


def box_iou(a, b) -> float:
    """Return the IoU of two xyxy boxes; boxes that only touch have IoU 0."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return intersection / (area_a + area_b - intersection)


def render(shapes: list[Shape]) -> Image.Image:
    """Return the RGB image, 224 x 224, of a scene."""
    image = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), "white")
    pen = ImageDraw.Draw(image)
    for shape in shapes:
        _draw(pen, shape.label, shape.box, shape.colour, "black")
    return image


def _draw(pen: ImageDraw.ImageDraw, label: int, box, fill, outline) -> None:
    look = {"fill": fill, "outline": outline, "width": OUTLINE_WIDTH}
    x1, y1, x2, y2 = box
    if CLASSES[label] == "circle":
        pen.ellipse(box, **look)
    elif CLASSES[label] == "square":
        pen.rectangle(box, **look)
    else:
        pen.polygon([((x1 + x2) // 2, y1), (x1, y2), (x2, y2)], **look)


@cache
def stamp(label: int, size: int) -> Image.Image:
    """Return a shape's pixels as a "1" mask of the size of its box."""
    side = size // 2 * 2
    mask = Image.new("1", (side + 1, side + 1), 0)
    _draw(ImageDraw.Draw(mask), label, (0, 0, side, side), 1, 1)
    return mask


class OwnerMap:
    """Which shape each pixel shows: 0 for the background, i + 1 for shape i."""

    def __init__(self) -> None:
        self.pixels = Image.new("L", (IMAGE_SIZE, IMAGE_SIZE), 0)
        self.own: list[int] = []  # pixels of each shape before later ones cover it
        self.shown: list[int] = []  # of these, the ones that still show

    def hidden_by(self, shape: Shape) -> list[int]:
        """Return how many shown pixels each earlier shape would lose to `shape`."""
        under = self.pixels.crop(_pixel_box(shape))
        if under.getbbox() is None:  # nothing but background, the common case
            return [0] * len(self.own)
        return under.histogram(stamp(shape.label, shape.size))[1 : len(self.own) + 1]

    def add(self, shape: Shape) -> None:
        """Draw `shape` over the earlier ones."""
        self.shown = [shown - lost for shown, lost in zip(self.shown, self.hidden_by(shape))]
        index = len(self.own) + 1
        self.pixels.paste(index, shape.box[:2], stamp(shape.label, shape.size))
        pixels = self.pixels.crop(_pixel_box(shape)).histogram()[index]
        self.own.append(pixels)
        self.shown.append(pixels)


def _pixel_box(shape: Shape) -> tuple[int, int, int, int]:
    """Return the pixels of a shape's box as Pillow counts them, right and bottom excluded."""
    x1, y1, x2, y2 = shape.box
    return x1, y1, x2 + 1, y2 + 1


def annotate(shapes: list[Shape]) -> list[dict]:
    """Return one JSON row per shape, without ids.

    `visibility` is the share of the shape's own pixels that later shapes do not cover.
    """
    owners = OwnerMap()
    for shape in shapes:
        owners.add(shape)
    return [{"category_id": shape.label, "bbox": list(shape.box), "area": shape.size**2,
             "visibility": shown / own}
            for shape, shown, own in zip(shapes, owners.shown, owners.own)]


def annotation_file(rows_of_images: list[list[dict]], first_image: int, first_row: int) -> dict:
    """Return the JSON content of a split, given the rows of each image; ids count up from
    `first_image` and `first_row`."""
    ids = range(first_image, first_image + len(rows_of_images))
    every_row = [(image_id, row) for image_id, rows in zip(ids, rows_of_images) for row in rows]
    return {
        "images": [{"id": image_id, "file_name": f"{image_id:06d}.png", "width": IMAGE_SIZE,
                    "height": IMAGE_SIZE} for image_id in ids],
        "annotations": [{"id": row_id, "image_id": image_id, **row}
                        for row_id, (image_id, row) in enumerate(every_row, first_row)],
        "categories": [{"id": label, "name": name} for label, name in enumerate(CLASSES)]}
