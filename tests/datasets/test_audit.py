"""The audit's figures, against hand examples and brute force."""

import numpy as np
import pytest

from datasets import audit, classic, shapes, stick_figures


def detection_file(rows_of_images):
    return shapes.annotation_file(rows_of_images, 0, 0)


def row(label, box, visibility=1.0):
    side = box[2] - box[0]
    return {"category_id": label, "bbox": box, "area": side**2, "visibility": visibility}


def test_classic_hands_cannot_be_told_apart():
    scenes = classic.scenes(641, 1000, 200)["keypoints/val"]
    report = audit.audit_keypoints(stick_figures.annotation_file(scenes, 1000))
    assert {t: round(v, 3) for t, v in report["pck_ceiling"].items()} == {
        "0.05": 0.836, "0.10": 0.862, "0.15": 0.892, "0.20": 0.924}


def test_pck_ceiling_of_one_crossed_figure():
    # The box of the keypoints is 30 x 40, its diagonal 50. Sorted by x the hands swap, which
    # moves each by 4: within .10 * 50 = 5, not within .05 * 50 = 2.5.
    crossed = [[20, 0], [22, 20], [18, 20], [0, 40], [30, 40]]
    report = audit.audit_keypoints(stick_figures.annotation_file([crossed], 0))
    assert report == {"images": 1, "crossed_hands": 1.0, "pck_ceiling": {
        "0.05": 3 / 5, "0.10": 1.0, "0.15": 1.0, "0.20": 1.0}}


def test_hands_on_their_sides_have_a_ceiling_of_1():
    apart = [[20, 0], [10, 20], [28, 20], [0, 40], [30, 40]]
    report = audit.audit_keypoints(stick_figures.annotation_file([apart], 0))
    assert report["crossed_hands"] == 0
    assert set(report["pck_ceiling"].values()) == {1.0}


def test_detection_counts():
    circle, square = [10, 10, 30, 30], [40, 40, 100, 100]
    images = [[row(0, circle), row(1, square, 0.25)], [row(0, circle, 0.0), row(1, square)], []]
    report = audit.audit_detection(detection_file(images))
    assert (report["images"], report["objects"]) == (3, 4)
    assert report["objects_per_image"] == {"0": 1, "2": 2}
    assert report["visibility"] == {"min": 0.0, "fully_hidden": 0.25, "under_half": 0.5}
    assert report["recall_ceiling"] == 0.75
    assert report["classes"]["circle"]["sizes"] == {"16-20": 0, "20-24": 2, "24-28": 0, "28-32": 0}
    assert report["classes"]["square"]["sizes"]["60-72"] == 2
    assert report["classes"]["triangle"]["objects"] == 0
    assert report["classes"]["triangle"]["positive_anchor"]["14x14"] is None
    assert "triangle       0" in audit.as_text({"detection/train": report, "warnings": []})


@pytest.mark.parametrize(("cells", "scales"), list(zip(audit.MAP_SIZES, audit.ANCHOR_SCALES)))
def test_best_anchor_iou_agrees_with_trying_every_anchor(cells, scales):
    rng = np.random.default_rng(641)
    corner, size = rng.uniform(0, 150, (20, 2)), rng.uniform(10, 150, (20, 1))
    boxes = np.hstack([corner, corner + size])
    centres = (np.arange(cells) + 0.5) * 224 / cells
    x, y, s = np.meshgrid(centres, centres, scales)
    anchors = np.stack([x - s / 2, y - s / 2, x + s / 2, y + s / 2], axis=-1).reshape(-1, 4)
    low = np.maximum(boxes[:, None, :2], anchors[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], anchors[None, :, 2:])
    intersection = (high - low).clip(min=0).prod(axis=2)  # [box, anchor]
    areas = [(b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, anchors)]
    iou = intersection / (areas[0][:, None] + areas[1][None] - intersection)
    np.testing.assert_allclose(audit.best_anchor_iou(boxes, cells, scales), iou.max(axis=1))


def test_positive_anchor_of_a_box_that_is_an_anchor():
    # The centre of the first cell of the 14x14 map is (8, 8), of row 6, column 6 (104, 104).
    anchor = [104 - 64, 104 - 64, 104 + 64, 104 + 64]
    report = audit.audit_detection(detection_file([[row(2, anchor)]]))
    shares = report["classes"]["triangle"]["positive_anchor"]
    # On 28x28 the largest anchor has side 96: at best 96 * 96 / 128 / 128 = .56.
    assert shares == {"56x56": 0.0, "28x28": 1.0, "14x14": 1.0}


def test_warnings_name_what_cannot_be_learned():
    crossed = [[20, 0], [22, 20], [18, 20], [0, 40], [30, 40]]
    report = audit.audit({"detection/val": detection_file([[row(0, [10, 10, 30, 30], 0.0)]]),
                          "keypoints/val": stick_figures.annotation_file([crossed], 0)})
    assert report["warnings"] == [
        "detection/val: 100.0% of the objects are fully hidden, so no detector can pass a recall "
        "of 0.000",
        "keypoints/val: hands cross in 100.0% of the figures, so sorting them by x stops at PCK "
        "0.600/1.000/1.000/1.000 at 0.05/0.10/0.15/0.20"]
    assert audit.as_text(report).splitlines()[-2].startswith("warning: detection/val: 100.0%")
