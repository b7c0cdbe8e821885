"""Known mistakes, each made in a copy of the solution: which checks it costs, and what they say."""

import re
from dataclasses import dataclass

import pytest

from .conftest import copy_solution, failed, functional, message, patch


@dataclass(frozen=True)
class Mistake:
    """A mistake as replacements in the solution's text.

    Args:
        edits: file -> pairs of a passage and what stands in its place.
        tasks: the tasks whose checks run the changed code; all of these are graded.
        fails: the checks that must fail, all of them and no other.
        says: a check and a pattern of its message.
        may_fail: checks that fail as well where the drawn numbers show the mistake.
    """

    name: str
    edits: dict[str, list[tuple[str, str]]]
    tasks: tuple[str, ...]
    fails: tuple[str, ...]
    says: tuple[str, str]
    may_fail: tuple[str, ...] = ()


UTILS, LOSS, DATASET1 = "problem1/utils.py", "problem1/loss.py", "problem1/dataset.py"
EVALUATE1, DATASET2, EVALUATE2 = (
    "problem1/evaluate.py", "problem2/dataset.py", "problem2/evaluate.py")
USERS_OF_IOU = ("1.3", "1.5", "1.7", "1.9", "1.10", "1.12")

MISTAKES = [
    Mistake(
        "anchors scale by scale",
        {UTILS: [("y, x, half = torch.meshgrid(centre_y, centre_x, half,",
                  "half, y, x = torch.meshgrid(half, centre_y, centre_x,")]},
        tasks=("1.2",), fails=("1.2.2", "1.2.3", "1.2.4", "1.2.6"),
        says=("1.2.2", r"anchors\[0\]\[.*\(.1 of row \d, column \d, scale \d+\) should be")),
    Mistake(
        "no half-cell offset",
        {UTILS: [("(torch.arange(height) + 0.5)", "torch.arange(height)"),
                 ("(torch.arange(width) + 0.5)", "torch.arange(width)")]},
        tasks=("1.2",), fails=("1.2.1", "1.2.2", "1.2.3", "1.2.4", "1.2.5", "1.2.6"),
        says=("1.2.1", r"scale \d+\) should be .* 4 of 4 values differ\.")),
    Mistake(
        "stride of the rows used for both axes",
        {UTILS: [("centre_x = (torch.arange(width) + 0.5) * (image_size / width)",
                  "centre_x = (torch.arange(width) + 0.5) * (image_size / height)")]},
        tasks=("1.2",), fails=("1.2.3",),
        says=("1.2.3", r"\(x[12] of row \d, column \d")),
    Mistake(
        "scale taken as half a side",
        {UTILS: [("torch.tensor(scales, dtype=torch.float32) / 2",
                  "torch.tensor(scales, dtype=torch.float32)")]},
        tasks=("1.2",), fails=("1.2.1", "1.2.2", "1.2.3", "1.2.4", "1.2.5", "1.2.6"),
        says=("1.2.1", r"4 of 4 values differ\.")),
    Mistake(
        "anchors clipped to the image",
        {UTILS: [("dim=-1).reshape(-1, 4))", "dim=-1).reshape(-1, 4).clamp(0, image_size))")]},
        tasks=("1.2",), fails=("1.2.5", "1.2.6"),
        may_fail=("1.2.3",),
        says=("1.2.5", r"\(x1 of row 0, column 0, scale \d+\) should be -.*, but is 0 ")),
    Mistake(
        "epsilon in the union",
        {UTILS: [("return intersection / torch.where(union > 0, union, torch.ones_like(union))",
                  "return intersection / (union + 1e-6)")]},
        tasks=USERS_OF_IOU, fails=("1.3.5",),
        says=("1.3.5", r"iou\[0, [01]\] should be .* 2 of 2 values differ\.")),
    Mistake(
        "0/0 where the union is empty",
        {UTILS: [("return intersection / torch.where(union > 0, union, torch.ones_like(union))",
                  "return intersection / union")]},
        tasks=("1.3", "1.5", "1.10"), fails=("1.3.4",),
        says=("1.3.4", r"iou\[0, 0\] should be 0, but is nan")),
    Mistake(
        "boxes one pixel wider than they are",
        {UTILS: [("(bottom_right - top_left).clamp(min=0)",
                  "(bottom_right - top_left + 1).clamp(min=0)"),
                 ("(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])",
                  "(boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)")]},
        tasks=USERS_OF_IOU,
        fails=("1.3.1", "1.3.2", "1.3.3", "1.3.4", "1.3.5", "1.3.6", "1.3.8", "1.9.2"),
        may_fail=("1.5.10", "1.7.1", "1.7.2", "1.7.3", "1.7.6", "1.7.7"),
        says=("1.3.1", r"should be 0.25, but is 0.297521")),
    Mistake(
        "negative overlaps not clamped",
        {UTILS: [("(bottom_right - top_left).clamp(min=0)", "(bottom_right - top_left)")]},
        tasks=("1.3",), fails=("1.3.2", "1.3.3", "1.3.6", "1.3.8"),
        says=("1.3.3", r"should be 0, but is 225")),
    Mistake(
        "no anchor forced on an object",
        {UTILS: [("= iou_of_gt > 0", "= False")]},
        tasks=("1.5", "1.7"), fails=("1.5.4", "1.5.5", "1.5.6", "1.5.9"),
        says=("1.5.4", r"matched_labels\[1\] \(anchor 1\) should be 2, but is 0")),
    Mistake(
        "a forced anchor stays negative",
        {UTILS: [("neg_mask = (best_iou < neg_threshold) & ~claimed",
                  "neg_mask = best_iou < neg_threshold")]},
        tasks=("1.5", "1.7"), fails=("1.5.4", "1.5.9"),
        says=("1.5.4", r"neg_mask\[1\] \(anchor 1\) should be")),
    Mistake(
        "the band between the thresholds trained as background",
        {UTILS: [("neg_mask = (best_iou < neg_threshold) & ~claimed", "neg_mask = ~pos_mask")]},
        tasks=("1.5", "1.7"), fails=("1.5.1", "1.5.10"),
        may_fail=("1.7.1", "1.7.6"),
        says=("1.5.1", r"neg_mask\[\d\] .* 2 of 6 values differ")),
    Mistake(
        "labels without the + 1 of the background",
        {UTILS: [("target_labels[gt] + 1", "target_labels[gt]")],
         LOSS: [("labels[pos_mask] - 1", "labels[pos_mask]")]},
        tasks=("1.5", "1.7"),
        fails=("1.5.2", "1.5.4", "1.5.5", "1.5.6", "1.5.8", "1.5.9", "1.5.10"),
        says=("1.5.2", r"matched_labels\[\d\] \(anchor \d\) should be .* 4 of 5 values differ")),
    Mistake(
        "ties mined together",
        {LOSS: [("hardest = torch.sort(candidates, descending=True, stable=True).indices[:count]",
                 "hardest = neg_mask & (candidates >= candidates.sort().values[-count])")]},
        tasks=("1.6", "1.7"), fails=("1.6.3",),
        says=("1.6.3", r"^9 negatives should be mined, but \d+ are \(3 positives, 40 negatives\)")),
    Mistake(
        "nothing mined without positives",
        {LOSS: [("ratio * max(1, int(pos_mask.sum()))", "ratio * int(pos_mask.sum())")]},
        tasks=("1.6", "1.7"), fails=("1.6.4", "1.7.5"),
        says=("1.6.4", r"^3 negatives should be mined, but 0 are")),
    Mistake(
        "localisation without its weight of 2",
        {LOSS: [('"loss_total": loss_obj + loss_cls + 2 * loss_loc',
                 '"loss_total": loss_obj + loss_cls + loss_loc')]},
        tasks=("1.7",), fails=("1.7.4", "1.7.6"),
        says=("1.7.4", r"^loss_total should be .*, but is")),
    Mistake(
        "pixels regressed instead of offsets",
        {LOSS: [("encoded = encode_boxes(boxes[pos_mask], anchors.expand_as(boxes)[pos_mask])",
                 "encoded = boxes[pos_mask]")]},
        tasks=("1.7",), fails=("1.7.3", "1.7.6", "1.7.7"),
        says=("1.7.3", r"^loss_loc should be .*, but is \d\d")),
    Mistake(
        "cross-entropy against the label with its + 1",
        {LOSS: [("labels[pos_mask] - 1", "labels[pos_mask]")]},
        tasks=("1.7",), fails=("1.7.2", "1.7.6", "1.7.7"),
        may_fail=("1.7.1", "1.7.3", "1.7.4"),
        says=("1.7.7", r"^loss_cls should be")),
    Mistake(
        "matched map by map",
        {LOSS: [
            ("        anchors = torch.cat(anchors).to(prediction.device)  # [N, 4]\n",
             "        maps, anchors = anchors, torch.cat(anchors)\n"),
            ("            match_anchors_to_targets(\n"
             '                anchors, target["boxes"].to(anchors.device), '
             'target["labels"].to(anchors.device)\n'
             "            )\n",
             "            [torch.cat(field) for field in zip(*(match_anchors_to_targets(\n"
             '                m, target["boxes"], target["labels"]) for m in maps))]\n')]},
        tasks=("1.5", "1.6", "1.7"), fails=("1.7.7",),
        says=("1.7.7", r"matched once, against the anchors of all maps together")),
    Mistake(
        "NMS within each map",
        {EVALUATE1: [
            ("for c in labels.unique():\n            of_class = torch.nonzero(labels == c)",
             "groups = labels * 9 + maps[candidates]\n        for c in groups.unique():\n"
             "            of_class = torch.nonzero(groups == c)")]},
        tasks=("1.9", "1.12"), fails=("1.9.7",),
        says=("1.9.7", r"^scores of image 0 should have the shape \[3\], but is a tensor \[4\]")),
    Mistake(
        "NMS across classes",
        {EVALUATE1: [
            ("for c in labels.unique():\n            of_class = torch.nonzero(labels == c)",
             "if len(labels):\n            of_class = torch.nonzero(labels >= 0)")]},
        tasks=("1.9", "1.12"), fails=("1.9.7",),
        says=("1.9.7", r"^scores of image 0 should have the shape \[3\], but is a tensor \[2\]")),
    Mistake(
        "no NMS",
        {EVALUATE1: [("of_class[nms(boxes[of_class], scores[of_class], nms_threshold)]",
                      "of_class")]},
        tasks=("1.9", "1.12"), fails=("1.9.7",),
        says=("1.9.7", r"^scores of image 0 should have the shape \[3\], but is a tensor \[4\]")),
    Mistake(
        "trapezoids without a point at recall 0",
        {EVALUATE1: [("return float((precision * hits).sum() / num_targets)",
                      "recall = true_positives / num_targets\n"
                      "    return float(torch.trapezoid(precision, recall))")]},
        tasks=("1.10",), fails=("1.10.1", "1.10.3", "1.10.4", "1.10.5", "1.10.9"),
        says=("1.10.3", r"^AP should be 1, but is 0 ")),
    Mistake(
        "epsilon in the recall",
        {EVALUATE1: [("return float((precision * hits).sum() / num_targets)",
                      "return float((precision * hits).sum() / (num_targets + 1e-1))")]},
        tasks=("1.10",),
        fails=("1.10.1", "1.10.2", "1.10.3", "1.10.4", "1.10.5", "1.10.6", "1.10.9", "1.10.10"),
        says=("1.10.3", r"^AP should be 1, but is 0.909091")),
    Mistake(
        "precision not interpolated",
        {EVALUATE1: [("    precision = precision.flip(0).cummax(dim=0).values.flip(0) "
                      "if len(hits) else precision\n", "")]},
        tasks=("1.10",), fails=("1.10.2", "1.10.10"),
        says=("1.10.2", r"^AP should be 0.644444, but is 0.588889")),
    Mistake(
        "boxes read as x, y, width, height",
        {DATASET1: [('[a["bbox"] for a in annotations]',
                     '[[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in annotations)]')]},
        tasks=("1.1",), fails=("1.1.2", "1.1.3"),
        says=("1.1.2", r"^boxes of item 0\[\d, [23]\] should be \d+, but is \d+")),
    Mistake(
        "images without objects unknown to the dataset",
        {DATASET1: [('{image["id"]: [] for image in self.images}',
                     '{a["image_id"]: [] for a in content["annotations"]}')]},
        tasks=("1.1",), fails=("1.1.4",),
        says=("1.1.4", r"^Your code raised KeyError: \d+ in problem1/dataset\.py, line \d+: "
                        r"`annotations = ")),
    Mistake(
        "pixels from 0 to 255",
        {DATASET1: [("dtype=np.float32) / 255", "dtype=np.float32)")]},
        tasks=("1.1",), fails=("1.1.1", "1.1.5"),
        says=("1.1.1", r"^the image of item 0\[0, 0, 1\] should be 1, but is 255")),
    Mistake(
        "transform ignored",
        {DATASET1: [("if self.transform is not None:", "if False:")]},
        tasks=("1.1",), fails=("1.1.6",),
        says=("1.1.6", r"item 0 should be \[\d+, \d+, 'RGB'\], but is a tensor \[3, ")),
    Mistake(
        "keypoints not scaled to the map",
        {DATASET2: [("self.generate_heatmap(relative * size, size, size)",
                     "self.generate_heatmap(keypoints, size, size)")]},
        tasks=("2.1", "2.2"), fails=("2.1.3", "2.1.4"),
        says=("2.1.3", r"channel \d should peak at x = \d+, y = \d+, but peaks at")),
    Mistake(
        "targets as all x, then all y",
        {DATASET2: [("relative.flatten()", "relative.T.flatten()")]},
        tasks=("2.1", "2.2"), fails=("2.1.2",),
        says=("2.1.2", r"\(\w+ [xy]\) should be .* values differ")),
    Mistake(
        "a density instead of a peak of 1",
        {DATASET2: [("return torch.where(inside, heatmaps, 0.0)",
                     "return torch.where(inside, heatmaps / (6.2832 * self.sigma**2), 0.0)")]},
        tasks=("2.1", "2.2"), fails=("2.1.3", "2.1.4", "2.2.1", "2.2.2", "2.2.3", "2.2.4", "2.2.5"),
        says=("2.2.1", r"should be 1, but is 0.0397886")),
    Mistake(
        "centre truncated to whole pixels",
        {DATASET2: [("keypoints = torch.as_tensor(keypoints, dtype=torch.float32)",
                     "keypoints = torch.as_tensor(keypoints, dtype=torch.float32).trunc()")]},
        tasks=("2.1", "2.2"), fails=("2.1.3", "2.1.4", "2.2.3", "2.2.5"),
        says=("2.2.3", r"\(channel \d, x = \d+, y = \d+\) should be 0\.")),
    Mistake(
        "peak scaled up to 1",
        {DATASET2: [("return torch.where(inside, heatmaps, 0.0)",
                     "heatmaps = heatmaps / heatmaps.amax(dim=(1, 2), keepdim=True)\n"
                     "        return torch.where(inside, heatmaps, 0.0)")]},
        tasks=("2.1", "2.2"), fails=("2.1.3", "2.1.4", "2.2.3", "2.2.5"),
        says=("2.2.3", r"should be 0\.\d+, but is 1 ")),
    Mistake(
        "keypoints outside moved to the border",
        {DATASET2: [("x, y = keypoints[:, :, None, None].unbind(1)  # [K,1,1] each",
                     "x, y = keypoints[:, :, None, None].unbind(1)\n"
                     "        x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)")]},
        tasks=("2.1", "2.2"), fails=("2.2.5",),
        says=("2.2.5", r"x = 0, y = 8\) should be 0, but is 1 ")),
    Mistake(
        "row without floor",
        {EVALUATE2: [("index // width]", "index / width]")]},
        tasks=("2.5", "2.6", "2.7"), fails=("2.5.1", "2.5.2", "2.5.3", "2.5.4", "2.5.5"),
        says=("2.5.1", r"keypoint \d, y\) should be \d, but is \d\.\d+")),
    Mistake(
        "rows before columns",
        {EVALUATE2: [("[index % width, index // width]", "[index // width, index % width]")]},
        tasks=("2.5", "2.6", "2.7"), fails=("2.5.1", "2.5.2", "2.5.3", "2.5.4", "2.5.5"),
        says=("2.5.1", r"\(image 0, keypoint \d, [xy]\) should be")),
    Mistake(
        "PCK with < at the limit",
        {EVALUATE2: [("(distances <= threshold", "(distances < threshold")]},
        tasks=("2.5", "2.6", "2.7"), fails=("2.6.2", "2.6.6"),
        says=("2.6.2", r"^PCK at 0.25 should be 0.6, but is 0.2")),
    Mistake(
        "PCK measured by the image",
        {EVALUATE2: [("lengths = (truths.amax(dim=1) - truths.amin(dim=1)).norm(dim=1)  # [N]",
                      "lengths = torch.full((len(truths),), 128.0)")]},
        tasks=("2.5", "2.6", "2.7"), fails=("2.6.1", "2.6.2", "2.6.3", "2.6.6"),
        says=("2.6.1", r"^PCK at 0.05 should be 0.2, but is 0.4")),
    Mistake(
        "distance divided by a length of 0",
        {EVALUATE2: [("(distances <= threshold * lengths[:, None])",
                      "(distances / lengths[:, None] <= threshold)")]},
        tasks=("2.5", "2.6", "2.7"), fails=("2.6.6",),
        says=("2.6.6", r"^PCK at 0.25 should be 0.8, but is 0.5")),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_known_mistake(mistake, tmp_path, grade_checks):
    copy_solution(tmp_path, f"problem{mistake.tasks[0][0]}")
    for name, replacements in mistake.edits.items():
        patch(tmp_path, name, *replacements)
    grade = grade_checks(tmp_path, functional(*mistake.tasks))
    assert failed(grade) - set(mistake.may_fail) == set(mistake.fails)
    assert not grade.grader_broke
    number, pattern = mistake.says
    assert re.search(pattern, message(grade, number), re.DOTALL), message(grade, number)
