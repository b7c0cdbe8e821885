import torch

from flattening import flatten_maps
from utils import decode_boxes, nms


def decode_image(row, anchors, maps, score_threshold, nms_threshold, max_detections):
    class_scores, labels = torch.softmax(input=row[:, 5:], dim=1).max(dim=1)
    scores = torch.sigmoid(input=row[:, 4]) * class_scores
    keep = scores >= score_threshold
    boxes = decode_boxes(deltas=row[keep, :4], anchors=anchors[keep])
    scores, labels, maps = scores[keep], labels[keep], maps[keep]
    survivors = []
    for label in labels.unique(sorted=True):
        where = (labels == label).nonzero().flatten()
        survivors.append(where[nms(boxes=boxes[where], scores=scores[where], iou_threshold=nms_threshold)])
    index = torch.cat(tensors=survivors) if survivors else torch.zeros(size=(0,), dtype=torch.int64)
    index = index[torch.sort(input=scores[index], descending=True, stable=True).indices[:max_detections]]
    return {"boxes": boxes[index], "scores": scores[index], "labels": labels[index], "maps": maps[index]}


def decode_predictions(predictions, anchors, score_threshold=0.05, nms_threshold=0.5, max_detections=100):
    cells = predictions[0].shape[2] * predictions[0].shape[3]
    per_anchor = predictions[0].shape[1] * cells // anchors[0].shape[0]
    rows = flatten_maps(predictions=[p.detach() for p in predictions], per_anchor=per_anchor)
    maps = torch.cat(tensors=[torch.full(size=(len(a),), fill_value=m) for m, a in enumerate(anchors)])
    return [decode_image(row=row, anchors=torch.cat(tensors=anchors), maps=maps, score_threshold=score_threshold,
                         nms_threshold=nms_threshold, max_detections=max_detections) for row in rows]
