"""Keypoint images: a stick figure in black lines on white.

A scene is the list of its five keypoints `(x, y)` in pixels, in the order of
`KEYPOINT_NAMES`; everything else about the figure follows from them. "Left" is the left of
the image.
"""

import math

from PIL import Image, ImageDraw

from datasets.constants import FIGURE_SIZE, KEYPOINT_NAMES

LEFT, RIGHT = -1, 1

HEAD_RADIUS = 8
TORSO_HALF = 12  # the torso runs from cy - 12 to cy + 12
SHOULDER = -6  # arms start at cy - 6
ARM_LENGTH = 20
LEG_HEIGHT = 25
LINE_WIDTH = 3

Point = tuple[int, int]


def pose(
    cx: int, cy: int, left_angle: float, right_angle: float, left_leg: float, right_leg: float
) -> list[Point]:
    """Return the keypoints of a figure whose torso is centred at `(cx, cy)`.

    Angles are degrees from straight down, positive away from the body; legs are the
    horizontal distance of each foot from the torso in pixels.
    """
    return [
        (cx, cy - TORSO_HALF - HEAD_RADIUS),
        _hand(cx, cy + SHOULDER, left_angle, LEFT),
        _hand(cx, cy + SHOULDER, right_angle, RIGHT),
        (cx + LEFT * int(left_leg), cy + TORSO_HALF + LEG_HEIGHT),
        (cx + RIGHT * int(right_leg), cy + TORSO_HALF + LEG_HEIGHT),
    ]


def _hand(x: int, y: int, angle: float, side: int) -> Point:
    radians = math.radians(90 - angle)
    return (x + side * int(ARM_LENGTH * math.cos(radians)),
            y + int(ARM_LENGTH * math.sin(radians)))


def render(keypoints: list[Point]) -> Image.Image:
    """Return the "L" image, 128 x 128, of the figure with these keypoints."""
    image = Image.new("L", (FIGURE_SIZE, FIGURE_SIZE), 255)
    draw = ImageDraw.Draw(image)
    (cx, head_y), left_hand, right_hand, left_foot, right_foot = keypoints
    neck = (cx, head_y + HEAD_RADIUS)
    hip = (cx, neck[1] + 2 * TORSO_HALF)
    shoulder = (cx, neck[1] + TORSO_HALF + SHOULDER)
    draw.ellipse([cx - HEAD_RADIUS, head_y - HEAD_RADIUS, cx + HEAD_RADIUS, head_y + HEAD_RADIUS],
                 outline=0, width=LINE_WIDTH)
    for line in ((neck, hip), (shoulder, left_hand), (shoulder, right_hand), (hip, left_foot),
                 (hip, right_foot)):
        draw.line(line, fill=0, width=LINE_WIDTH)
    return image


def annotate(keypoints: list[Point]) -> list[list[int]]:
    """Return the keypoints as they stand in the JSON file."""
    return [list(point) for point in keypoints]


def annotation_file(keypoints_of_images: list[list[list[int]]], first_image: int) -> dict:
    """Return the JSON content of a split; ids count up from `first_image`."""
    images = [{"id": image_id, "file_name": f"{image_id:06d}.png", "keypoints": keypoints}
              for image_id, keypoints in enumerate(keypoints_of_images, first_image)]
    return {"images": images, "keypoint_names": list(KEYPOINT_NAMES),
            "num_keypoints": len(KEYPOINT_NAMES)}
