"""Passages of the solution in whose place wrong variants and odd choices have something else."""

import re
from textwrap import dedent, indent

from tests.grading import SOLUTION

DATASET, UTILS, LOSS, MODEL, EVALUATE, ANALYSIS, TRAIN = (f"problem1/{name}.py" for name in (
    "dataset", "utils", "loss", "model", "evaluate", "analysis", "train"))
KEYPOINTS, NETWORKS, PCK, BASELINE, FITTING = (f"problem2/{name}.py" for name in (
    "dataset", "model", "evaluate", "baseline", "train"))
OWN = 'annotations = self.annotations[entry["id"]]'
BOXES = '[a["bbox"] for a in annotations]'
COUNT = "max(1, int(pos_mask.sum())), int(neg_mask.sum()))"
CUT = ".indices[:max_detections]"
CANDIDATES = "        boxes = decode_boxes(flat[image, candidates, :4], anchors[candidates])\n"
TAKING = """        best_iou, gt = iou[d].max(dim=0)
        if best_iou >= iou_threshold:
"""
OPTIMIZER = "torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)"
FLAT = "heatmaps.flatten(start_dim=2).argmax(dim=2)  # [B,K], position in reading order"
DISTANCES = "    distances = (predictions - truths).norm(dim=2)"
TRUTHS = "    num_targets = sum(len(boxes) for boxes in ground_truths)\n"



def whole(file: str, function: str, body: str) -> tuple[str, str, str]:
    """A file, the graded region of a function, and another body in its place."""
    text = (SOLUTION / file).read_text(encoding="utf-8")
    begin = re.search(rf"^( *)# BEGIN SOLUTION Task [\d.]+ {re.escape(function)} .*\n", text, re.M)
    assert begin, f"{file} has no region of {function}"
    region = text[begin.end():text.index("# END SOLUTION", begin.end())].rstrip(" ")
    return file, region, indent(dedent(body).strip("\n") + "\n", begin[1])
