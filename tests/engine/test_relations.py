"""Simple relations between wrong and right values are told, and nothing else is."""

import numpy as np
import pytest

from autograder.engine.compare import Wrong, close
from autograder.engine.relations import relation

BOXES = np.array([[10.0, 20, 31, 47], [5, 6, 17, 28], [1, 2, 4, 8]])
VALUES = np.array([[0.31, 1.7, -2.45], [3.2, 0.55, 7.1]])


@pytest.mark.parametrize(("got", "want", "says"), [
    (VALUES * 2, VALUES, "Each wrong value is v * 2, with v for the right one."),
    (VALUES / 224, VALUES, "Each wrong value is v / 224, with v for the right one."),
    (-VALUES, VALUES, "Each wrong value is v * -1, with v for the right one."),
    (VALUES - 0.5, VALUES, "Each wrong value is v - 0.5, with v for the right one."),
    (np.floor(VALUES), VALUES, "Each wrong value is floor(v), with v for the right one."),
    (np.array([2.0, 4.0]), np.array([1.7, 3.6]),
     "Each wrong value is ceil(v), with v for the right one."),  # of rounded ones two are enough
    (VALUES * 2 - 1, VALUES, "Each wrong value is v * 2 - 1, with v for the right one."),
    (VALUES - 86, VALUES, "Each wrong value is v - 86, with v for the right one."),
    (VALUES / np.log(2), VALUES, "Each wrong value is v / log(2), with v for the right one."),
    (BOXES / [31, 37, 31, 37], BOXES,
     "The values are right, but x is divided by 31 and y by 37 (the size of the image?)."),
    (VALUES ** 2, VALUES, "Each wrong value is v ** 2, with v for the right one."),
    (VALUES * 0, VALUES, "Each wrong value is 0."),
    (VALUES.clip(0, 3.2), VALUES, "Each wrong value is clip(v, 0, 3.2), with v for the right one."),
    # what is right does not matter
    (np.where(BOXES > 5, BOXES + 1, BOXES), BOXES,
     "Each wrong value is v + 1, with v for the right one."),
    (BOXES[:, [1, 0, 3, 2]], BOXES,
     "The values are right, but columns 0 and 1 are swapped, and 2 and 3 (x and y?)."),
    (np.hstack([BOXES[:, :2], BOXES[:, :2] + BOXES[:, 2:]]), BOXES,
     "The values are right, but columns 2 and 3 have columns 0 and 1 added (corners read as "
     "x, y, width, height?)."),
    (BOXES[:, [1, 0]], BOXES[:, :2],
     "The values are right, but both columns are swapped (x and y?)."),
    (BOXES[:, :3].T, BOXES[:, :3], "The values are right, but rows and columns are swapped."),
    (VALUES[::-1], VALUES, "The values are right, but dimension 0 runs backwards."),
])
def test_what_is_told(got, want, says):
    assert relation(got, want) == says


@pytest.mark.parametrize(("got", "want"), [
    (VALUES + np.arange(6).reshape(2, 3), VALUES),
    (np.where(VALUES > 3, VALUES * 2, VALUES), VALUES),  # two values agree with anything
    (np.full_like(VALUES, np.nan), VALUES),
    (np.full_like(VALUES, np.inf), VALUES),
    (VALUES * 1.001, VALUES),  # a rounding has no factor
    (np.ones((2, 0)), np.ones((2, 0))),
])
def test_what_is_not_told(got, want):
    assert relation(got, want) == ""


def test_a_message_ends_with_it():
    with pytest.raises(Wrong) as caught:
        close(BOXES + 1, BOXES, "boxes")
    assert str(caught.value) == ("boxes[0, 0] should be 10, but is 11. 12 of 12 values differ. "
                                 "Each wrong value is v + 1, with v for the right one.")
