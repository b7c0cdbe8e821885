"""How the grader measures trained networks: AP, PCK, and its own decoding of raw maps.

numpy only, since the grader's process has no torch. Boxes are `(x1, y1, x2, y2)` in pixels.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets.constants import ANCHOR_SCALES, CLASSES, IMAGE_SIZE, MAP_SIZES

from ..engine.check import Question
from ..engine.compare import Array, Wrong, array, entries, sequence

CHANNELS = 5 + len(CLASSES)  # of an anchor: 4 offsets, objectness, class logits
PER_MAP = [side * side * len(scales) for side, scales in zip(MAP_SIZES, ANCHOR_SCALES)]  # anchors
COCO = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # IoU thresholds of AP@[.5:.95]


def iou_matrix(boxes1: np.ndarray, boxes2: np.ndarray) -> np.ndarray:
    """`iou[N, M]` of `[N, 4]` and `[M, 4]`, 0 where the union is empty."""
    low = np.maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    high = np.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=-1)
    area1, area2 = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes1, boxes2))
    union = area1[:, None] + area2[None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(union), where=union > 0)


def ranked_hits(detections: list, truths: list, threshold: float = 0.5) -> np.ndarray:
    """Whether each detection of one class is a true positive, best first, `[D]` bool. Detections
    are per image `(boxes [D, 4], scores [D])`, truths `[G, 4]`."""
    ranked = []
    for (boxes, scores), truth in zip(detections, truths):
        order = np.argsort(-scores, kind="stable")
        overlap, free = iou_matrix(boxes[order], truth), np.ones(len(truth), dtype=bool)
        for score, row in zip(scores[order], overlap):
            row = np.where(free, row, -1.0)
            best = int(row.argmax()) if len(row) else 0
            hit = len(row) > 0 and row[best] >= threshold
            if hit:
                free[best] = False
            ranked.append((float(score), hit))
    scores, hits = np.array([r[0] for r in ranked]), np.array([r[1] for r in ranked], dtype=bool)
    return hits[np.argsort(-scores, kind="stable")]


def precisions(hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision after each detection, and the highest from there on (the interpolated one)."""
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return precision, np.maximum.accumulate(precision[::-1])[::-1]


def average_precision(detections: list, truths: list, threshold: float = 0.5) -> float:
    """All-point interpolated AP of one class; arguments as for `ranked_hits`."""
    total = sum(len(truth) for truth in truths)
    if total == 0:
        return math.nan
    hits = ranked_hits(detections, truths, threshold)
    return float((precisions(hits)[1] * hits).sum() / total)


def mean_average_precision(detections: list[dict], truths: list[dict], classes: int = 3) -> float:
    """mAP@0.5 over classes. Detections are per image `boxes`, `scores`, `labels`, truths `boxes`,
    `labels`."""
    aps = [average_precision(*of_class(c, detections, truths)) for c in range(classes)]
    return float(np.nanmean(aps))


def of_class(c: int, detections: list[dict], truths: list[dict]) -> tuple[list, list]:
    """The detections and truths of one class, as `ranked_hits` takes them."""
    return ([(d["boxes"][d["labels"] == c].astype(np.float64),
              d["scores"][d["labels"] == c].astype(np.float64)) for d in detections],
            [t["boxes"][t["labels"] == c].astype(np.float64) for t in truths])


def found_by_map(detections: list[dict], truths: list[dict]) -> np.ndarray:
    """True positives `[maps, classes]`: score and IoU >= .5, each object by its best detection.
    Detections have their `maps` as well."""
    counts = np.zeros((len(MAP_SIZES), len(CLASSES)), dtype=np.int64)
    for found, truth in zip(detections, truths):
        for c in range(len(CLASSES)):
            own = (found["labels"] == c) & (found["scores"] >= 0.5)
            maps = found["maps"][own][np.argsort(-found["scores"][own], kind="stable")]
            hits = ranked_hits([(found["boxes"][own], found["scores"][own])],
                               [truth["boxes"][truth["labels"] == c]])
            maps = maps[hits]
            np.add.at(counts[:, c], maps[(maps >= 0) & (maps < len(MAP_SIZES))], 1)
    return counts


def coverage(anchors: np.ndarray, truths: list[dict]) -> np.ndarray:
    """Share `[maps, classes]` of the objects that have an anchor of a map with IoU >= .5, of the
    anchors `[12348, 4]` of all maps."""
    parts = np.split(anchors, np.cumsum(PER_MAP)[:-1])
    boxes, labels = (np.concatenate([truth[name] for truth in truths])
                     for name in ("boxes", "labels"))
    best = np.stack([np.concatenate([iou_matrix(part, some.astype(np.float64)).max(axis=0)
                                     for some in np.split(boxes, range(20, len(boxes), 20))])
                     for part in parts])
    return np.stack([(best[:, labels == c] >= 0.5).mean(axis=1) for c in range(len(CLASSES))],
                    axis=1)


def assignment_anchors() -> np.ndarray:
    """The anchors of the assignment, all maps together, `[12348, 4]`."""
    parts = []
    for side, scales in zip(MAP_SIZES, ANCHOR_SCALES):
        centre = (np.arange(side) + 0.5) * IMAGE_SIZE / side
        y, x, half = np.meshgrid(centre, centre, np.array(scales) / 2, indexing="ij")
        parts.append(np.stack([x - half, y - half, x + half, y + half], axis=-1).reshape(-1, 4))
    return np.concatenate(parts)


def predictions(answer: Any, question: Question
                ) -> tuple[list[dict], list[dict], list[dict] | None]:
    """Raw candidates, those of a network with fresh weights, and decoded detections, per image.

    Raises:
        Wrong: there are more than were asked for, which the probe never gives: decoding them would
            take hours.
    """
    asked, images = question.inputs, len(question.truth)
    shapes = {"rows": (CHANNELS,), "anchors": (), "boxes": (4,), "scores": (), "labels": (),
              "maps": ()}

    def read(values: Any, count: int, most: int, *names: str) -> list[dict]:
        found = []
        for image in sequence(values, count, "the answer"):
            fields = dict(zip(names, entries(image, names, "an image of the answer")))
            length = len(array(fields[names[0]], names[0]))
            if length > most:
                raise Wrong(f"an image has more than {most} detections.")
            found.append({name: array(value, name, (length, *shapes[name]))
                          for name, value in fields.items()})
        return found

    decoded = answer["decoded"]
    return (read(answer["raw"], images, asked["candidates"], "rows", "anchors"),
            read(answer["fresh"], asked["fresh"], asked["candidates"], "rows", "anchors"),
            None if decoded is None else read(decoded, images, asked["detections"],
                                              "boxes", "scores", "labels", "maps"))


def decode(image: dict, anchors: np.ndarray) -> dict:
    """Detections of one image with per-class NMS at IoU .5, from its raw candidates: `rows [n, 8]`
    (4 offsets, objectness, 3 class logits), best first, and `anchors [n]`."""
    rows, anchor = image["rows"].astype(np.float64), anchors[image["anchors"]]
    logits = rows[:, 5:] - rows[:, 5:].max(axis=1, keepdims=True)
    classes = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = classes.max(axis=1) / (1 + np.exp(-np.clip(rows[:, 4], -60, 60)))
    labels = classes.argmax(axis=1)
    size = (anchor[:, 2:] - anchor[:, :2])
    centre = (anchor[:, 2:] + anchor[:, :2]) / 2 + rows[:, :2] * size
    size = size * np.exp(np.clip(rows[:, 2:4], -20, 20))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    return suppress({"boxes": boxes, "scores": scores, "labels": labels,
                     "maps": np.searchsorted(np.cumsum(PER_MAP), image["anchors"], side="right")})


def suppress(image: dict) -> dict:
    """The detections of one image that NMS within each class at IoU .5 keeps, at most 100."""
    boxes, labels = image["boxes"].astype(np.float64), image["labels"]
    keep: list[int] = []
    overlap = iou_matrix(boxes, boxes)
    for i in np.argsort(-image["scores"], kind="stable"):
        if all(labels[j] != labels[i] or overlap[i, j] <= 0.5 for j in keep):
            keep.append(i)
    best = np.array(keep[:100], dtype=np.int64)
    return {name: values[best] for name, values in image.items()}


@dataclass(frozen=True)
class Detected:
    """Detections of a trained network on the grading images, per image, and its mAP@0.5.

    Args:
        own: through the student's anchors and decoding; None where these fail.
        grader: through the grader's.
        fresh: the same with fresh weights, on the first images.
        anchors: the student's `[12348, 4]`, or None.
    """

    truth: list[dict]
    raw: list[dict]
    own: list[dict] | None
    grader: list[dict]
    fresh: list[dict]
    anchors: Array | None

    def accuracy(self, found: list[dict] | None) -> float:
        """mAP@0.5 of detections on the first images."""
        return 0.0 if found is None else mean_average_precision(found, self.truth[:len(found)])

    def with_parts(self) -> list[tuple[str, float]]:
        """mAP@0.5 with parts of the grader's in the place of the student's."""
        found = []
        if self.own is not None:
            found.append(("the grader's NMS after yours", self.accuracy(
                [suppress(image) for image in self.own])))
        if self.anchors is not None:
            found.append(("the grader's decoding and your anchors", self.accuracy(
                [decode(image, self.anchors) for image in self.raw])))
        return [*found, ("the grader's decoding and anchors", self.accuracy(self.grader))]


def detected(answer: Any, question: Question) -> Detected:
    """What a probe's answer holds.

    Raises:
        Wrong: as `predictions`.
    """
    raw, fresh, decoded = predictions(answer, question)
    anchors, own = assignment_anchors(), answer["anchors"]
    return Detected(
        question.truth, raw, decoded, [decode(image, anchors) for image in raw],
        [decode(image, anchors) for image in fresh],
        None if own is None else array(own, "your anchors", anchors.shape).astype(np.float64))


def pck(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    """Share of keypoints `[N, K, 2]` within `threshold` * diagonal of their image's box, in any
    unit."""
    diagonal = np.linalg.norm(truth.max(axis=1) - truth.min(axis=1), axis=-1)  # [N]
    distance = np.linalg.norm(predicted.astype(np.float64) - truth, axis=-1)  # [N, K]
    return float((distance <= threshold * diagonal[:, None]).mean())


def from_images(accuracy: Callable[[list, Any], float], answers: Iterable, truth: Any) -> float:
    """By how much `accuracy(answers, truth)`, of one answer per image, is higher with the answers
    to images than with those to other images.

    It is 0 for answers that do not look at the images, and nearly so for chance.
    """
    listed = list(answers)
    shifted = [accuracy(listed[shift:] + listed[:shift], truth) for shift in range(len(listed))]
    return shifted[0] - float(np.mean(shifted[1:]))


def mean_pose_pck(truth: np.ndarray, threshold: float) -> tuple[float, float]:
    """PCK of answering the mean pose for every image, and its standard error over images."""
    mean = np.broadcast_to(truth.mean(axis=0), truth.shape)
    per_image = np.array([pck(mean[i:i + 1], truth[i:i + 1], threshold) for i in range(len(truth))])
    return float(per_image.mean()), float(per_image.std(ddof=1) / math.sqrt(len(truth)))
