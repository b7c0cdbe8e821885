"""numpy; images one by one through the network, copies of whole outputs kept until the end."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from utils import compute_iou


def _iou(a, b):
    return compute_iou(torch.as_tensor(np.asarray(a)), torch.as_tensor(np.asarray(b))).numpy()


def anchor_coverage(anchors, targets, iou_threshold=0.5, *, num_classes=3):
    boxes = np.concatenate([np.asarray(t["boxes"]).reshape(-1, 4) for t in targets])
    labels = np.concatenate([np.asarray(t["labels"]) for t in targets]).astype(int)
    best = np.stack([_iou(boxes, a).max(axis=1) for a in anchors])
    result = np.full((len(anchors), num_classes), np.nan, np.float32)
    for c in np.unique(labels):
        result[:, c] = (best[:, labels == c] >= iou_threshold).mean(axis=1)
    return result


def draw_anchor_coverage(image, anchors, target, save_path):
    figure, panels = plt.subplots(len(anchors), figsize=(6, 3 * len(anchors)), squeeze=False)
    for own, axes in zip(anchors, panels[:, 0]):
        axes.imshow(np.moveaxis(np.asarray(image), 0, -1))
        for box in target["boxes"].numpy():
            anchor = own.numpy()[_iou([box], own)[0].argmax()]
            for (x1, y1, x2, y2), style in ((box, "k-"), (anchor, "r-")):
                axes.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], style, lw=2)
        axes.set_xticks([])
        axes.set_title(f"{len(own)} anchors")
    figure.savefig(str(save_path))


class Kept(dict):
    def add(self, name, module, inputs, output):
        self.setdefault(name, []).append(output.clone().cpu().numpy())


def capture_feature_maps(model, images, layers):
    kept, handles, modules = Kept(), [], dict(model.named_modules())
    missing = set(layers) - set(modules)
    if missing:
        raise ValueError(f"no such layers: {', '.join(sorted(missing))}; there are {list(modules)}")
    was = [m.training for m in model.modules()]
    try:
        handles += [modules[n].register_forward_hook(partial(kept.add, n)) for n in layers]
        model.eval()
        with torch.no_grad():
            for image in images:
                model(image[None])
    finally:
        [handle.remove() for handle in handles]
        for m, mode in zip(model.modules(), was):
            m.training = mode
    return {n: torch.from_numpy(np.abs(np.concatenate(v)).mean(axis=1, dtype=np.float64)
                                .astype(np.float32)) for n, v in kept.items()}


def size_breakdown(detections, targets, edges, iou_threshold=0.5, score_threshold=0.5):
    found = np.zeros((3, len(edges) - 1), int)
    objects = np.zeros(len(edges) - 1, int)
    for d, t in zip(detections, targets):
        w, h = (t["boxes"][:, 2:] - t["boxes"][:, :2]).double().numpy().T.reshape(2, -1)
        k = np.digitize(np.sqrt(w * h), edges)  # 0 is below, len(edges) above
        objects += np.bincount(k, minlength=len(edges) + 1)[1:-1]
        iou = _iou(d["boxes"], t["boxes"]) * (d["labels"].numpy()[:, None] == t["labels"].numpy())
        good = d["scores"].numpy() >= score_threshold
        for row, index in zip(iou[good], d["maps"].numpy()[good]):
            free = np.where(k >= 0, row, 0)
            if len(free) and free.max() >= iou_threshold:
                best = int(free.argmax())
                if 0 < k[best] < len(edges):
                    found[index, k[best] - 1] += 1
                k[best] = -1
    return [found, objects]
