"""Stick figures: geometry and pixels."""

import numpy as np

from datasets import stick_figures


def test_pose_states_every_keypoint():
    # Arms straight out, 20 long, from the shoulder (64, 58); feet 37 below the centre.
    assert stick_figures.pose(64, 64, 90, 90, 10.9, 30) == [
        (64, 44),
        (44, 58),
        (84, 58),
        (54, 101),
        (94, 101),
    ]


def test_arms_hang_at_angle_0_and_lean_inwards_below_it():
    _, left, right, _, _ = stick_figures.pose(64, 64, 0, -30, 10, 10)
    assert left == (64, 78)
    # 20 sin(-30) = -10 and 20 cos(30) = 17.3, cut towards zero; the right hand is now left
    assert right in {(54, 75), (55, 75)}


def test_every_keypoint_but_the_head_lies_on_a_line():
    keypoints = stick_figures.pose(64, 64, 40, 120, 12, 25)
    image = np.array(stick_figures.render(keypoints))
    assert image.shape == (128, 128)
    assert image.dtype == np.uint8
    assert set(np.unique(image)) == {0, 255}
    for x, y in keypoints[1:]:
        assert image[y, x] == 0
    x, y = keypoints[0]
    assert image[y, x] == 255  # the head is an outline of radius 8 around its centre
    assert image[y - 8, x] == image[y, x - 8] == image[y, x + 8] == 0


def test_annotation_file():
    keypoints = stick_figures.pose(64, 64, 40, 120, 12, 25)
    content = stick_figures.annotation_file([stick_figures.annotate(keypoints)], 1000)
    assert content == {
        "images": [
            {
                "id": 1000,
                "file_name": "001000.png",
                "keypoints": [list(point) for point in keypoints],
            }
        ],
        "keypoint_names": ["head", "left_hand", "right_hand", "left_foot", "right_foot"],
        "num_keypoints": 5,
    }
