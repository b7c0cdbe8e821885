from pathlib import Path

import numpy as np
import torch

from ap import compute_ap, judge
from decoding import decode_predictions
from drawing import draw_boxes, draw_counts
from utils import compute_iou

CLASS_NAMES = ["circle", "square", "triangle"]
MAP_NAMES = ["56x56", "28x28", "14x14"]
RESULTS = Path(__file__).parent / "results"


@torch.no_grad()
def detect(model, dataloader, anchors):
    model.eval()
    device = next(model.parameters()).device
    detections, targets = [], []
    for images, batch_targets in dataloader:
        predictions = [p.cpu() for p in model(images.to(device))]
        detections += decode_predictions(predictions, anchors)
        targets += batch_targets
    return detections, targets


def ap_per_class(detections, targets, num_classes=3, iou_threshold=0.5):
    aps = []
    for c in range(num_classes):
        of_class = [{"boxes": d["boxes"][d["labels"] == c], "scores": d["scores"][d["labels"] == c]} for d in detections]
        boxes = [t["boxes"][t["labels"] == c] for t in targets]
        aps.append(compute_ap(of_class, boxes, iou_threshold))
    return aps


def analyze_scale_performance(model, dataloader, anchors, results=None):
    detections, targets = detect(model=model, dataloader=dataloader, anchors=anchors)
    counts = np.zeros(shape=(3, 3), dtype=int)
    for d, t in zip(detections, targets):
        for label in range(3):
            mine = (d["labels"] == label) & (d["scores"] >= 0.5)
            order = d["scores"][mine].argsort(descending=True, stable=True)
            hits = judge(predictions=[{"boxes": d["boxes"][mine], "scores": d["scores"][mine]}],
                         ground_truths=[t["boxes"][t["labels"] == label]], iou_threshold=0.5)
            for m, hit in zip(d["maps"][mine][order].tolist(), hits):
                counts[m, label] += hit
    draw_counts(counts=counts, names=CLASS_NAMES, maps=MAP_NAMES,
                path=Path(results or RESULTS) / "visualizations" / "scale_performance.png")
    return counts


def visualize_detections(image, predictions, ground_truths, save_path):
    solid = [(b, f"{CLASS_NAMES[l]} {s:.2f}") for b, l, s in zip(
        predictions["boxes"].tolist(), predictions["labels"].tolist(), predictions["scores"].tolist())]
    dashed = [(b, CLASS_NAMES[l]) for b, l in zip(ground_truths["boxes"].tolist(), ground_truths["labels"].tolist())]
    draw_boxes(image=image, solid=solid, dashed=dashed, path=save_path)
