from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from utils import compute_iou, decode_boxes, nms

CLASS_NAMES = ["circle", "square", "triangle"]
MAP_NAMES = ["56x56", "28x28", "14x14"]
RESULTS = Path(__file__).parent / "results"


def _empty():
    return {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64),
            "maps": torch.zeros(0, dtype=torch.int64)}


def decode_predictions(predictions, anchors, score_threshold=0.05, nms_threshold=0.5, max_detections=100):
    assert len(predictions) == len(anchors) > 0
    assert max_detections >= 0
    result = []
    for image in range(predictions[0].shape[0]):
        parts = _empty()
        for m in range(len(predictions)):
            p = predictions[m][image].detach().float().cpu()
            c, h, w = p.shape
            a = anchors[m].detach().cpu()
            assert len(a) % (h * w) == 0
            table = p.reshape(len(a) // (h * w), -1, h, w).permute(2, 3, 0, 1).reshape(len(a), -1)
            scores = torch.sigmoid(table[:, 4]) * torch.softmax(table[:, 5:], dim=1).amax(dim=1)
            good = scores >= score_threshold
            if not good.any():
                continue
            parts["boxes"] = torch.cat([parts["boxes"], decode_boxes(table[good, :4], a[good])])
            parts["scores"] = torch.cat([parts["scores"], scores[good]])
            parts["labels"] = torch.cat([parts["labels"], table[good, 5:].argmax(dim=1)])
            parts["maps"] = torch.cat([parts["maps"], torch.full((int(good.sum()),), m, dtype=torch.int64)])
        if len(parts["scores"]) == 0:
            result.append(_empty())
            continue
        kept = []
        for label in sorted(set(parts["labels"].tolist())):
            index = (parts["labels"] == label).nonzero().flatten()
            kept += index[nms(parts["boxes"][index], parts["scores"][index], nms_threshold)].tolist()
        kept.sort(key=lambda k: (-float(parts["scores"][k]), k))
        kept = torch.tensor(kept[:max_detections], dtype=torch.int64)
        result.append({name: value[kept] for name, value in parts.items()})
    return result


def compute_ap(predictions, ground_truths, iou_threshold=0.5):
    assert len(predictions) == len(ground_truths)
    assert 0 < iou_threshold <= 1
    total = sum(int(g.shape[0]) for g in ground_truths)
    if total == 0:
        return float("nan")
    if sum(len(p["scores"]) for p in predictions) == 0:
        return 0.0
    ranking = []
    for i, p in enumerate(predictions):
        assert len(p["boxes"]) == len(p["scores"])
        ranking += [(-float(s), i, j) for j, s in enumerate(p["scores"])]
    ranking.sort()
    matched = [torch.zeros(len(g), dtype=torch.bool) for g in ground_truths]
    correct = []
    for _, i, j in ranking:
        if matched[i].all():  # none, or none left
            correct.append(0.0)
            continue
        iou = compute_iou(predictions[i]["boxes"][j : j + 1], ground_truths[i]).squeeze(0)
        iou[matched[i]] = -1
        best = int(iou.argmax())
        correct.append(float(iou[best] >= iou_threshold))
        matched[i][best] |= bool(iou[best] >= iou_threshold)
    tp = torch.tensor(correct, dtype=torch.float64).cumsum(0)
    precision = tp / torch.arange(1, len(tp) + 1, dtype=torch.float64)
    precision = precision.flip(0).cummax(0).values.flip(0)
    recall = torch.cat([tp.new_zeros(1), tp / total])
    ap = float(((recall[1:] - recall[:-1]) * precision).sum())
    assert -1e-9 <= ap <= 1 + 1e-9
    return min(max(ap, 0.0), 1.0)


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
    counts = np.zeros((3, 3), dtype=np.int64)
    detections, targets = detect(model, dataloader, anchors)
    assert len(detections) == len(targets)
    for d, t in zip(detections, targets):
        sure = d["scores"] >= 0.5
        if not sure.any() or len(t["boxes"]) == 0:
            continue
        iou = compute_iou(d["boxes"][sure], t["boxes"]).clone()
        iou[d["labels"][sure][:, None] != t["labels"][None, :]] = 0
        for k in range(len(iou)):  # best first
            g = int(iou[k].argmax())
            if iou[k, g] < 0.5:
                continue
            iou[:, g] = 0
            counts[int(d["maps"][sure][k]), int(t["labels"][g])] += 1
    figure = Figure(figsize=(5, 4))
    axes = figure.add_subplot(1, 1, 1)
    bottom = np.zeros(3)
    for m in range(3):
        axes.bar(CLASS_NAMES, counts[m], bottom=bottom, label=MAP_NAMES[m])
        bottom += counts[m]
    axes.legend()
    folder = Path(RESULTS if results is None else results) / "visualizations"
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(str(folder / "scale_performance.png"))
    return counts


def visualize_detections(image, predictions, ground_truths, save_path):
    assert image.dim() == 3 and image.shape[0] == 3
    figure = Figure(figsize=(4, 4))
    axes = figure.add_axes([0, 0, 1, 1])
    axes.imshow(image.detach().cpu().clamp(0, 1).permute(1, 2, 0).numpy())
    for box in ground_truths["boxes"].tolist():
        axes.add_patch(Rectangle(box[:2], box[2] - box[0], box[3] - box[1], fill=False, ls="--", ec="green"))
    for box, label, score in zip(predictions["boxes"].tolist(), predictions["labels"].tolist(), predictions["scores"].tolist()):
        axes.add_patch(Rectangle(box[:2], box[2] - box[0], box[3] - box[1], fill=False, ec="red"))
        axes.text(box[0], box[1], f"{CLASS_NAMES[int(label)]} {score:.2f}", color="red", clip_on=True)
    axes.set_axis_off()
    Path(save_path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(str(save_path), dpi=100)
    assert Path(save_path).stat().st_size > 0
