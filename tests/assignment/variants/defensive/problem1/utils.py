import torch

MAP_SIZES = [(56, 56), (28, 28), (14, 14)]
ANCHOR_SCALES = [[16, 24, 32], [48, 64, 96], [96, 128, 192]]
BACKGROUND = 0


def _check_boxes(boxes):
    assert isinstance(boxes, torch.Tensor), type(boxes)
    assert boxes.dim() == 2 and boxes.shape[1] == 4, tuple(boxes.shape)
    assert not boxes.is_floating_point() or torch.isfinite(boxes).all()
    return boxes.detach().to(torch.float64)


def box_area(boxes: torch.Tensor) -> torch.Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    assert len(feature_map_sizes) == len(anchor_scales)
    assert image_size > 0
    if len(feature_map_sizes) == 0:
        return []
    (height, width), scales = feature_map_sizes[0], anchor_scales[0]
    assert height > 0 and width > 0 and all(s > 0 for s in scales)
    y = ((torch.arange(height, dtype=torch.float64) + 0.5) * image_size / height).view(height, 1, 1)
    x = ((torch.arange(width, dtype=torch.float64) + 0.5) * image_size / width).view(1, width, 1)
    half = torch.tensor(list(scales), dtype=torch.float64).view(1, 1, -1) / 2
    corners = torch.broadcast_tensors(x - half, y - half, x + half, y + half)
    first = torch.stack(corners, dim=-1).flatten(0, 2).to(torch.float32)
    return [first] + generate_anchors(feature_map_sizes[1:], anchor_scales[1:], image_size)


def compute_iou(boxes1, boxes2):
    a, b = _check_boxes(boxes1), _check_boxes(boxes2)
    iou = torch.zeros(len(a), len(b), dtype=torch.float64, device=a.device)
    if iou.numel() == 0:
        return iou.float()
    for i in range(len(a)):  # row by row: memory for N rows only
        lo = torch.maximum(a[i, :2], b[:, :2])
        hi = torch.minimum(a[i, 2:], b[:, 2:])
        inter = (hi - lo).clamp_(min=0).prod(dim=1)
        union = box_area(a[i : i + 1]) + box_area(b) - inter
        safe = union > 0
        iou[i, safe] = inter[safe] / union[safe]
    assert (iou >= 0).all() and (iou <= 1 + 1e-9).all()
    return iou.float()


def _split(boxes):
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + size / 2, size


def encode_boxes(boxes, anchors):
    assert boxes.shape == anchors.shape
    centre, size = _split(_check_boxes(boxes))
    anchor_centre, anchor_size = _split(_check_boxes(anchors))
    assert (size > 0).all() and (anchor_size > 0).all()
    return torch.cat([(centre - anchor_centre) / anchor_size, torch.log(size / anchor_size)], dim=1).to(anchors.dtype)


def decode_boxes(deltas, anchors):
    assert deltas.shape == anchors.shape
    anchor_centre, anchor_size = _split(_check_boxes(anchors))
    d = deltas.double()
    centre = anchor_centre + d[:, :2] * anchor_size
    half = anchor_size * torch.exp(d[:, 2:]) / 2
    return torch.cat([centre - half, centre + half], dim=1).to(deltas.dtype)


def match_anchors_to_targets(anchors, target_boxes, target_labels, pos_threshold=0.5, neg_threshold=0.3):
    assert len(target_boxes) == len(target_labels)
    assert 0 <= neg_threshold <= pos_threshold <= 1
    n = len(anchors)
    labels = torch.full((n,), BACKGROUND, dtype=torch.int64, device=anchors.device)
    boxes = torch.zeros((n, 4), dtype=torch.float32, device=anchors.device)
    pos = torch.zeros(n, dtype=torch.bool, device=anchors.device)
    if len(target_boxes) == 0:
        return labels, boxes, pos, torch.logical_not(pos)
    assert not target_labels.is_floating_point() and (target_labels >= 0).all()
    iou = compute_iou(anchors, target_boxes)
    best = iou.amax(dim=1)
    owner = iou.argmax(dim=1)
    pos |= best >= pos_threshold
    neg = best < neg_threshold
    strength = torch.zeros(n, dtype=iou.dtype)
    for obj in range(len(target_boxes)):
        column = iou[:, obj].clone()
        anchor = int(column.argmax())
        if column[anchor] <= strength[anchor]:
            continue  # overlaps nothing, or lost
        strength[anchor] = column[anchor]
        owner[anchor] = obj
    claimed = strength > 0
    pos |= claimed
    neg &= ~claimed
    labels[pos] = target_labels.to(torch.int64)[owner[pos]] + 1
    boxes[pos] = target_boxes.to(torch.float32)[owner[pos]]
    assert not (pos & neg).any()
    return labels, boxes, pos, neg


def nms(boxes, scores, iou_threshold):
    assert len(boxes) == len(scores) and scores.dim() == 1
    assert 0 <= iou_threshold <= 1
    n = len(boxes)
    if n == 0:
        return torch.zeros(0, dtype=torch.int64)
    if n == 1:
        return torch.zeros(1, dtype=torch.int64)
    boxes, left = boxes.clone(), scores.clone().double()
    kept = []
    while torch.isfinite(left).any():
        best = int(left.argmax())  # the first of equal ones
        kept.append(best)
        overlap = compute_iou(boxes[best].unsqueeze(0), boxes).squeeze(0)
        left[overlap > iou_threshold] = -float("inf")
        left[best] = -float("inf")
    return torch.tensor(kept, dtype=torch.int64)
