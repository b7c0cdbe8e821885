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
    # BEGIN SOLUTION Task 1.19 decode_predictions P1.decode
    flat = []
    maps = []
    for index, (prediction, map_anchors) in enumerate(zip(predictions, anchors)):
        # mutants: equivalent (swap height, width), only their product counts
        batch, channels, height, width = prediction.shape
        per_cell = len(map_anchors) // (height * width)  # A
        per_anchor = channels // per_cell  # 5 + C
        flat.append(prediction.permute(0, 2, 3, 1).reshape(batch, -1, per_anchor))
        maps.append(torch.full((len(map_anchors),), index))
    # mutants: equivalent (without .float()), it is for bfloat16 alone
    flat = torch.cat(flat, dim=1).float()  # [B, N, 5+C]
    anchors, maps = torch.cat(anchors).to(flat.device), torch.cat(maps).to(flat.device)

    class_score, label = flat[..., 5:].softmax(dim=-1).max(dim=-1)  # [B, N]
    score = flat[..., 4].sigmoid() * class_score

    detections = []
    # mutants: free (without stable=True; True -> False), no rule orders equal scores
    for image in range(len(flat)):
        candidates = torch.nonzero(score[image] >= score_threshold).flatten()
        boxes = decode_boxes(flat[image, candidates, :4], anchors[candidates])
        scores, labels = score[image, candidates], label[image, candidates]
        keep = [torch.empty(0, dtype=torch.int64, device=flat.device)]
        for c in labels.unique():
            of_class = torch.nonzero(labels == c).flatten()
            keep.append(of_class[nms(boxes[of_class], scores[of_class], nms_threshold)])
        keep = torch.cat(keep).sort().values  # index order, so that equal scores stay in it
        best = torch.sort(scores[keep], descending=True, stable=True).indices[:max_detections]
        keep = keep[best]
        detections.append({
            "boxes": boxes[keep],
            "scores": scores[keep],
            "labels": labels[keep],
            "maps": maps[candidates[keep]],
        })
    return detections
    # END SOLUTION


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
    # BEGIN SOLUTION Task 1.10 compute_ap P1.ap
    # mutants: free (without float), a tensor of one number is accepted as the number
    num_targets = sum(len(boxes) for boxes in ground_truths)
    # mutants: equivalent (== 0 -> == -1), 0 / 0 is nan as well
    if num_targets == 0:
        return float("nan")
    scores = []
    hits = []
    for prediction, boxes in zip(predictions, ground_truths):
        order = torch.sort(prediction["scores"], descending=True, stable=True).indices
        scores.append(prediction["scores"][order])
        hits.append(match_detections(prediction["boxes"][order], boxes, iou_threshold))
    # mutants: equivalent (without .double()), float32 differs by rounding alone
    scores, hits = torch.cat(scores), torch.cat(hits)
    hits = hits[torch.sort(scores, descending=True, stable=True).indices].double()

    # mutants: equivalent (0 -> -1), there is one axis: the first is the last
    true_positives = hits.cumsum(dim=0)
    precision = true_positives / torch.arange(1, len(hits) + 1)
    # From the right, the running maximum: the best precision at this recall or beyond.
    precision = precision.flip(0).cummax(dim=0).values.flip(0) if len(hits) else precision
    # Recall grows by 1 / num_targets at every hit and nowhere else.
    return float((precision * hits).sum() / num_targets)
    # END SOLUTION


# BEGIN SOLUTION
def match_detections(boxes, ground_truth, iou_threshold):
    """Whether each detection `[D]` (best first) finds a ground truth no earlier one has found."""
    iou = compute_iou(boxes, ground_truth)  # iou[detection, gt]
    hits = torch.zeros(len(boxes), dtype=torch.bool)
    if len(ground_truth) == 0:
        return hits
    # mutants: equivalent (dim=0 -> dim=-1), there is one axis: the first is the last
    # mutants: equivalent (-1 -> -2; -1 -> -0), any value below all thresholds says that it is taken
    for d in range(len(boxes)):
        best_iou, gt = iou[d].max(dim=0)
        if best_iou >= iou_threshold:
            hits[d] = True
            iou[:, gt] = -1  # taken
    return hits


# END SOLUTION
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
    # BEGIN SOLUTION Task 1.12 analyze_scale_performance P1.scale
    # mutants: equivalent (swap len(MAP_NAMES), len(CLASS_NAMES)), there are three of both
    # mutants: equivalent (without .numpy()), numpy takes tensors as well
    counts = np.zeros((len(MAP_NAMES), len(CLASS_NAMES)), dtype=np.int64)
    for detection, target in zip(*detect(model, dataloader, anchors)):
        confident = detection["scores"] >= 0.5
        for c in range(len(CLASS_NAMES)):
            of_class = confident & (detection["labels"] == c)
            truth = target["boxes"][target["labels"] == c]
            hits = match_detections(detection["boxes"][of_class], truth, iou_threshold=0.5)
            np.add.at(counts[:, c], detection["maps"][of_class][hits].numpy(), 1)

    # mutants: free, what a picture shows
    figure = Figure(figsize=(4.5, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(CLASS_NAMES)), CLASS_NAMES)
    axes.set_yticks(range(len(MAP_NAMES)), MAP_NAMES)
    axes.set_ylabel("feature map")
    axes.set_title("True positives by feature map and class")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if count > counts.max() / 2 else "black"
        axes.text(column, row, int(count), ha="center", va="center", color=colour)
    path = Path(results or RESULTS) / "visualizations" / "scale_performance.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return counts
    # END SOLUTION


def visualize_detections(image, predictions, ground_truths, save_path):
    """Draw the detections (solid, with class and score) and the ground truth (dashed).

    Args:
        image: `[3, H, W]` in 0..1.
        predictions: detection dict.
        ground_truths: target dict, `boxes [G, 4]` and `labels [G]`.
        save_path: file of the picture; its folder is made if it is missing.
    """
    # BEGIN SOLUTION Task 1.12 visualize_detections P1.scale
    # mutants: free, what a picture shows
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.asarray(image).transpose(1, 2, 0))
    axes.axis("off")

    def draw(box, colour, style):
        x1, y1, x2, y2 = (float(v) for v in box)
        axes.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color=colour, ls=style, lw=1.5)
        )
        return x1, y1

    for box in ground_truths["boxes"]:
        draw(box, "black", "--")
    for box, score, label in zip(
        predictions["boxes"], predictions["scores"], predictions["labels"]
    ):
        x, y = draw(box, "magenta", "-")
        text = f"{CLASS_NAMES[int(label)]} {float(score):.2f}"
        axes.text(x, y - 2, text, color="magenta", fontsize=8, clip_on=True)
    save_path = Path(save_path)
    save_path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(save_path, dpi=120)
    # END SOLUTION
