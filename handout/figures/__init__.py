"""The figures of the handout. What they show is computed by the solution's own functions.

A figure is a function without arguments that returns a matplotlib figure; its docstring is the text
that stands in for it where it cannot be seen.
"""

from .. import drawing
from . import detection, keypoints, losses

FIGURES = drawing.named(
    detection.scenes, detection.anchors, detection.iou_pairs, detection.match_bands,
    detection.claim, detection.mining, detection.receptive_fields, detection.suppression,
    detection.precision_recall, detection.coverage, detection.feature_maps,
    keypoints.stick_figure, keypoints.sigmas, keypoints.between_pixels, keypoints.quantisation,
    keypoints.finer, keypoints.pck_circles, losses.training, losses.sick_runs)
