import math

import torch

MAP_SIZES = [(56, 56), (28, 28), (14, 14)]
ANCHOR_SCALES = [[16, 24, 32], [48, 64, 96], [96, 128, 192]]
BACKGROUND = 0


def box_area(boxes: torch.Tensor) -> torch.Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    all_anchors = []
    for k in range(len(feature_map_sizes)):
        H = feature_map_sizes[k][0]
        W = feature_map_sizes[k][1]
        anchors = []
        for i in range(H):
            for j in range(W):
                for scale in anchor_scales[k]:
                    cx = (j + 0.5) * image_size / W
                    cy = (i + 0.5) * image_size / H
                    anchors.append([cx - scale / 2, cy - scale / 2, cx + scale / 2, cy + scale / 2])
        all_anchors.append(torch.tensor(anchors, dtype=torch.float32))
    return all_anchors


def iou_of_two(a, b):
    """a and b are lists of 4 floats"""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    overlap = w * h
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    if union <= 0:
        return 0.0
    return overlap / union


def compute_iou(boxes1, boxes2):
    list1 = boxes1.tolist()
    list2 = boxes2.tolist()
    iou = torch.zeros((len(list1), len(list2)))
    for i in range(len(list1)):
        for j in range(len(list2)):
            value = iou_of_two(list1[i], list2[j])
            if value > 0:
                iou[i, j] = value
    return iou


def encode_boxes(boxes, anchors):
    result = []
    for i in range(len(boxes)):
        x1, y1, x2, y2 = boxes[i].tolist()
        ax1, ay1, ax2, ay2 = anchors[i].tolist()
        aw = ax2 - ax1
        ah = ay2 - ay1
        tx = ((x1 + x2) / 2 - (ax1 + ax2) / 2) / aw
        ty = ((y1 + y2) / 2 - (ay1 + ay2) / 2) / ah
        tw = math.log((x2 - x1) / aw)
        th = math.log((y2 - y1) / ah)
        result.append([tx, ty, tw, th])
    return torch.tensor(result).reshape(-1, 4)


def decode_boxes(deltas, anchors):
    result = torch.zeros((len(deltas), 4))
    for i in range(len(deltas)):
        tx, ty, tw, th = deltas[i].tolist()
        ax1, ay1, ax2, ay2 = anchors[i].tolist()
        aw = ax2 - ax1
        ah = ay2 - ay1
        cx = (ax1 + ax2) / 2 + tx * aw
        cy = (ay1 + ay2) / 2 + ty * ah
        w = math.exp(tw) * aw
        h = math.exp(th) * ah
        result[i, 0] = cx - w / 2
        result[i, 1] = cy - h / 2
        result[i, 2] = cx + w / 2
        result[i, 3] = cy + h / 2
    return result


def match_anchors_to_targets(anchors, target_boxes, target_labels, pos_threshold=0.5, neg_threshold=0.3):
    N = len(anchors)
    M = len(target_boxes)
    matched_labels = torch.zeros(N, dtype=torch.int64)
    matched_boxes = torch.zeros(N, 4)
    pos_mask = torch.zeros(N, dtype=torch.bool)
    neg_mask = torch.zeros(N, dtype=torch.bool)
    if M == 0:
        neg_mask[:] = True
        return matched_labels, matched_boxes, pos_mask, neg_mask
    iou = compute_iou(anchors, target_boxes).tolist()
    # step 1: bands
    for n in range(N):
        best = -1.0
        best_m = 0
        for m in range(M):
            if iou[n][m] >= best:
                best = iou[n][m]
                best_m = m
        if best >= pos_threshold:
            pos_mask[n] = True
            matched_labels[n] = target_labels[best_m] + 1
            matched_boxes[n] = target_boxes[best_m]
        elif best < neg_threshold:
            neg_mask[n] = True
    # step 2: claims
    claimed_by = {}
    for m in range(M):
        best = 0.0
        best_n = None
        for n in range(N):
            if iou[n][m] > best:
                best = iou[n][m]
                best_n = n
        if best_n is None:
            continue
        if best_n in claimed_by:
            other = claimed_by[best_n]
            if iou[best_n][other] >= best:
                continue
        claimed_by[best_n] = m
    for n in claimed_by:
        m = claimed_by[n]
        pos_mask[n] = True
        neg_mask[n] = False
        matched_labels[n] = target_labels[m] + 1
        matched_boxes[n] = target_boxes[m]
    return matched_labels, matched_boxes, pos_mask, neg_mask


def nms(boxes, scores, iou_threshold):
    # selection sort by score
    remaining = list(range(len(boxes)))
    box_list = boxes.tolist()
    score_list = scores.tolist()
    keep = []
    while len(remaining) > 0:
        best = remaining[0]
        for i in remaining:
            if score_list[i] > score_list[best]:
                best = i
        keep.append(best)
        new_remaining = []
        for i in remaining:
            if i == best:
                continue
            if iou_of_two(box_list[best], box_list[i]) > iou_threshold:
                continue
            new_remaining.append(i)
        remaining = new_remaining
    return torch.tensor(keep, dtype=torch.int64)
