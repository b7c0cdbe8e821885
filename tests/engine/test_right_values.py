"""Right values stand in for functions and for parts of calls, or it is said why not."""

import pytest

from tests.grading import copy_solution, failed, functional, message, patch

pytestmark = pytest.mark.slow

UTILS, EVALUATE = "problem1/utils.py", "problem1/evaluate.py"


def test_a_wrong_nms_costs_no_decoding(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem1")
    patch(root, UTILS, ("    order = torch.sort(scores, descending=True, stable=True).indices",
                        "    order = scores.argsort()[::-1]"))
    patch(root, EVALUATE, ('"labels": labels[keep]', '"labels": labels[keep] + 1'),
          ("score = flat[..., 4].sigmoid() * class_score",
           "score = flat[..., 4].sigmoid() ** 2 * class_score ** 2"))
    made = grade_checks(root, ["1.9.1", "1.19.1", "1.19.2"])
    assert failed(made) == {"1.9.1", "1.19.1"}
    assert message(made, "1.19.2") == (
        "Points given although task 1.9 (NMS) loses points: with the right values of nms your code "
        "for this check is right.")
    assert ("(Seen with the right values of nms, since task 1.9 (NMS) loses points.)"
            in message(made, "1.19.1"))
    patch(root, EVALUATE, ("score[image] >= score_threshold", "score[image] >= 0"))
    made = grade_checks(root, ["1.9.1", "1.19.2"])
    said = message(made, "1.19.2")
    assert said.startswith(message(made, "1.9.1").splitlines()[0].rstrip("."))
    assert "No right values could be put in here for task 1.9 (NMS): your code calls nms" in said


def test_a_class_without_boxes_has_right_values_too(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem1")
    patch(root, UTILS, ("    order = torch.sort(scores, descending=True, stable=True).indices",
                        "    order = scores.argsort()[::-1]"))
    patch(root, EVALUATE, ("for c in labels.unique():", "for c in range(flat.shape[2] - 5):"))
    made = grade_checks(root, ["1.9.1", "1.19.6"])
    assert failed(made) == {"1.9.1"}
    assert "with the right values of nms" in message(made, "1.19.6")


def test_heatmaps_that_are_read_one_by_one(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem2")
    patch(root, "problem2/evaluate.py",
          ("[index % width, index // width]", "[index // width, index % width]"),
          ("x, y = extract_keypoints_from_heatmaps(heatmaps).long()",
           "x, y = torch.stack([torch.stack([\n        extract_keypoints_from_heatmaps("
           "heatmaps[i : i + 1, k : k + 1])[0, 0]\n        for k in range(heatmaps.shape[1])]) "
           "for i in range(len(heatmaps))]).long()"))
    assert failed(grade_checks(root, ["2.5.1", *functional("2.12")])) == {"2.5.1"}


def test_a_right_function_whose_values_cannot_be_used_costs_nobody_else(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem1")
    with (root / UTILS).open("a", encoding="utf-8") as file:
        file.write("\n\nown = compute_iou\n\n\ndef compute_iou(boxes1, boxes2):\n"
                   "    return own(boxes1, boxes2).numpy()\n")
    made = grade_checks(root, functional("1.3", "1.5", "1.10"))
    assert failed(made) == set()
    assert message(made, "1.5.1").startswith(
        "Points given: with other right values of compute_iou your code for this check is right. "
        "It cannot use your own: look at their types and dtypes. (Your code raised TypeError: ")


def test_where_right_values_have_no_place_it_is_said(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem1")
    patch(root, UTILS, ("clamp(min=0).prod(dim=-1)", "clamp(min=0).sum(dim=-1)"))
    patch(root, EVALUATE, ("from utils import", "from boxes import"))
    (root / UTILS).rename(root / "problem1" / "boxes.py")
    assert "Your code does not call compute_iou here" in message(
        grade_checks(root, ["1.3.1", "1.10.1"]), "1.10.1")
