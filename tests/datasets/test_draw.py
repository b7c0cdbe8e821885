"""Samples in memory."""

import numpy as np
import pytest

from datasets import classic, draw, shapes


@pytest.mark.parametrize("profile", ["standard", "classic"])
def test_detection_samples(profile):
    samples = draw(profile, "detection", "train", 641, 3)
    assert len(samples) == 3
    for image, boxes, labels in samples:
        assert (image.shape, image.dtype) == ((224, 224, 3), np.uint8)
        assert (boxes.shape, boxes.dtype) == ((len(labels), 4), np.float32)
        assert labels.dtype == np.int64
        assert set(labels) <= {0, 1, 2}


@pytest.mark.parametrize("profile", ["standard", "classic"])
def test_keypoint_samples(profile):
    samples = draw(profile, "keypoints", "val", 641, 3)
    assert len(samples) == 3
    for image, keypoints in samples:
        assert (image.shape, image.dtype) == ((128, 128), np.uint8)
        assert (keypoints.shape, keypoints.dtype) == ((5, 2), np.float32)


def test_standard_split_may_have_any_name_and_any_length():
    three, five = (draw("standard", "keypoints", "grading", 641, count) for count in (3, 5))
    for short, long in zip(three, five):
        np.testing.assert_array_equal(short.keypoints, long.keypoints)
    trained_on = draw("standard", "keypoints", "train", 641, 3)
    assert not np.array_equal(three[0].keypoints, trained_on[0].keypoints)


def test_classic_val_is_the_val_of_the_default_dataset():
    expected = classic.scenes(641, 1000, 200)["detection/val"][:2]
    for sample, scene in zip(draw("classic", "detection", "val", 641, 2), expected):
        np.testing.assert_array_equal(sample.boxes, [shape.box for shape in scene])
        np.testing.assert_array_equal(sample.image, np.array(shapes.render(scene)))


def test_classic_grading_has_a_stream_of_its_own():
    grading, train = (draw("classic", "detection", s, 641, 4) for s in ("grading", "train"))
    again = draw("classic", "detection", "grading", 641, 2)
    np.testing.assert_array_equal(grading[1].image, again[1].image)
    assert not np.array_equal(grading[0].image, train[0].image)
    other = draw("classic", "detection", "grading", 642, 1)
    assert not np.array_equal(grading[0].image, other[0].image)


def test_random_palette_colours_the_image_only():
    plain = draw("standard", "detection", "train", 641, 1)[0]
    coloured = draw("standard", "detection", "train", 641, 1, palette="random")[0]
    np.testing.assert_array_equal(plain.boxes, coloured.boxes)
    assert not np.array_equal(plain.image, coloured.image)


def test_no_samples():
    assert draw("standard", "detection", "train", 641, 0) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("modern", "detection", "train", 1, 1), "profile must be one of standard, classic"),
        (("standard", "faces", "train", 1, 1), "dataset must be one of detection, keypoints"),
        (("standard", "detection", "train", 1, -1), "count must be 0 or more, got -1"),
        (("standard", "detection", "train", -1, 1), "seed must be 0 or more, got -1"),
        (("standard", "detection", "train", 1, 1, "grey"), "palette must be one of class, random"),
        (("classic", "detection", "train", 1, 1, "random"), "has its colours fixed"),
        (("classic", "detection", "val", 1, 201), "classic val has 200 images, got count=201"),
    ],
)
def test_unknown_words_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw(*arguments)
