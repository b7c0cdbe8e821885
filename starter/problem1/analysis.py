"""Problem 1, tasks 1.15 to 1.17: why a map finds what it finds.

Boxes, detections and targets are those of `evaluate.py`. Maps are numbered as there: 0, 1, 2 for
the 56x56, 28x28 and 14x14 map.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from utils import MAP_SIZES, compute_iou


def anchor_coverage(anchors, targets, iou_threshold=0.5, *, num_classes=3):
    """The share of each class's objects that some anchor of a map fits.

    What no anchor of a map fits, that map is hardly ever taught to find. The share follows from
    scales and objects alone, so that it can be known before any training.

    Args:
        anchors: list of `[N, 4]`, one per map.
        targets: one target dict per image: `boxes [G, 4]`, `labels [G]`.
        num_classes: C, by keyword.

    Returns:
        float64 array `[maps, C]`: the share of the objects of a class that have an anchor of that
        map with IoU >= `iou_threshold`; nan for a class without objects.
    """
    raise NotImplementedError("Task 1.15 anchor_coverage: see handout, rule P1.coverage")


def draw_anchor_coverage(image, anchors, target, save_path):
    """Draw the objects of an image (dashed), and of each map the anchor that fits each best.

    Args:
        image: `[3, H, W]` in 0..1.
        anchors: list of `[N, 4]`, one per map.
        target: target dict, `boxes [G, 4]` and `labels [G]`.
        save_path: file of the picture; its folder is made if it is missing.
    """
    raise NotImplementedError("Task 1.15 draw_anchor_coverage: see handout, rule P1.coverage")


def capture_feature_maps(model, images, layers):
    """What layers of a network answer to images, as one grey picture per image and layer.

    The model runs once, in evaluation mode and without gradients. It may return anything; each of
    `layers` returns one tensor `[B, channels, H, W]`. Afterwards the model is as it was: in the
    mode it was in, and without hooks, also where a layer is unknown or the model raises.

    Args:
        model: any network.
        images: `[B, 3, H, W]`.
        layers: names of modules, as `model.named_modules()` gives them; an unknown one is a
            ValueError that names it.

    Returns:
        dict name -> float32 `[B, H, W]`: the mean over the channels of the absolute values, as
        they are when the layer returns them. A later layer may change them in place.
    """
    raise NotImplementedError("Task 1.16 capture_feature_maps: see handout, rule P1.features")


def size_breakdown(detections, targets, edges, iou_threshold=0.5, score_threshold=0.5):
    """Which map finds objects of which size.

    An object is found by the rules of task 1.12, with these thresholds. It belongs to size bin k
    if `edges[k] <= sqrt(width * height) < edges[k + 1]`. One of no bin is matched like all others
    and counted nowhere.

    Args:
        detections: one detection dict per image, as `decode_predictions` returns them.
        targets: one target dict per image.
        edges: pixels, ascending; K + 1 of them make K bins.

    Returns:
        `(found, objects)`: int64 arrays `[3 maps, K]`, the objects found, by the map of the
        detection that found them, and `[K]`, all objects.
    """
    raise NotImplementedError("Task 1.17 size_breakdown: see handout, rule P1.sizes")
