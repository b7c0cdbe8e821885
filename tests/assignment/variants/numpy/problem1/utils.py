"""numpy inside, tensors at the border."""

import numpy as np
import torch


def to_numpy(x):
    return x.detach().cpu().numpy() if torch.is_tensor(x) else np.asarray(x)


def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    result = []
    for (H, W), scales in zip(feature_map_sizes, anchor_scales):
        jj, ii = np.meshgrid(np.arange(W), np.arange(H))
        cx = ((jj + 0.5) * image_size / W).ravel().repeat(len(scales))
        cy = ((ii + 0.5) * image_size / H).ravel().repeat(len(scales))
        s = np.tile(np.asarray(scales, dtype=float), H * W)
        anchors = np.stack((cx - s / 2, cy - s / 2, cx + s / 2, cy + s / 2), 1)
        result.append(torch.from_numpy(anchors.astype(np.float32)))
    return result


def compute_iou(boxes1, boxes2):
    a, b = to_numpy(boxes1).astype(np.float64), to_numpy(boxes2).astype(np.float64)
    x1 = np.maximum.outer(a[:, 0], b[:, 0])
    y1 = np.maximum.outer(a[:, 1], b[:, 1])
    x2 = np.minimum.outer(a[:, 2], b[:, 2])
    y2 = np.minimum.outer(a[:, 3], b[:, 3])
    inter = np.clip(x2 - x1, 0, None) * np.clip(y2 - y1, 0, None)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    union = np.add.outer(area_a, area_b) - inter
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = np.nan_to_num(inter / union)
    return torch.from_numpy(iou).float()


def encode_boxes(boxes, anchors):
    b, a = to_numpy(boxes), to_numpy(anchors)
    wh = a[:, 2:] - a[:, :2]
    t = ((b[:, :2] + b[:, 2:]) - (a[:, :2] + a[:, 2:])) / 2 / wh
    return torch.from_numpy(np.hstack([t, np.log((b[:, 2:] - b[:, :2]) / wh)]))


def decode_boxes(deltas, anchors):
    d, a = to_numpy(deltas), to_numpy(anchors)
    wh = a[:, 2:] - a[:, :2]
    centre = (a[:, 2:] + a[:, :2]) / 2 + d[:, :2] * wh
    half = np.exp(d[:, 2:]) * wh / 2
    return torch.from_numpy(np.hstack([centre - half, centre + half]))


def match_anchors_to_targets(anchors, target_boxes, target_labels, pos_threshold=0.5,
                             neg_threshold=0.3):
    n = len(anchors)
    labels, boxes = np.zeros(n, np.int64), np.zeros((n, 4), np.float32)
    pos, neg = np.zeros(n, bool), np.ones(n, bool)
    if len(target_boxes):
        iou = compute_iou(anchors, target_boxes).numpy()
        gt = iou.argmax(1)
        best = iou.max(1)
        pos, neg = best >= pos_threshold, best < neg_threshold
        # From the worst claim to the best, so that the best one is written last.
        claimed = iou.argmax(0)
        value = iou.max(0)
        for g in sorted(range(len(value)), key=lambda g: (value[g], -g)):
            if value[g] > 0:
                gt[claimed[g]] = g
                pos[claimed[g]], neg[claimed[g]] = True, False
        labels[pos] = to_numpy(target_labels)[gt[pos]] + 1
        boxes[pos] = to_numpy(target_boxes)[gt[pos]]
    return tuple(torch.from_numpy(x) for x in (labels, boxes, pos, neg))


def nms(boxes, scores, iou_threshold):
    order = np.argsort(-to_numpy(scores), kind="stable")
    iou = compute_iou(boxes, boxes).numpy()
    alive = np.ones(len(order), bool)
    keep = []
    for i in order:
        if alive[i]:
            keep.append(i)
            alive &= iou[i] <= iou_threshold
    return torch.as_tensor(np.array(keep, dtype=np.int64))
