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
    # BEGIN SOLUTION Task 1.15 anchor_coverage P1.coverage
    # mutants: equivalent (without .numpy()), numpy takes tensors as well
    # mutants: equivalent (without invalid="ignore"), it silences a warning
    found, objects = np.zeros((len(anchors), num_classes)), np.zeros(num_classes)
    for target in targets:
        np.add.at(objects, target["labels"].numpy(), 1)
        for of_map, map_anchors in zip(found, anchors):
            fits = (compute_iou(target["boxes"], map_anchors) >= iou_threshold).any(dim=1)
            np.add.at(of_map, target["labels"][fits].numpy(), 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is nan, as it should be
        return found / objects
    # END SOLUTION


def draw_anchor_coverage(image, anchors, target, save_path):
    """Draw the objects of an image (dashed), and of each map the anchor that fits each best.

    Args:
        image: `[3, H, W]` in 0..1.
        anchors: list of `[N, 4]`, one per map.
        target: target dict, `boxes [G, 4]` and `labels [G]`.
        save_path: file of the picture; its folder is made if it is missing.
    """
    # BEGIN SOLUTION Task 1.15 draw_anchor_coverage P1.coverage
    # mutants: free, what a picture shows
    figure = Figure(figsize=(3 * len(anchors), 3.3), layout="constrained")
    panels = figure.subplots(1, len(anchors), squeeze=False)[0]
    for index, (axes, map_anchors) in enumerate(zip(panels, anchors)):
        axes.imshow(np.asarray(image).transpose(1, 2, 0))
        axes.axis("off")
        best_iou, best = compute_iou(target["boxes"], map_anchors).max(dim=1)
        for boxes, colour, style in (
                (map_anchors[best], "magenta", "-"), (target["boxes"], "black", "--")):
            for x1, y1, x2, y2 in boxes.tolist():
                axes.add_patch(Rectangle(
                    (x1, y1), x2 - x1, y2 - y1, fill=False, color=colour, ls=style, lw=1.5))
        axes.set_title(f"map {index}, IoU " + ", ".join(f"{iou:.2f}" for iou in best_iou))
    save_path = Path(save_path)
    save_path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(save_path, dpi=120)
    # END SOLUTION


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
    # BEGIN SOLUTION Task 1.16 capture_feature_maps P1.features
    modules = dict(model.named_modules())
    for name in layers:
        if name not in modules:
            raise ValueError(f"the model has no layer {name!r}")
    maps = {}

    def keeping(name):
        def keep(_module, _arguments, output):
            # mutants: free (without .float()), the images that are asked about are float32
            maps[name] = output.detach().abs().mean(dim=1).float()
        return keep

    modes = {module: module.training for module in modules.values()}
    hooks = [modules[name].register_forward_hook(keeping(name)) for name in layers]
    try:
        with torch.no_grad():
            model.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return maps
    # END SOLUTION


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
    # BEGIN SOLUTION Task 1.17 size_breakdown P1.sizes
    # mutants: equivalent (without .numpy()), numpy takes tensors as well
    # mutants: equivalent (without int; without .flatten()), a tensor of one number is an index
    # mutants: equivalent (-1 -> -2; -1 -> -0), any value below all thresholds says that it is taken
    num_bins = len(edges) - 1
    found = np.zeros((len(MAP_SIZES), num_bins), dtype=np.int64)
    objects = np.zeros(num_bins, dtype=np.int64)
    for detection, target in zip(detections, targets):
        sides = (target["boxes"][:, 2:] - target["boxes"][:, :2]).prod(dim=1).sqrt()
        bins = np.searchsorted(edges, sides.numpy(), side="right") - 1  # -1 or num_bins: in none
        inside = (bins >= 0) & (bins < num_bins)
        np.add.at(objects, bins[inside], 1)
        iou = compute_iou(detection["boxes"], target["boxes"])  # iou[detection, gt]
        iou[detection["labels"][:, None] != target["labels"]] = -1
        for d in torch.nonzero(detection["scores"] >= score_threshold).flatten():
            if len(bins) and iou[d].max() >= iou_threshold:
                gt = int(iou[d].argmax())
                iou[:, gt] = -1  # taken
                if inside[gt]:
                    found[int(detection["maps"][d]), bins[gt]] += 1
    return found, objects
    # END SOLUTION
