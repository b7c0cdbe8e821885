import torch


def box_area(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def intersection(boxes1, boxes2):
    left = torch.max(input=boxes1[:, None, 0], other=boxes2[None, :, 0])
    top = torch.max(input=boxes1[:, None, 1], other=boxes2[None, :, 1])
    right = torch.min(input=boxes1[:, None, 2], other=boxes2[None, :, 2])
    bottom = torch.min(input=boxes1[:, None, 3], other=boxes2[None, :, 3])
    return (right - left).clamp(min=0) * (bottom - top).clamp(min=0)


def compute_iou(boxes1, boxes2):
    boxes1, boxes2 = boxes1.to(dtype=torch.float32), boxes2.to(dtype=torch.float32)
    overlap = intersection(boxes1=boxes1, boxes2=boxes2)
    union = box_area(boxes=boxes1).unsqueeze(dim=1) + box_area(boxes=boxes2).unsqueeze(dim=0) - overlap
    empty = union <= 0
    return (overlap / union.masked_fill(mask=empty, value=1.0)).masked_fill(mask=empty, value=0.0)


def xyxy_to_cxcywh(boxes):
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return torch.stack(tensors=((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), dim=1)


def cxcywh_to_xyxy(boxes):
    x, y, w, h = boxes.unbind(dim=1)
    return torch.stack(tensors=(x - w / 2, y - h / 2, x + w / 2, y + h / 2), dim=1)


def encode_boxes(boxes, anchors):
    b, a = xyxy_to_cxcywh(boxes=boxes), xyxy_to_cxcywh(boxes=anchors)
    return torch.cat(tensors=((b[:, :2] - a[:, :2]) / a[:, 2:], torch.log(input=b[:, 2:] / a[:, 2:])), dim=1)


def decode_boxes(deltas, anchors):
    a = xyxy_to_cxcywh(boxes=anchors)
    return cxcywh_to_xyxy(boxes=torch.cat(
        tensors=(a[:, :2] + deltas[:, :2] * a[:, 2:], a[:, 2:] * torch.exp(input=deltas[:, 2:])), dim=1))
