"""Anchors, IoU, coding, matching and NMS by einsum and outer products."""
import torch
import torch.nn.functional as F

MAP_SIZES = [(56, 56), (28, 28), (14, 14)]
ANCHOR_SCALES = [[16, 24, 32], [48, 64, 96], [96, 128, 192]]
BACKGROUND = 0


def box_area(boxes: torch.Tensor) -> torch.Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    to_corners = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    signs = torch.tensor([-0.5, -0.5, 0.5, 0.5])
    result = []
    for (height, width), scales in zip(feature_map_sizes, anchor_scales):
        xs = (torch.arange(width) + 0.5) * (image_size / width)
        ys = (torch.arange(height) + 0.5) * (image_size / height)
        centres = torch.stack([torch.outer(torch.ones(height), xs), torch.outer(ys, torch.ones(width))])
        corners = torch.einsum("cij,ck->ijk", centres, to_corners)
        offsets = torch.einsum("a,k->ak", torch.as_tensor(scales, dtype=torch.float32), signs)
        result.append((corners[:, :, None, :] + offsets).reshape(-1, 4))
    return result


def _floating(boxes):
    return boxes if boxes.is_floating_point() else boxes.to(torch.float64)


def compute_iou(boxes1, boxes2):
    a, b = _floating(boxes1), _floating(boxes2)
    dtype = torch.promote_types(a.dtype, b.dtype)
    a, b = a.to(dtype), b.to(dtype)
    start = torch.maximum(a[:, None, :2], b[None, :, :2])
    end = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    side = (end - start).clamp(min=0)
    overlap = torch.einsum("nm,nm->nm", side[..., 0], side[..., 1])
    one_a, one_b = a.new_ones(len(a)), a.new_ones(len(b))
    union = torch.einsum("n,m->nm", box_area(a), one_b) + torch.einsum("n,m->nm", one_a, box_area(b)) - overlap
    return torch.where(union > 0, overlap / union, torch.zeros_like(union))


_TO_CENTRE = [[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]]
_TO_CORNER = [[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]]


def encode_boxes(boxes, anchors):
    matrix = torch.tensor(_TO_CENTRE, dtype=boxes.dtype, device=boxes.device)
    b = torch.einsum("nk,kj->nj", boxes, matrix)
    a = torch.einsum("nk,kj->nj", anchors.to(boxes.dtype), matrix)
    return torch.cat([(b[:, :2] - a[:, :2]) / a[:, 2:], torch.log(b[:, 2:] / a[:, 2:])], dim=1)


def decode_boxes(deltas, anchors):
    matrix = torch.tensor(_TO_CENTRE, dtype=deltas.dtype, device=deltas.device)
    a = torch.einsum("nk,kj->nj", anchors.to(deltas.dtype), matrix)
    centre = a[:, :2] + torch.einsum("nd,nd->nd", deltas[:, :2], a[:, 2:])
    size = torch.einsum("nd,nd->nd", torch.exp(deltas[:, 2:]), a[:, 2:])
    back = torch.tensor(_TO_CORNER, dtype=deltas.dtype, device=deltas.device)
    return torch.einsum("nk,kj->nj", torch.cat([centre, size], 1), back)


def match_anchors_to_targets(anchors, target_boxes, target_labels, pos_threshold=0.5, neg_threshold=0.3):
    n, m = len(anchors), len(target_boxes)
    if m == 0:
        none = torch.zeros(n, dtype=torch.bool, device=anchors.device)
        return torch.zeros(n, dtype=torch.int64, device=anchors.device), torch.zeros_like(anchors), none, ~none
    iou = compute_iou(anchors, target_boxes)
    best, owner = iou.max(dim=1)
    top, where = iou.max(dim=0)
    claim = F.one_hot(where, n).T.bool() & (top > 0)  # [N, M]
    claimed = claim.any(dim=1)
    winner = torch.einsum("nm,nm->nm", claim.to(iou.dtype), iou).argmax(dim=1)
    owner = torch.where(claimed, winner, owner)
    pos = claimed | (best >= pos_threshold)
    neg = (best < neg_threshold) & ~claimed
    belongs = F.one_hot(owner, m) * pos[:, None]  # int64
    labels = torch.einsum("nm,m->n", belongs, target_labels + 1)
    boxes = torch.einsum("nm,mk->nk", belongs.to(target_boxes.dtype), target_boxes)
    return labels, boxes, pos, neg


def nms(boxes, scores, iou_threshold):
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.int64)
    order = torch.argsort(scores, descending=True, stable=True)
    sorted_boxes = boxes[order]
    beats = torch.triu(compute_iou(sorted_boxes, sorted_boxes) > iou_threshold, diagonal=1).float()
    keep = torch.ones(len(boxes))
    while True:  # the greedy answer is the only fixed point
        new = (torch.einsum("i,ij->j", keep, beats) == 0).float()
        if torch.equal(new, keep):
            return order[keep.bool()]
        keep = new
