"""Shapes: pixels, boxes and visibility."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from datasets import constants, shapes
from datasets.shapes import Shape

RED, GREEN, BLUE = shapes.CLASS_COLOURS
CIRCLE, SQUARE, TRIANGLE = range(3)


@st.composite
def any_shape(draw):
    label = draw(st.integers(0, 2))
    size = draw(st.integers(*shapes.SIZE_RANGES[label]))
    centre = st.integers(size // 2, constants.IMAGE_SIZE - size // 2)
    return Shape(label, draw(centre), draw(centre), size, shapes.CLASS_COLOURS[label])


def owner_image(scene):
    """Draw shape i with the value i + 1, with Pillow's own calls in the order of the scene."""
    image = Image.new("L", (constants.IMAGE_SIZE, constants.IMAGE_SIZE), 0)
    pen = ImageDraw.Draw(image)
    for index, shape in enumerate(scene, 1):
        x1, y1, x2, y2 = shape.box
        look = {"fill": index, "outline": index, "width": 2}
        if shape.label == CIRCLE:
            pen.ellipse(shape.box, **look)
        elif shape.label == SQUARE:
            pen.rectangle(shape.box, **look)
        else:
            pen.polygon([(shape.x, y1), (x1, y2), (x2, y2)], **look)
    return np.array(image)


@given(st.lists(any_shape(), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_visibility_is_the_share_of_own_pixels_that_show(scene):
    owners = owner_image(scene)
    for index, (shape, row) in enumerate(zip(scene, shapes.annotate(scene)), 1):
        expected = (owners == index).sum() / (owner_image([shape]) == 1).sum()
        assert row["visibility"] == pytest.approx(expected, abs=1e-12)


@given(st.lists(any_shape(), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_every_pixel_shows_its_owner_or_an_outline(scene):
    owners, image = owner_image(scene), np.array(shapes.render(scene))
    for index, colour in enumerate([(255, 255, 255), *(shape.colour for shape in scene)]):
        pixels = image[owners == index]
        is_colour, is_black = (pixels == colour).all(axis=1), (pixels == 0).all(axis=1)
        assert (is_colour | is_black).all()
        assert index or is_colour.all()


@given(any_shape())
@settings(max_examples=60, deadline=None)
def test_box_is_the_bounding_box_of_the_pixels(shape):
    rows, columns = np.nonzero((np.array(shapes.render([shape])) != 255).any(axis=2))
    last = constants.IMAGE_SIZE - 1
    expected = tuple(min(edge, last) for edge in shape.box)
    found = columns.min(), rows.min(), columns.max(), rows.max()
    # The corners of a triangle are sharp: Pillow may leave out their last pixel.
    assert np.abs(np.subtract(found, expected)).max() <= (shape.label == TRIANGLE)


def test_colours_outline_and_apex():
    scene = [Shape(CIRCLE, 20, 20, 32, RED), Shape(SQUARE, 80, 40, 60, GREEN)]
    scene.append(Shape(TRIANGLE, 100, 150, 101, BLUE))
    image = np.array(shapes.render(scene))
    assert image.shape == (224, 224, 3)
    assert tuple(image[20, 20]) == RED
    assert tuple(image[40, 80]) == GREEN
    assert tuple(image[180, 100]) == BLUE
    assert [tuple(image[40, x]) for x in (49, 50, 51, 52)] == [
        (255, 255, 255), (0, 0, 0), (0, 0, 0), GREEN]
    assert tuple(image[100, 100]) == (0, 0, 0)  # apex: centre 150 - 101 // 2
    assert tuple(image[200, 60]) == (0, 0, 0)  # base


def test_annotation_of_a_covered_square():
    # The second square covers columns 70..110 of the first one's 50..110: 41 of 61.
    scene = [Shape(SQUARE, 80, 80, 60, GREEN), Shape(SQUARE, 105, 80, 70, GREEN)]
    covered, on_top = shapes.annotate(scene)
    assert covered == {"category_id": SQUARE, "bbox": [50, 50, 110, 110], "area": 3600,
                       "visibility": pytest.approx(20 / 61)}
    assert on_top["visibility"] == 1


def test_odd_size_halves_down_in_the_box_and_not_in_the_area():
    (row,) = shapes.annotate([Shape(CIRCLE, 100, 50, 17, RED)])
    assert row["bbox"] == [92, 42, 108, 58]
    assert row["area"] == 289


def test_box_iou():
    assert shapes.box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert shapes.box_iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0  # touching
    assert shapes.box_iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1


def test_annotation_file_counts_ids_up():
    one, two = [Shape(CIRCLE, 50, 50, 20, RED)], [Shape(SQUARE, 80, 80, 60, GREEN)] * 2
    content = shapes.annotation_file([shapes.annotate(one), shapes.annotate(two)], 7, 30)
    assert [image["file_name"] for image in content["images"]] == ["000007.png", "000008.png"]
    assert [(r["id"], r["image_id"]) for r in content["annotations"]] == [(30, 7), (31, 8), (32, 8)]
    assert [c["name"] for c in content["categories"]] == ["circle", "square", "triangle"]
    assert list(content["annotations"][0]) == [
        "id", "image_id", "category_id", "bbox", "area", "visibility"]
