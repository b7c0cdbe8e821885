"""Figures of answers: which one belongs to a check, by the function or the probe that was asked.

A figure is `draw(answer, expected, question) -> Figure`. Answers come from student code: a figure
checks the values that it draws, and is left out where they do not fit.
"""

from . import analysis, problem1, problem2, trained

DRAW = {
    "annotated_items": problem1.items,
    "utils.generate_anchors": problem1.anchors,
    "utils.compute_iou": problem1.iou,
    "utils.encode_boxes": problem1.encoded,
    "utils.decode_boxes": problem1.decoded,
    "utils.match_anchors_to_targets": problem1.matching,
    "mining": problem1.mining,
    "detection_loss": problem1.gradients,
    "utils.nms": problem1.nms,
    "evaluate.decode_predictions": problem1.detections,
    "evaluate.compute_ap": problem1.average_precision,
    "scale_performance": analysis.counts,
    "analysis.anchor_coverage": analysis.coverage,
    "feature_maps": analysis.features,
    "analysis.size_breakdown": analysis.sizes,
    "keypoint_items": problem2.items,
    "heatmaps": problem2.heatmaps,
    "evaluate.extract_keypoints_from_heatmaps": problem2.peaks,
    "evaluate.decode_subpixel": problem2.peaks,
    "evaluate.compute_pck": problem2.pck,
    "train_epoch": trained.epochs,
    "training_log": trained.logs,
    "detector_detections": trained.detector,
    "keypoint_predictions": trained.keypoints,
}
ALWAYS = ("training_log", "detector_detections", "keypoint_predictions")  # even where it passed
