"""Which figure belongs to a check: by the function that was asked, or the probe."""

import warnings

from ..outcomes import Outcome
from . import problem1, problem2, trained
from .canvas import Figure

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
    "scale_performance": problem1.counts,
    "keypoint_items": problem2.items,
    "heatmaps": problem2.heatmaps,
    "evaluate.extract_keypoints_from_heatmaps": problem2.peaks,
    "evaluate.compute_pck": problem2.pck,
    "train_epoch": trained.epochs,
    "training_log": trained.logs,
    "detector_detections": trained.detector,
    "keypoint_predictions": trained.keypoints,
}
ALWAYS = ("training_log", "detector_detections", "keypoint_predictions")  # even where it passed


def figure_of(outcome: Outcome | None) -> Figure | None:
    """The figure of an outcome on public inputs, or None where there is nothing to see."""
    if outcome is None or outcome.tier != "public" or (
            outcome.answer is None or outcome.answer.status != "ok"):
        return None
    question = outcome.reference.question
    draw = DRAW.get(question.inputs.get("function", question.probe))
    if draw is None or outcome.passed and question.probe not in ALWAYS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nan, overflow, empty limits: all are to be seen
            figure = draw(outcome.answer.value, outcome.reference.expected, question)
    except Exception:  # a wrong answer may have any form; the message says what is wrong with it
        return None
    return figure if figure.panels else None
