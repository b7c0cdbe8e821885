import torch

from boxes import compute_iou

BACKGROUND = 0


def find_claims(iou):
    """anchor index -> object index, the stronger claim wins."""
    claims = {}
    for obj in range(iou.shape[1]):
        anchor = iou[:, obj].argmax().item()
        value = iou[anchor, obj].item()
        if value <= 0:
            continue
        if anchor not in claims or value > iou[anchor, claims[anchor]].item():
            claims[anchor] = obj
    return claims


def match_anchors_to_targets(anchors, target_boxes, target_labels, pos_threshold=0.5, neg_threshold=0.3):
    number = anchors.shape[0]
    owner = torch.full(size=(number,), fill_value=-1, dtype=torch.int64)
    if target_boxes.shape[0] > 0:
        iou = compute_iou(boxes1=anchors, boxes2=target_boxes)
        best, index = iou.max(dim=1)
        owner[best >= pos_threshold] = index[best >= pos_threshold]
        neg_mask = best < neg_threshold
        for anchor, obj in find_claims(iou=iou).items():
            owner[anchor] = obj
            neg_mask[anchor] = False
    else:
        neg_mask = torch.ones(size=(number,), dtype=torch.bool)
    pos_mask = owner >= 0
    matched_labels = torch.full(size=(number,), fill_value=BACKGROUND, dtype=torch.int64)
    matched_boxes = torch.zeros(size=(number, 4), dtype=target_boxes.dtype)
    matched_labels[pos_mask] = target_labels[owner[pos_mask]] + 1
    matched_boxes[pos_mask] = target_boxes[owner[pos_mask]]
    return matched_labels, matched_boxes, pos_mask, neg_mask
