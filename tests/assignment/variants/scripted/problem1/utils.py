"""Typed and scripted where that works."""
from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Iterator, List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

MAP_SIZES: list[tuple[int, int]] = [(56, 56), (28, 28), (14, 14)]
ANCHOR_SCALES: list[list[int]] = [[16, 24, 32], [48, 64, 96], [96, 128, 192]]
BACKGROUND: int = 0


@torch.jit.script
def box_area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


@dataclass(frozen=True)
class Grid:
    height: int
    width: int
    scales: tuple[float, ...]
    image_size: float

    def cells(self) -> Iterator[tuple[float, float]]:
        for i in range(self.height):
            for j in range(self.width):
                yield (j + 0.5) * self.image_size / self.width, (i + 0.5) * self.image_size / self.height

    def __iter__(self) -> Iterator[tuple[float, float, float, float]]:
        for x, y in self.cells():
            yield from ((x - s / 2, y - s / 2, x + s / 2, y + s / 2) for s in self.scales)


def generate_anchors(
    feature_map_sizes: Sequence[tuple[int, int]], anchor_scales: Sequence[Sequence[float]], image_size: float = 224
) -> list[Tensor]:
    grids = (Grid(h, w, tuple(s), image_size) for (h, w), s in zip(feature_map_sizes, anchor_scales))
    return [torch.tensor(list(grid), dtype=torch.float32).view(-1, 4) for grid in grids]


@torch.jit.script
def compute_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    a = boxes1.to(torch.float64).unsqueeze(1)
    b = boxes2.to(torch.float64).unsqueeze(0)
    w = (torch.minimum(a[:, :, 2], b[:, :, 2]) - torch.maximum(a[:, :, 0], b[:, :, 0])).relu()
    h = (torch.minimum(a[:, :, 3], b[:, :, 3]) - torch.maximum(a[:, :, 1], b[:, :, 1])).relu()
    overlap = w * h
    area_a = (a[:, :, 2] - a[:, :, 0]) * (a[:, :, 3] - a[:, :, 1])
    area_b = (b[:, :, 2] - b[:, :, 0]) * (b[:, :, 3] - b[:, :, 1])
    union = area_a + area_b - overlap
    result = torch.zeros_like(union)
    good = union > 0
    result[good] = overlap[good] / union[good]
    return result.to(torch.float32)


class CXCYWH(NamedTuple):
    x: Tensor
    y: Tensor
    w: Tensor
    h: Tensor


def to_centre(boxes: Tensor) -> CXCYWH:
    return CXCYWH((boxes[:, 0] + boxes[:, 2]) * 0.5, (boxes[:, 1] + boxes[:, 3]) * 0.5,
                  boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


stack = partial(torch.stack, dim=-1)


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    b, a = to_centre(boxes), to_centre(anchors)
    return stack(((b.x - a.x) / a.w, (b.y - a.y) / a.h, (b.w / a.w).log(), (b.h / a.h).log()))


def decode_boxes(deltas: Tensor, anchors: Tensor) -> Tensor:
    a = to_centre(anchors)
    x, y = torch.addcmul(a.x, deltas[:, 0], a.w), torch.addcmul(a.y, deltas[:, 1], a.h)
    w, h = a.w * deltas[:, 2].exp(), a.h * deltas[:, 3].exp()
    return stack((x - w / 2, y - h / 2, x + w / 2, y + h / 2))


class Match(NamedTuple):
    labels: Tensor
    boxes: Tensor
    pos_mask: Tensor
    neg_mask: Tensor


@torch.jit.script
def _claims(iou: Tensor) -> List[Tuple[int, int]]:
    pairs: List[Tuple[int, int]] = []
    for obj in range(iou.size(1)):
        column = iou[:, obj]
        anchor = int(torch.argmax(column))
        value = float(column[anchor])
        if value > 0.0:
            wins = True
            for other in range(iou.size(1)):
                if other != obj and int(torch.argmax(iou[:, other])) == anchor:
                    rival = float(iou[anchor, other])
                    if rival > value or (rival == value and other < obj):
                        wins = False
            if wins:
                pairs.append((anchor, obj))
    return pairs


def match_anchors_to_targets(
    anchors: Tensor, target_boxes: Tensor, target_labels: Tensor, pos_threshold: float = 0.5, neg_threshold: float = 0.3
) -> Match:
    count = anchors.size(0)
    if target_boxes.numel() == 0:
        return Match(torch.zeros(count, dtype=torch.int64), anchors.new_zeros((count, 4)),
                     torch.zeros(count, dtype=torch.bool), torch.ones(count, dtype=torch.bool))
    iou = compute_iou(anchors, target_boxes)
    best, index = iou.max(dim=1)
    pos, neg = best.ge(pos_threshold), best.lt(neg_threshold)
    for anchor, obj in _claims(iou):
        index[anchor], pos[anchor], neg[anchor] = obj, True, False
    labels = (target_labels[index] + 1) * pos
    boxes = target_boxes[index] * pos.unsqueeze(1)
    return Match(labels, boxes, pos, neg)


@torch.jit.script
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    order = torch.argsort(scores, dim=0, descending=True, stable=True)
    iou = compute_iou(boxes, boxes)
    kept: List[int] = []
    for k in range(order.numel()):
        i = int(order[k])
        good = True
        for j in kept:
            if float(iou[i, j]) > iou_threshold:
                good = False
        if good:
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)
