"""Wrong code that keeps an argument above or below its default."""

from .passages import ANALYSIS, BASELINE, EVALUATE, TRUTHS, UTILS

VARIANTS = {
    "anchors of images of 224 pixels at most": (
        "P1.anchors.maps/1", "1.2.3", UTILS, "    anchors = []\n    for (height",
        "    image_size = min(image_size, 224)\n    anchors = []\n    for (height"),
    "positives from an IoU of .5 at least": (
        "P1.match.bands/1", "1.5.1", UTILS, "pos_mask = (best_iou >= pos_threshold)",
        "pos_mask = (best_iou >= max(pos_threshold, 0.5))"),
    "negatives below an IoU of .3 at least": (
        "P1.match.bands/1", "1.5.1", UTILS, "neg_mask = (best_iou < neg_threshold)",
        "neg_mask = (best_iou < max(neg_threshold, 0.3))"),
    "scores of .05 at least": (
        "P1.decode.threshold/1", "1.19.4", EVALUATE, "score[image] >= score_threshold",
        "score[image] >= max(score_threshold, 0.05)"),
    "covered from an IoU of .5 at least": (
        "P1.coverage.share/1", "1.15.1", ANALYSIS, "map_anchors) >= iou_threshold",
        "map_anchors) >= max(iou_threshold, 0.5)"),
    "found by size from an IoU of .5 at least": (
        "P1.sizes.thresholds/1", "1.17.3", ANALYSIS, "iou[d].max() >= iou_threshold",
        "iou[d].max() >= max(iou_threshold, 0.5)"),
    "found by size from a score of .5 at most": (
        "P1.sizes.thresholds/1", "1.17.3", ANALYSIS, ">= score_threshold",
        ">= min(score_threshold, 0.5)"),
    "found from an IoU of .5 at least": (
        "P1.ap.threshold/1", "1.10.9", EVALUATE, TRUTHS,
        "    iou_threshold = max(iou_threshold, 0.5)\n" + TRUTHS),
    "found within .1 at least": (
        "P2.failures.counts/3", "2.9.3", BASELINE, "<= threshold * diagonals",
        "<= max(threshold, 0.1) * diagonals"),
}
