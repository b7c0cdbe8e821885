import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

from utils import compute_iou, decode_boxes, nms

CLASSES = ["circle", "square", "triangle"]


def decode_predictions(predictions, anchors, score_threshold=0.05, nms_threshold=0.5,
                       max_detections=100):
    results = []
    for b in range(predictions[0].shape[0]):
        found = []  # (score, label, map, box)
        for k, (p, a) in enumerate(zip(predictions, anchors)):
            A = a.shape[0] // (p.shape[2] * p.shape[3])
            C = p.shape[1] // A - 5
            flat = p[b].permute(1, 2, 0).reshape(-1, 5 + C)
            probability, label = torch.softmax(flat[:, 5:], dim=1).max(dim=1)
            score = torch.sigmoid(flat[:, 4]) * probability
            chosen = torch.where(score >= score_threshold)[0]
            boxes = decode_boxes(flat[chosen, :4], a[chosen])
            for i, box in zip(chosen.tolist(), boxes):
                found.append((score[i], label[i], k, box))
        kept = []
        for c in range(C):
            mine = [f for f in found if int(f[1]) == c]
            if not mine:
                continue
            keep = nms(torch.stack([f[3] for f in mine]), torch.stack([f[0] for f in mine]),
                       nms_threshold)
            kept += [mine[i] for i in keep.tolist()]
        kept.sort(key=lambda f: -float(f[0]))
        kept = kept[:max_detections]
        results.append({
            "boxes": torch.stack([f[3] for f in kept]) if kept else torch.zeros(0, 4),
            "scores": torch.tensor([float(f[0]) for f in kept]),
            "labels": torch.tensor([int(f[1]) for f in kept], dtype=torch.long),
            "maps": torch.tensor([f[2] for f in kept], dtype=torch.long),
        })
    return results


def compute_ap(predictions, ground_truths, iou_threshold=0.5):
    npos = sum(len(g) for g in ground_truths)
    if npos == 0:
        return float("nan")
    ranked = []
    for image, p in enumerate(predictions):
        for k in range(len(p["scores"])):
            ranked.append((-float(p["scores"][k]), image, k))
    ranked.sort()
    used = [set() for _ in ground_truths]
    tp, points = 0, []
    for rank, (_, image, k) in enumerate(ranked, 1):
        best, best_j = -1.0, None
        if len(ground_truths[image]):
            ious = compute_iou(predictions[image]["boxes"][k:k + 1], ground_truths[image])[0]
            for j, iou in enumerate(ious.tolist()):
                if j not in used[image] and iou > best:
                    best, best_j = iou, j
        if best_j is not None and best >= iou_threshold:
            used[image].add(best_j)
            tp += 1
        points.append((tp / npos, tp / rank))
    area, previous = 0.0, 0.0
    for k, (recall, _) in enumerate(points):
        precision = max(q for _, q in points[k:])
        area += (recall - previous) * precision
        previous = recall
    return area


def analyze_scale_performance(model, dataloader, anchors):
    model.eval()
    table = np.zeros((3, 3), dtype=int)
    with torch.no_grad():
        for images, targets in dataloader:
            for det, target in zip(decode_predictions(model(images), anchors), targets):
                used = set()
                for box, score, label, k in zip(det["boxes"], det["scores"], det["labels"],
                                                det["maps"]):
                    if score < 0.5 or len(target["boxes"]) == 0:
                        continue
                    ious = compute_iou(box[None], target["boxes"])[0]
                    best, best_j = 0, None
                    for j in range(len(ious)):
                        if target["labels"][j] == label and j not in used and ious[j] > best:
                            best, best_j = ious[j], j
                    if best_j is not None and best >= 0.5:
                        used.add(best_j)
                        table[int(k), int(label)] += 1
    os.makedirs("results/visualizations", exist_ok=True)
    plt.figure()
    for k in range(3):
        plt.bar(np.arange(3) + 0.25 * k, table[k], width=0.25, label=f"map {k}")
    plt.xticks(range(3), CLASSES)
    plt.legend()
    plt.savefig("results/visualizations/scale_performance.png")
    plt.close()
    return table


def visualize_detections(image, predictions, ground_truths, save_path):
    plt.figure()
    plt.imshow(image.permute(1, 2, 0).cpu().numpy())
    for name, colour, boxes in (("truth", "g", ground_truths["boxes"]),
                                ("found", "r", predictions["boxes"])):
        for x1, y1, x2, y2 in boxes.tolist():
            plt.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], colour, label=name)
    plt.savefig(save_path)
    plt.close()
