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
    rows, maps = [], []
    for m, (p, a) in enumerate(zip(predictions, anchors)):
        b, channels, h, w = p.shape
        per_cell = len(a) // (h * w)
        rows.append(torch.einsum("bachw->bhwac", p.reshape(b, per_cell, channels // per_cell, h, w)).reshape(b, len(a), -1))
        maps.append(torch.full((len(a),), m, dtype=torch.int64))
    rows, maps, every = torch.cat(rows, 1), torch.cat(maps), torch.cat(list(anchors))
    probability = torch.einsum("bn,bnc->bnc", rows[..., 4].sigmoid(), rows[..., 5:].softmax(-1))
    scores, labels = probability.max(dim=-1)
    result = []
    for i in range(len(rows)):
        chosen = torch.nonzero(scores[i] >= score_threshold)[:, 0]
        s, l, k = scores[i][chosen], labels[i][chosen], maps[chosen]
        boxes = decode_boxes(rows[i][chosen, :4], every[chosen])
        kept = [torch.zeros(0, dtype=torch.int64)]
        for c in range(rows.shape[-1] - 5):
            mine = torch.nonzero(l == c)[:, 0]
            kept.append(mine[nms(boxes[mine], s[mine], nms_threshold)])
        kept = torch.cat(kept)
        kept = kept[torch.argsort(s[kept], descending=True, stable=True)][:max_detections]
        result.append({"boxes": boxes[kept], "scores": s[kept], "labels": l[kept], "maps": k[kept]})
    return result


def compute_ap(predictions, ground_truths, iou_threshold=0.5):
    """Lower triangular matrices for the cumulative sums."""
    total = sum(len(g) for g in ground_truths)
    if total == 0:
        return float("nan")
    scores = torch.cat([p["scores"].reshape(-1) for p in predictions])
    if len(scores) == 0:
        return 0.0
    where = [(i, j) for i, p in enumerate(predictions) for j in range(len(p["scores"]))]
    free = [torch.ones(len(g)) for g in ground_truths]
    overlaps = [compute_iou(p["boxes"], g) for p, g in zip(predictions, ground_truths)]
    hit = torch.zeros(len(scores), dtype=torch.float64)
    for rank, position in enumerate(torch.argsort(scores, descending=True, stable=True).tolist()):
        i, j = where[position]
        if not free[i].any():
            continue
        masked = torch.where(free[i] > 0, overlaps[i][j], torch.full_like(overlaps[i][j], -1.0))
        g = int(masked.argmax())
        if masked[g] >= iou_threshold:
            hit[rank], free[i][g] = 1.0, 0.0
    triangle = torch.tril(torch.ones(len(hit), len(hit), dtype=torch.float64))
    found = torch.einsum("kj,j->k", triangle, hit)
    precision = found / torch.arange(1, len(hit) + 1)
    envelope = torch.where(triangle.T > 0, precision[None, :], torch.zeros(())).amax(dim=1)
    return float(torch.einsum("k,k->", hit, envelope) / total)


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
