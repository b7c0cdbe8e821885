import torch

MAP_SIZES = [(56, 56), (28, 28), (14, 14)]
ANCHOR_SCALES = [[16, 24, 32], [48, 64, 96], [96, 128, 192]]
BACKGROUND = 0


def box_area(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    """From the running index n = (i * W + j) * A + a alone."""
    out = []
    for m in range(len(feature_map_sizes)):
        h, w = feature_map_sizes[m]
        scale = torch.tensor(anchor_scales[m]).float()
        n = torch.arange(h * w * len(scale))
        a = n.remainder(len(scale))
        cell = n.div(len(scale), rounding_mode="floor")
        i, j = cell.div(w, rounding_mode="floor"), cell.remainder(w)
        box = torch.empty(len(n), 4)
        half = scale.index_select(0, a).div(2)
        x = j.add(0.5).mul(image_size).div(w)
        y = i.add(0.5).mul(image_size).div(h)
        box[:, 0], box[:, 1], box[:, 2], box[:, 3] = x - half, y - half, x + half, y + half
        out.append(box)
    return out


def compute_iou(boxes1, boxes2):
    """The overlap of two intervals by sorting their four ends: the middle two, if they overlap."""
    b1, b2 = boxes1.double(), boxes2.double()
    n, m = len(b1), len(b2)
    overlap = torch.ones(n, m, dtype=torch.float64)
    for axis in (0, 1):
        lo1, hi1 = b1[:, axis, None].expand(n, m), b1[:, axis + 2, None].expand(n, m)
        lo2, hi2 = b2[None, :, axis].expand(n, m), b2[None, :, axis + 2].expand(n, m)
        ends = torch.stack([lo1, hi1, lo2, hi2], -1).sort(-1).values
        apart = (hi1 <= lo2) | (hi2 <= lo1)
        overlap = overlap * (ends[..., 2] - ends[..., 1]).masked_fill(apart, 0)
    union = box_area(b1)[:, None] + box_area(b2)[None, :] - overlap
    return torch.nan_to_num(overlap / union, nan=0.0, posinf=0.0, neginf=0.0).float()


def encode_boxes(boxes, anchors):
    size_b, size_a = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]
    shift = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2
    return torch.hstack((shift / size_a, size_b.log() - size_a.log()))


def decode_boxes(deltas, anchors):
    size_a = anchors[:, 2:] - anchors[:, :2]
    size = size_a * deltas[:, 2:].exp()
    corner = anchors[:, :2] + size_a * (0.5 + deltas[:, :2]) - size / 2
    return torch.hstack((corner, corner + size))


def match_anchors_to_targets(anchors, target_boxes, target_labels, pos_threshold=0.5, neg_threshold=0.3):
    n, m = anchors.size(0), target_boxes.size(0)
    labels = torch.zeros(n, dtype=torch.long)
    boxes = torch.zeros(n, 4)
    if m == 0:
        return labels, boxes, labels > 0, labels == 0
    iou = compute_iou(target_boxes, anchors)  # [M, N]
    ranked, who = iou.sort(dim=0, descending=True, stable=True)
    best, owner = ranked[0], who[0]
    pos, neg = best >= pos_threshold, best < neg_threshold
    # claims in ascending order of strength, later objects first: the last write wins
    by_anchor = iou.sort(dim=1, descending=True, stable=True)
    strength, place = by_anchor.values[:, 0], by_anchor.indices[:, 0]
    order = strength.flip(0).sort(stable=True).indices
    order = (m - 1) - order
    for obj in order.tolist():
        if strength[obj] > 0:
            owner[place[obj]] = obj
            pos[place[obj]] = True
            neg[place[obj]] = False
    labels = torch.where(pos, target_labels[owner] + 1, labels)
    boxes = torch.where(pos[:, None], target_boxes[owner].float(), boxes)
    return labels, boxes, pos, neg


def nms(boxes, scores, iou_threshold):
    n = boxes.size(0)
    order = torch.tensor(sorted(range(n), key=lambda i: (-scores[i].item(), i)), dtype=torch.long)
    over = compute_iou(boxes[order], boxes[order]) > iou_threshold
    dead = torch.zeros(n, dtype=torch.bool)
    for i in range(n):
        if not dead[i]:
            dead[i + 1:] |= over[i, i + 1:]
    return order[~dead]
