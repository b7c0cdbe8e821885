"""Problem 1, tasks 1.19, 1.10 and 1.12: decoding, average precision, which map finds which class.

Boxes are `(x1, y1, x2, y2)` in pixels. `B` images, `C` classes, `D` detections of an image, `G`
ground truths of an image. A detection dict has `boxes [D, 4]`, `scores [D]`, `labels [D]` (0..C-1)
and `maps [D]` (0, 1, 2: the 56x56, 28x28 and 14x14 map), best first.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from utils import compute_iou, decode_boxes, nms

CLASS_NAMES = ["circle", "square", "triangle"]
MAP_NAMES = ["56x56", "28x28", "14x14"]
RESULTS = Path(__file__).parent / "results"


def decode_predictions(
    predictions, anchors, score_threshold=0.05, nms_threshold=0.5, max_detections=100
):
    """Turn raw maps into detections.

    The score is `sigmoid(objectness) * max softmax(class logits)`, the label is the class of that
    maximum. Detections with a score >= `score_threshold` are kept, then NMS runs per class over all
    maps together, then the `max_detections` best remain. Boxes are not clipped.

    Args:
        predictions: list of `[B, A*(5+C), S, S]`, one per map.
        anchors: list of `[S*S*A, 4]`, one per map.

    Returns:
        list of B detection dicts, sorted by descending score: `boxes [D, 4]`, `scores [D]`,
        `labels [D]` int64, `maps [D]` int64.
    """
    raise NotImplementedError("Task 1.19 decode_predictions: see handout, rule P1.decode")


def compute_ap(predictions, ground_truths, iou_threshold=0.5):
    """Average precision of one class: the area under its precision-recall curve.

    Detections of all images are taken by descending score (equal scores: image order, then list
    order). Each is matched to the still-unmatched ground truth of its image with the highest IoU,
    and is a true positive if that IoU is >= `iou_threshold`, else a false positive that leaves it
    unmatched. Precision at a recall is the highest precision at that recall or beyond (all-point
    interpolation, PASCAL VOC 2010 and later; which object a detection is for is decided as in
    COCO).

    Args:
        predictions: one dict per image: `boxes [D, 4]`, `scores [D]`.
        ground_truths: one `[G, 4]` per image.

    Returns:
        float in 0..1; 0.0 with ground truth but no predictions; nan without ground truth.

    Two objects; detections by score: hit, miss, hit. Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1:
    AP = 1/2 * 1 + 1/2 * 2/3 = 5/6.
    """
    raise NotImplementedError("Task 1.10 compute_ap: see handout, rule P1.ap")


@torch.no_grad()
def detect(model, dataloader, anchors):
    """Given: run the model over a loader.

    Returns:
        `(detections, targets)`: one detection dict and one target dict per image, on the CPU.
    """
    model.eval()
    device = next(model.parameters()).device
    detections, targets = [], []
    for images, batch_targets in dataloader:
        predictions = [p.cpu() for p in model(images.to(device))]
        detections += decode_predictions(predictions, anchors)
        targets += batch_targets
    return detections, targets


def ap_per_class(detections, targets, num_classes=3, iou_threshold=0.5):
    """Given: `compute_ap` of every class; their mean is the mAP.

    Args:
        detections, targets: as `detect` returns them.

    Returns:
        list of `num_classes` floats.
    """
    aps = []
    for c in range(num_classes):
        of_class = [
            {"boxes": d["boxes"][d["labels"] == c], "scores": d["scores"][d["labels"] == c]}
            for d in detections
        ]
        boxes = [t["boxes"][t["labels"] == c] for t in targets]
        aps.append(compute_ap(of_class, boxes, iou_threshold))
    return aps


def analyze_scale_performance(model, dataloader, anchors, results=None):
    """Count which feature map finds which class, and draw it.

    A detection with a score >= .5 is a true positive if its class is right and its IoU with a
    ground truth is >= .5. By falling score, each detection takes the free ground truth of its class
    with the highest IoU, as in `compute_ap`. The picture goes to
    `results/visualizations/scale_performance.png`.

    Args:
        results: folder that gets `visualizations/scale_performance.png`; by default `results/`
            beside this file.

    Returns:
        int array `[3 maps, 3 classes]` of true positives.
    """
    raise NotImplementedError("Task 1.12 analyze_scale_performance: see handout, rule P1.scale")


def visualize_detections(image, predictions, ground_truths, save_path):
    """Draw the detections (solid, with class and score) and the ground truth (dashed).

    Args:
        image: `[3, H, W]` in 0..1.
        predictions: detection dict.
        ground_truths: target dict, `boxes [G, 4]` and `labels [G]`.
        save_path: file of the picture; its folder is made if it is missing.
    """
    raise NotImplementedError("Task 1.12 visualize_detections: see handout, rule P1.scale")
