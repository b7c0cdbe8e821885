"""A contact sheet: the first training images with their annotations drawn in."""

from PIL import Image, ImageDraw

from datasets import shapes, stick_figures
from datasets.constants import CLASSES, FIGURE_SIZE, KEYPOINT_NAMES
from datasets.recipe import Recipe

COLUMNS, ROWS = 6, 4
TILE = 224  # pixels
GAP = 6
LEGEND = 24  # height of the line below the tiles
LABEL = 13  # height of a box's label
DOT = 5  # radius of a keypoint's dot
BOX_COLOUR = (255, 0, 200)
KEYPOINT_COLOURS = ((230, 150, 0), (220, 30, 30), (30, 90, 230), (150, 40, 160), (0, 150, 90))


def make(recipe: Recipe, dataset: str) -> Image.Image:
    """Return the RGB sheet of up to 24 training images of "detection" or "keypoints"."""
    count = min(recipe.train, COLUMNS * ROWS)
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    step = TILE + GAP
    sheet = Image.new("RGB", (columns * step + GAP, rows * step + GAP + LEGEND), "lightgrey")
    for index, scene in enumerate(recipe.scenes(dataset, "train", count)):
        row, column = divmod(index, COLUMNS)
        tile = _shape_tile(scene) if dataset == "detection" else _figure_tile(scene)
        sheet.paste(tile, (GAP + column * step, GAP + row * step))
    _draw_legend(ImageDraw.Draw(sheet), dataset, sheet.height - LEGEND)
    return sheet


def _shape_tile(scene: list[shapes.Shape]) -> Image.Image:
    image = shapes.render(scene)
    draw = ImageDraw.Draw(image)
    for row in shapes.annotate(scene):
        x1, y1, x2, y2 = row["bbox"]
        last = TILE - 1
        draw.rectangle([x1, y1, min(x2, last), min(y2, last)], outline=BOX_COLOUR)
        label = f"{CLASSES[row['category_id']]} {row['visibility']:.0%}"
        left = min(x1, last - draw.textlength(label))
        top = y1 - LABEL if y1 >= LABEL else y1 + 1
        draw.text((left, top), label, BOX_COLOUR, stroke_width=1, stroke_fill="white")
    return image


def _figure_tile(keypoints: list[stick_figures.Point]) -> Image.Image:
    image = stick_figures.render(keypoints).convert("RGB").resize((TILE, TILE))
    draw = ImageDraw.Draw(image)
    scale = TILE / FIGURE_SIZE
    for (x, y), colour in zip(keypoints, KEYPOINT_COLOURS):
        _draw_dot(draw, (x + 0.5) * scale, (y + 0.5) * scale, colour)
    return image


def _draw_dot(draw: ImageDraw.ImageDraw, x: float, y: float, colour: tuple) -> None:
    draw.ellipse([x - DOT, y - DOT, x + DOT, y + DOT], fill=colour)


def _draw_legend(draw: ImageDraw.ImageDraw, dataset: str, top: int) -> None:
    if dataset == "detection":
        draw.text((GAP, top + 5), "box, class, visible share of its pixels", fill="black")
        return
    x = GAP
    for name, colour in zip(KEYPOINT_NAMES, KEYPOINT_COLOURS):
        _draw_dot(draw, x + DOT, top + 11, colour)
        draw.text((x + 14, top + 5), name, fill="black")
        x += 30 + int(draw.textlength(name))
