from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from utils import compute_iou, decode_boxes, nms

CLASS_NAMES = ["circle", "square", "triangle"]
MAP_NAMES = ["56x56", "28x28", "14x14"]
RESULTS = Path(__file__).parent / "results"


def decode_predictions(predictions, anchors, score_threshold=0.05, nms_threshold=0.5, max_detections=100):
    starts = torch.tensor([len(a) for a in anchors]).cumsum(0)
    everything = torch.cat(list(anchors))
    flat = []
    for p, a in zip(predictions, anchors):
        per = p[0].numel() // len(a)
        flat.append(p.permute(0, 2, 3, 1).reshape(len(p), -1, per))
    flat = torch.cat(flat, 1)
    out = []
    for x in flat:
        conf, label = x[:, 5:].softmax(1).sort(dim=1, descending=True, stable=True)
        score, label = x[:, 4].sigmoid() * conf[:, 0], label[:, 0]
        order = score.argsort(descending=True, stable=True)
        # scores ascend in the flipped list: how many reach the threshold
        count = len(score) - torch.searchsorted(score[order].flip(0), torch.tensor(score_threshold, dtype=score.dtype), right=False)
        order = order[:count]
        box = decode_boxes(x[order, :4], everything[order])
        alive = torch.zeros(len(order), dtype=torch.bool)
        for c in label[order].unique().tolist():
            idx = (label[order] == c).nonzero().squeeze(1)
            alive.scatter_(0, idx[nms(box[idx], score[order][idx], nms_threshold)], True)
        keep = order[alive][:max_detections]
        out.append({"boxes": box[alive][:max_detections], "scores": score[keep], "labels": label[keep],
                    "maps": torch.searchsorted(starts, keep, right=True)})
    return out


def compute_ap(predictions, ground_truths, iou_threshold=0.5):
    counts = [len(g) for g in ground_truths]
    if sum(counts) == 0:
        return float("nan")
    entries = []
    for i, p in enumerate(predictions):
        iou = compute_iou(p["boxes"], ground_truths[i])
        preference = iou.argsort(dim=1, descending=True, stable=True)
        for j in range(len(p["scores"])):
            entries.append((p["scores"][j].item(), i, iou[j], preference[j]))
    entries.sort(key=lambda e: -e[0])  # stable
    used = [torch.zeros(c, dtype=torch.bool) for c in counts]
    hits = []
    for _, i, iou, preference in entries:
        free = preference[~used[i][preference]]
        hit = len(free) > 0 and bool(iou[free[0]] >= iou_threshold)
        if hit:
            used[i][free[0]] = True
        hits.append(hit)
    tp = np.cumsum(hits)
    if len(tp) == 0:
        return 0.0
    recall = np.concatenate([[0], tp / sum(counts), [1]])
    precision = np.concatenate([[1], tp / np.arange(1, len(tp) + 1), [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    step = np.flatnonzero(np.diff(recall))
    return float(np.sum((recall[step + 1] - recall[step]) * precision[step + 1]))


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


def analyze_scale_performance(model, dataloader, anchors, results=None):
    """Object by object, as the rule words it: each is found by its best-scored detection."""
    counts = torch.zeros(9, dtype=torch.long)
    for found, target in zip(*detect(model, dataloader, anchors)):
        used = torch.zeros(len(found["scores"]), dtype=torch.bool)
        table = compute_iou(found["boxes"], target["boxes"])
        good = (table >= 0.5) & (found["scores"] >= 0.5)[:, None] & (found["labels"][:, None] == target["labels"][None])
        for d in range(len(used)):  # best-scored first
            free = good[d].nonzero().flatten()
            if len(free):
                g = free[table[d, free].argmax()]
                good[:, g] = False
                counts.scatter_add_(0, (found["maps"][d] * 3 + target["labels"][g]).reshape(1), torch.ones(1, dtype=torch.long))
    counts = counts.reshape(3, 3)
    figure = Figure()
    axes = figure.subplots()
    axes.matshow(counts.numpy())
    for m in range(3):
        for c in range(3):
            axes.annotate(str(int(counts[m, c])), (c, m), color="red")
    folder = (Path(results) if results else Path("results")) / "visualizations"
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "scale_performance.png")
    return counts


def visualize_detections(image, predictions, ground_truths, save_path):
    raise NotImplementedError("Task 1.12")
