"""The classic profile is the course's own data, draw for draw."""

import hashlib
import json
import random

import numpy as np
import pytest

from datasets import classic, shapes, stick_figures


@pytest.fixture(scope="module")
def scenes():
    return classic.scenes(641, 1000, 200)


def sha256(rows):
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def test_seed_641_gives_the_boxes_that_classes_hold(scenes):
    train = shapes.annotation_file([shapes.annotate(s) for s in scenes["detection/train"]], 0, 0)
    first_row = len(train["annotations"])
    val_rows = [shapes.annotate(s) for s in scenes["detection/val"]]
    val = shapes.annotation_file(val_rows, 1000, first_row)
    names = ("id", "image_id", "category_id", "bbox", "area")
    digests = [
        sha256([[row[name] for name in names] for row in content["annotations"]])
        for content in (train, val)
    ]
    assert [digest[:12] for digest in digests] == ["584c84aab9ab", "58763c6954fd"]

    visible = np.array([row["visibility"] for c in (train, val) for row in c["annotations"]])
    assert (visible == 0).mean() == pytest.approx(0.042, abs=0.001)


def test_seed_641_gives_the_keypoints_that_classes_hold(scenes):
    digests = []
    for split, first in (("train", 0), ("val", 1000)):
        content = stick_figures.annotation_file(scenes[f"keypoints/{split}"], first)
        rows = [[row[n] for n in ("id", "file_name", "keypoints")] for row in content["images"]]
        digests.append(sha256(rows))
    assert [digest[:12] for digest in digests] == ["0a33bac186b8", "c32eab74aec4"]


def test_one_stream_makes_every_split_depend_on_the_counts():
    short, long = classic.scenes(5, 3, 2), classic.scenes(5, 4, 2)
    assert short["detection/train"] == long["detection/train"][:3]
    assert short["detection/val"][0] == long["detection/train"][3]
    assert short["keypoints/train"] != long["keypoints/train"][:3]


def test_the_50th_position_is_taken_whatever_it_overlaps():
    class Stuck(random.Random):
        """Draws the largest value every time."""

        draws = 0

        def randint(self, low, high):
            self.draws += 1
            return high

        def choice(self, options):
            return options[-1]

    rng = Stuck()
    scene = classic.shape_scene(rng)
    assert [shape.box for shape in scene] == [(32, 32, 224, 224)] * 5
    # the number of shapes, five sizes, one position, then 50 for each of the other four
    assert rng.draws == 1 + 5 + 2 + 4 * 50 * 2
