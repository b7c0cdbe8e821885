"""Pairs of mistakes that commonly come together. Rule and task are those of the first."""

from . import Mistake

MISTAKES = [
    Mistake(
        "pair-boxes-and-keyerror",
        "reads boxes as x, y, width and height and knows only images that have annotations",
        "Boxes become too large, and an image without objects ends in a KeyError. Take the two "
        "corners as they are, and start from the JSON's list of images.",
        "P1.dataset.boxes/1", "1.1",
        pair=("dataset-boxes-as-xywh", "dataset-keyerror-without-objects")),
    Mistake(
        "pair-anchors-order-and-offset",
        "puts all cells of one scale before the next scale and centres anchors on cell corners",
        "Anchors stand in other rows than their predictions, and half a cell too far to the upper "
        "left. Let the scales change fastest, and add half a cell.",
        "P1.anchors.order/1", "1.2", pair=("anchors-scale-major", "anchors-no-half-cell")),
    Mistake(
        "pair-iou-clamp-and-epsilon",
        "clamps the product of width and height and adds an epsilon to the union",
        "Boxes that lie apart in both directions overlap, and small boxes come out wrong. Clamp "
        "width and height one by one, and treat the case of an empty union apart.",
        "P1.iou.disjoint/1", "1.3", pair=("iou-clamped-after-product", "iou-epsilon")),
    Mistake(
        "pair-variances", "encodes and decodes with variances",
        "The two undo each other, so that nothing seems wrong until other code meets the offsets. "
        "Leave variances out on both sides.",
        "P1.coding.encode/2", "1.4", pair=("encode-with-variances", "decode-with-variances")),
    Mistake(
        "pair-match-thresholds-alone", "matches by the positive threshold alone",
        "Objects without a good anchor are never learned, and anchors that show a part of an "
        "object are background. Let each object claim its best anchor, and ignore what lies "
        "between the thresholds.",
        "P1.match.claim/1", "1.5", pair=("match-nothing-forced", "match-band-negative")),
    Mistake(
        "pair-labels-from-zero", "counts classes from 0 in matching and in the loss",
        "The two agree with each other, but class 0 is the same as background in between. Matched "
        "labels are class + 1, and the loss takes the 1 off again.",
        "P1.match.labels/1", "1.5", pair=("match-labels-from-zero", "loss-class-plus-one")),
    Mistake(
        "pair-images-without-objects",
        "leaves images without objects out of mining and of the loss",
        "Nothing is mined there, and the loss divides by 0. Mine as if there were one positive, "
        "and divide by at least 1.",
        "P1.mining.no-positives/1", "1.6",
        pair=("mining-none-without-positives", "loss-nan-without-objects")),
    Mistake(
        "pair-ap-raw-trapezoids", "integrates the raw precision by trapezoids",
        "Dips of the curve count, and the area before the first hit is missing. Interpolate the "
        "precision, start at recall 0, and use steps.",
        "P1.ap.perfect/1", "1.10", pair=("ap-no-point-at-recall-zero", "ap-not-interpolated")),
    Mistake(
        "pair-epsilons", "puts an epsilon under the divisions of IoU and of recall",
        "Small boxes and perfect detectors come out too low. Divide by what is there, and treat 0 "
        "as a case of its own.",
        "P1.iou.tiny/1", "1.3", pair=("iou-epsilon", "ap-epsilon-in-recall")),
    Mistake(
        "pair-keypoint-targets",
        "lists all x before all y in one kind of target and draws image pixels in the other",
        "Neither network can learn where keypoints are. Interleave the coordinates, and scale them "
        "to the map before you draw.",
        "P2.dataset.regression/1", "2.1",
        pair=("regression-all-x-first", "heatmap-targets-not-scaled")),
    Mistake(
        "pair-heatmap-density-truncated",
        "draws a probability density around keypoints truncated to whole pixels",
        "Peaks are low and up to a pixel off. Leave out the factor, and measure the distance from "
        "the keypoint as it is.",
        "P2.heatmap.peak/1", "2.2", pair=("heatmap-density", "heatmap-centre-truncated")),
    Mistake(
        "pair-pck-side-strict",
        "measures distances by the longer side of the box and leaves out those equal to the limit",
        "Figures are judged too strictly, and exact hits are lost where the limit is 0. Use the "
        "diagonal of the true box, and at most instead of less.",
        "P2.pck.bbox/1", "2.6", pair=("pck-by-longer-side", "pck-strict")),
]
