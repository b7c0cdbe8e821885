"""Plain loops, Python numbers; a forward of its own for each layer in the place of hooks."""

import math
import os

import matplotlib.pyplot as plt
import torch
from utils import compute_iou


def anchor_coverage(anchors, targets, iou_threshold=0.5, *, num_classes=3):
    rows = []
    for of_map in anchors:
        row = []
        for c in range(num_classes):
            total = found = 0
            for target in targets:
                for box, label in zip(target["boxes"], target["labels"]):
                    if label.item() != c:
                        continue
                    total += 1
                    for anchor in of_map:
                        if compute_iou(anchor[None], box[None]).item() >= iou_threshold:
                            found += 1
                            break
            row.append(found / total if total else float("nan"))
        rows.append(row)
    return torch.tensor(rows)


def draw_anchor_coverage(image, anchors, target, save_path):
    plt.figure(figsize=(6, 6))
    plt.imshow(image.permute(1, 2, 0))
    for box in target["boxes"].tolist():
        plt.gca().add_patch(plt.Rectangle(box[:2], box[2] - box[0], box[3] - box[1], fill=False,
                                          color="k", lw=2))
        for of_map, colour in zip(anchors, ["r", "b", "m", "c"]):
            best = max(of_map.tolist(), key=lambda a, box=box: compute_iou(
                torch.tensor([a]), torch.tensor([box])).item())
            plt.gca().add_patch(plt.Rectangle(best[:2], best[2] - best[0], best[3] - best[1],
                                              fill=False, color=colour, lw=2))
    if os.path.dirname(save_path):
        os.makedirs(os.path.dirname(save_path), exist_ok=True)
    plt.savefig(save_path)
    plt.close()


def capture_feature_maps(model, images, layers):
    found = {}
    known = [name for name, _ in model.named_modules()]
    for name in layers:
        if name not in known:
            raise ValueError("unknown layer: " + name)
    training = [module for module in model.modules() if module.training]
    model.eval()
    changed = []
    try:
        for name in layers:
            module = model.get_submodule(name)

            def forward(*args, _name=name, _module=module, **kwargs):
                output = type(_module).forward(_module, *args, **kwargs)
                total = torch.zeros(output.shape[0], output.shape[2], output.shape[3])
                for channel in range(output.shape[1]):
                    total += output.data[:, channel].abs()
                found[_name] = total / output.shape[1]
                return output

            module.forward = forward
            changed.append(module)
        with torch.inference_mode():
            model(images)
    finally:
        for module in changed:
            del module.forward
        for module in training:
            module.training = True
    return found


def size_breakdown(detections, targets, edges, iou_threshold=0.5, score_threshold=0.5):
    bins = len(edges) - 1
    found, objects = [[0] * bins for _ in range(3)], [0] * bins
    for detection, target in zip(detections, targets):
        which = []
        for x1, y1, x2, y2 in target["boxes"].tolist():
            side = math.sqrt((x2 - x1) * (y2 - y1))
            own = [k for k in range(bins) if edges[k] <= side < edges[k + 1]]
            which.append(own[0] if own else None)
            if own:
                objects[own[0]] += 1
        taken = set()
        for box, score, label, index in zip(*(detection[key] for key in (
                "boxes", "scores", "labels", "maps"))):
            if score < score_threshold:
                break
            best, best_iou = None, -1.0
            for g in range(len(which)):
                if g in taken or target["labels"][g] != label:
                    continue
                iou = compute_iou(box[None], target["boxes"][g][None]).item()
                if iou > best_iou:
                    best, best_iou = g, iou
            if best is not None and best_iou >= iou_threshold:
                taken.add(best)
                if which[best] is not None:
                    found[index][which[best]] += 1
    return torch.tensor(found), torch.tensor(objects)
