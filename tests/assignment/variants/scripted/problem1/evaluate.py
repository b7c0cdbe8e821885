from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor

from utils import compute_iou, decode_boxes, nms

CLASS_NAMES = ["circle", "square", "triangle"]
MAP_NAMES = ["56x56", "28x28", "14x14"]
RESULTS = Path(__file__).parent / "results"


@dataclass
class Decoder:
    anchors: Sequence[Tensor]
    score_threshold: float
    nms_threshold: float
    max_detections: int
    maps: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.maps = torch.cat([torch.full((len(a),), i, dtype=torch.int64) for i, a in enumerate(self.anchors)])
        self.all = torch.cat(tuple(self.anchors))

    def flatten(self, predictions: Sequence[Tensor]) -> Tensor:
        return torch.cat([p.permute(0, 2, 3, 1).flatten(1).view(p.size(0), a.size(0), -1)
                          for p, a in zip(predictions, self.anchors)], 1)

    def per_class(self, boxes: Tensor, scores: Tensor, labels: Tensor, classes: int) -> Iterator[Tensor]:
        for c in range(classes):
            (where,) = torch.where(labels == c)
            yield where[nms(boxes[where], scores[where], float(self.nms_threshold))]

    def __call__(self, raw: Tensor) -> dict[str, Tensor]:
        boxes = decode_boxes(raw[:, :4], self.all)
        confidence, labels = torch.max(torch.softmax(raw[:, 5:], 1), 1)
        scores = raw[:, 4].sigmoid().mul(confidence)
        good = scores.ge(self.score_threshold)
        columns = {"boxes": boxes[good], "scores": scores[good], "labels": labels[good], "maps": self.maps[good]}
        keep = torch.cat(list(self.per_class(columns["boxes"], columns["scores"], columns["labels"], raw.size(1) - 5)))
        best = keep[columns["scores"][keep].argsort(descending=True)[: self.max_detections]]
        return {name: column[best] for name, column in columns.items()}


def decode_predictions(
    predictions: Sequence[Tensor], anchors: Sequence[Tensor], score_threshold: float = 0.05, nms_threshold: float = 0.5,
    max_detections: int = 100,
) -> list[dict[str, Tensor]]:
    decoder = Decoder(anchors, score_threshold, nms_threshold, max_detections)
    return [decoder(raw) for raw in decoder.flatten(predictions)]


@dataclass(order=True, frozen=True)
class Detection:
    key: float
    image: int
    place: int

    @classmethod
    def ranked(cls, predictions: Sequence[dict[str, Tensor]]) -> list["Detection"]:
        return sorted(cls(-float(s), i, j) for i, p in enumerate(predictions) for j, s in enumerate(p["scores"]))


def compute_ap(predictions: Sequence[dict[str, Tensor]], ground_truths: Sequence[Tensor], iou_threshold: float = 0.5) -> float:
    total = sum(map(len, ground_truths))
    if total == 0:
        return float("nan")
    free = [list(range(len(g))) for g in ground_truths]

    def hits() -> Iterator[int]:
        for d in Detection.ranked(predictions):
            row = compute_iou(predictions[d.image]["boxes"][d.place : d.place + 1], ground_truths[d.image])[0]
            best = max(free[d.image], key=lambda g: float(row[g]), default=None)
            if best is None or row[best] < iou_threshold:
                yield 0
            else:
                free[d.image].remove(best)
                yield 1

    found = list(accumulate(hits()))
    precision = [f / k for k, f in enumerate(found, 1)]
    envelope = list(accumulate(reversed(precision), max))[::-1]
    return float(sum((b - a) / total * p for a, b, p in zip([0] + found, found, envelope)))


@torch.no_grad()
def detect(model, dataloader, anchors):
    model.eval()
    device = next(model.parameters()).device
    detections, targets = [], []
    for images, batch_targets in dataloader:
        predictions = [p.cpu() for p in model(images.to(device))]
        detections += decode_predictions(predictions, anchors)
        targets += batch_targets
    return detections, targets
