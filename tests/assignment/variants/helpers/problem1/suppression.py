import torch

from boxes import compute_iou


def nms(boxes, scores, iou_threshold):
    remaining = torch.sort(input=scores, descending=True, stable=True).indices
    kept = []
    while remaining.numel() > 0:
        best, remaining = remaining[0], remaining[1:]
        kept.append(best)
        overlap = compute_iou(boxes1=boxes[best].unsqueeze(dim=0), boxes2=boxes[remaining])[0]
        remaining = remaining[overlap <= iou_threshold]
    return torch.stack(tensors=kept) if kept else torch.empty(size=(0,), dtype=torch.int64)
