"""Everything with plain loops over boxes, as a first working version is often written."""

import math

import torch


def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    all_anchors = []
    for k in range(len(feature_map_sizes)):
        H, W = feature_map_sizes[k]
        rows = []
        for i in range(H):
            for j in range(W):
                cx = (j + 0.5) * image_size / W
                cy = (i + 0.5) * image_size / H
                for s in anchor_scales[k]:
                    rows.append([cx - s / 2, cy - s / 2, cx + s / 2, cy + s / 2])
        all_anchors.append(torch.tensor(rows, dtype=torch.float32))
    return all_anchors


def iou_of_two(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(w, 0.0) * max(h, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    if union <= 0:
        return 0.0
    return inter / union


def compute_iou(boxes1, boxes2):
    iou = torch.zeros(len(boxes1), len(boxes2))
    for i, a in enumerate(boxes1.tolist()):
        for j, b in enumerate(boxes2.tolist()):
            iou[i, j] = iou_of_two(a, b)
    return iou


def encode_boxes(boxes, anchors):
    rows = []
    for b, a in zip(boxes.tolist(), anchors.tolist()):
        aw, ah = a[2] - a[0], a[3] - a[1]
        rows.append([
            ((b[0] + b[2]) / 2 - (a[0] + a[2]) / 2) / aw,
            ((b[1] + b[3]) / 2 - (a[1] + a[3]) / 2) / ah,
            math.log((b[2] - b[0]) / aw),
            math.log((b[3] - b[1]) / ah),
        ])
    return torch.tensor(rows).reshape(-1, 4)


def decode_boxes(deltas, anchors):
    rows = []
    for d, a in zip(deltas.tolist(), anchors.tolist()):
        aw, ah = a[2] - a[0], a[3] - a[1]
        cx, cy = (a[0] + a[2]) / 2 + d[0] * aw, (a[1] + a[3]) / 2 + d[1] * ah
        w, h = aw * math.exp(d[2]), ah * math.exp(d[3])
        rows.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    return torch.tensor(rows).reshape(-1, 4)


def match_anchors_to_targets(anchors, target_boxes, target_labels, pos_threshold=0.5,
                             neg_threshold=0.3):
    n, m = len(anchors), len(target_boxes)
    labels = torch.zeros(n, dtype=torch.long)
    boxes = torch.zeros(n, 4)
    pos = torch.zeros(n, dtype=torch.bool)
    neg = torch.zeros(n, dtype=torch.bool)
    iou = compute_iou(anchors, target_boxes).tolist()

    owner = {}
    for i in range(n):
        best = max(iou[i], default=0.0)
        if m and best >= pos_threshold:
            owner[i] = iou[i].index(best)
        elif best < neg_threshold:
            neg[i] = True

    claims = {}  # anchor -> (IoU, object)
    for g in range(m):
        column = [iou[i][g] for i in range(n)]
        best = max(column)
        if best == 0:
            continue
        i = column.index(best)
        if i not in claims or best > claims[i][0]:
            claims[i] = (best, g)
    for i, (_, g) in claims.items():
        owner[i] = g
        neg[i] = False

    for i, g in owner.items():
        pos[i] = True
        labels[i] = target_labels[g] + 1
        boxes[i] = target_boxes[g]
    return labels, boxes, pos, neg


def nms(boxes, scores, iou_threshold):
    boxes, scores = boxes.tolist(), scores.tolist()
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    keep = []
    for i in order:
        if all(iou_of_two(boxes[i], boxes[j]) <= iou_threshold for j in keep):
            keep.append(i)
    return torch.tensor(keep, dtype=torch.long)
