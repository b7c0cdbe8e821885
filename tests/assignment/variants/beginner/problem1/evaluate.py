import os
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from utils import compute_iou, decode_boxes, nms

CLASS_NAMES = ["circle", "square", "triangle"]
MAP_NAMES = ["56x56", "28x28", "14x14"]
RESULTS = Path(__file__).parent / "results"


def decode_predictions(predictions, anchors, score_threshold=0.05, nms_threshold=0.5, max_detections=100):
    results = []
    batch_size = predictions[0].shape[0]
    for b in range(batch_size):
        boxes = []
        scores = []
        labels = []
        maps = []
        for m in range(len(predictions)):
            p = predictions[m][b].detach()
            H = p.shape[1]
            W = p.shape[2]
            A = len(anchors[m]) // (H * W)
            per = p.shape[0] // A
            for i in range(H):
                for j in range(W):
                    for a in range(A):
                        values = p[a * per:(a + 1) * per, i, j]
                        obj = torch.sigmoid(values[4]).item()
                        probs = torch.softmax(values[5:], dim=0).tolist()
                        label = probs.index(max(probs))
                        score = obj * probs[label]
                        if score >= score_threshold:
                            n = (i * W + j) * A + a
                            box = decode_boxes(values[:4].unsqueeze(0), anchors[m][n].unsqueeze(0))
                            boxes.append(box[0].tolist())
                            scores.append(score)
                            labels.append(label)
                            maps.append(m)
        keep = []
        for c in set(labels):
            index = []
            for n in range(len(labels)):
                if labels[n] == c:
                    index.append(n)
            kept = nms(torch.tensor([boxes[n] for n in index]), torch.tensor([scores[n] for n in index]), nms_threshold)
            for k in kept:
                keep.append(index[k.item()])
        keep.sort(key=lambda n: scores[n], reverse=True)
        keep = keep[:max_detections]
        result = {}
        result["boxes"] = torch.tensor([boxes[n] for n in keep]).reshape(-1, 4)
        result["scores"] = torch.tensor([scores[n] for n in keep])
        result["labels"] = torch.tensor([labels[n] for n in keep], dtype=torch.long)
        result["maps"] = torch.tensor([maps[n] for n in keep], dtype=torch.long)
        results.append(result)
    return results


def compute_ap(predictions, ground_truths, iou_threshold=0.5):
    num_objects = 0
    for g in ground_truths:
        num_objects += len(g)
    if num_objects == 0:
        return float("nan")
    detections = []
    for i in range(len(predictions)):
        for j in range(len(predictions[i]["scores"])):
            detections.append((predictions[i]["scores"][j].item(), i, j))
    detections = sorted(detections, key=lambda d: d[0], reverse=True)
    found = []
    for g in ground_truths:
        found.append([False] * len(g))
    precisions = []
    recalls = []
    tp = 0
    fp = 0
    for score, i, j in detections:
        best_iou = 0
        best_g = -1
        for g in range(len(ground_truths[i])):
            if found[i][g]:
                continue
            iou = compute_iou(predictions[i]["boxes"][j].unsqueeze(0), ground_truths[i][g].unsqueeze(0)).item()
            if iou > best_iou:
                best_iou = iou
                best_g = g
        if best_g >= 0 and best_iou >= iou_threshold:
            found[i][best_g] = True
            tp += 1
        else:
            fp += 1
        precisions.append(tp / (tp + fp))
        recalls.append(tp / num_objects)
    ap = 0.0
    last_recall = 0.0
    for k in range(len(precisions)):
        ap += (recalls[k] - last_recall) * max(precisions[k:])
        last_recall = recalls[k]
    return ap


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
        of_class = [
            {"boxes": d["boxes"][d["labels"] == c], "scores": d["scores"][d["labels"] == c]}
            for d in detections
        ]
        boxes = [t["boxes"][t["labels"] == c] for t in targets]
        aps.append(compute_ap(of_class, boxes, iou_threshold))
    return aps


def analyze_scale_performance(model, dataloader, anchors, results=None):
    import numpy as np

    counts = np.zeros((3, 3), dtype=int)
    detections, targets = detect(model, dataloader, anchors)
    for d, t in zip(detections, targets):
        found = [False] * len(t["boxes"])
        for k in range(len(d["scores"])):
            if d["scores"][k].item() < 0.5:
                continue
            best = 0
            best_g = -1
            for g in range(len(t["boxes"])):
                if found[g] or t["labels"][g].item() != d["labels"][k].item():
                    continue
                iou = compute_iou(d["boxes"][k:k + 1], t["boxes"][g:g + 1]).item()
                if iou >= 0.5 and iou > best:
                    best = iou
                    best_g = g
            if best_g != -1:
                found[best_g] = True
                counts[d["maps"][k].item()][d["labels"][k].item()] += 1
    print("True positives:")
    print(counts)
    plt.figure()
    for c in range(3):
        plt.plot(MAP_NAMES, counts[:, c], label=CLASS_NAMES[c])
    plt.legend()
    if results is None:
        results = RESULTS
    os.makedirs(os.path.join(results, "visualizations"), exist_ok=True)
    plt.savefig(os.path.join(results, "visualizations", "scale_performance.png"))
    plt.close()
    return counts


def visualize_detections(image, predictions, ground_truths, save_path):
    folder = os.path.dirname(save_path)
    if folder != "":
        os.makedirs(folder, exist_ok=True)
    plt.figure(figsize=(6, 6))
    plt.imshow(image.permute(1, 2, 0).cpu().numpy())
    ax = plt.gca()
    for k in range(len(predictions["boxes"])):
        x1, y1, x2, y2 = predictions["boxes"][k].tolist()
        ax.add_patch(plt.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color="r"))
        name = CLASS_NAMES[predictions["labels"][k].item()]
        plt.text(x1, y1, "%s %.2f" % (name, predictions["scores"][k].item()))
    for k in range(len(ground_truths["boxes"])):
        x1, y1, x2, y2 = ground_truths["boxes"][k].tolist()
        ax.add_patch(plt.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color="g", linestyle="--"))
    plt.savefig(save_path)
    plt.close()
