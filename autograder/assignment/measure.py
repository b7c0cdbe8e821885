"""How the grader measures trained networks: AP, PCK, and its own decoding of raw maps.

numpy only, since the grader's process has no torch. Boxes are `(x1, y1, x2, y2)` in pixels.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets.constants import ANCHOR_SCALES, CLASSES, IMAGE_SIZE, MAP_SIZES

from ..engine.check import Question
from ..engine.compare import Array, Wrong, array, entries, sequence
from .checks.inputs import square_grid

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


def matches(detections: list, truths: list, thresholds: Sequence[float]) -> list[tuple]:
    """Per image, of one class: scores `[D]` of the detections, best first; whether each is a true
    positive at each IoU threshold, `[T, D]` bool; the number of objects. Detections are per image
    `(boxes [D, 4], scores [D])`, truths `[G, 4]`."""
    found, each = [], np.arange(len(thresholds))
    for (boxes, scores), truth in zip(detections, truths):
        order = np.argsort(-scores, kind="stable")
        free, hits = (np.full((len(each), n), of) for n, of in ((len(truth), True),
                                                                (len(order), False)))
        for d, row in enumerate(iou_matrix(boxes[order], truth) if len(truth) else ()):
            overlap = np.where(free, row, -1.0)
            best = overlap.argmax(axis=1)
            hits[:, d] = hit = overlap[each, best] >= thresholds
            free[each[hit], best[hit]] = False
        found.append((scores[order], hits, len(truth)))
    return found


def ranked(matched: Sequence[tuple]) -> np.ndarray:
    """The hits of all images together, best first, `[T, D]`; of `matches`."""
    scores, hits, _ = zip(*matched)
    return np.concatenate(hits, axis=1)[:, np.argsort(-np.concatenate(scores), kind="stable")]


def ranked_hits(detections: list, truths: list, threshold: float = 0.5) -> np.ndarray:
    """Whether each detection of one class is a true positive, best first, `[D]` bool."""
    return ranked(matches(detections, truths, [threshold]))[0]


def precisions(hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision after each detection, and the highest from there on (the interpolated one)."""
    precision = np.cumsum(hits, axis=-1) / np.arange(1, hits.shape[-1] + 1)
    return precision, np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]


def areas(matched: Sequence[tuple]) -> np.ndarray:
    """All-point interpolated AP of one class at each threshold, nan where there is no object."""
    hits = ranked(matched)
    return (precisions(hits)[1] * hits).sum(axis=-1) / (sum(m[2] for m in matched) or math.nan)


def average_precision(detections: list, truths: list, threshold: float = 0.5) -> float:
    """AP of one class; arguments as for `matches`."""
    return float(areas(matches(detections, truths, [threshold]))[0])


def matches_by_class(detections: list[dict], truths: list[dict],
                     thresholds: Sequence[float] = (0.5,)) -> list[tuple]:
    """Per image its `matches` of each class. Detections are per image `boxes`, `scores`, `labels`,
    truths `boxes`, `labels`."""
    return list(zip(*(matches(*of_class(c, detections, truths), thresholds)
                      for c in range(len(CLASSES)))))


def mean_area(matched: Iterable[tuple]) -> float:
    """AP of `matches_by_class`, averaged over classes and thresholds."""
    return float(np.nanmean([areas(of_one_class) for of_one_class in zip(*matched)]))


def mean_average_precision(detections: list[dict], truths: list[dict],
                           thresholds: Sequence[float] = (0.5,)) -> float:
    """AP, averaged over classes and IoU thresholds; arguments as for `matches_by_class`."""
    return mean_area(matches_by_class(detections, truths, thresholds))


def of_class(c: int, detections: list[dict], truths: list[dict]) -> tuple[list, list]:
    """The detections and truths of one class, as `matches` takes them."""
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
    return np.concatenate([square_grid(side, scales, IMAGE_SIZE) for side, scales in
                           zip(MAP_SIZES, ANCHOR_SCALES)]).astype(np.float64)  # exact in float32


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
            read(answer["fresh"], asked["fresh"] if answer["fresh"] else 0, asked["candidates"],
                 "rows", "anchors"),
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
    """Detections of a trained network on the grading images, per image, and its accuracy.

    Args:
        own: through the student's anchors and decoding; None where these fail.
        grader: through the grader's.
        fresh: the same with fresh weights, on the first images; empty where none were asked.
        anchors: the student's `[12348, 4]`, or None.
    """

    truth: list[dict]
    raw: list[dict]
    own: list[dict] | None
    grader: list[dict]
    fresh: list[dict]
    anchors: Array | None

    def accuracy(self, found: list[dict] | None, thresholds: Sequence[float] = (0.5,)) -> float:
        """AP of detections on the first images, averaged over classes and IoU thresholds."""
        return mean_average_precision(found, self.truth[:len(found)], thresholds) if found else 0.0

    def seen(self, rows: list[dict], images: Array, thresholds: Sequence[float] = (0.5,)) -> float:
        """The same of raw rows, by the grader's decoding, on images with these numbers."""
        anchors = assignment_anchors() if self.anchors is None else self.anchors
        return mean_average_precision([decode(image, anchors) for image in rows],
                                      [self.truth[i] for i in images], thresholds)

    def with_parts(self, thresholds: Sequence[float]) -> list[tuple[str, float]]:
        """The same with parts of the grader's in the place of the student's."""
        ways = []
        if self.own is not None:
            ways.append(("the grader's NMS after yours", [suppress(image) for image in self.own]))
        if self.anchors is not None:
            ways.append(("the grader's decoding and your anchors",
                         [decode(image, self.anchors) for image in self.raw]))
        ways.append(("the grader's decoding and anchors", self.grader))
        return [(name, self.accuracy(found, thresholds)) for name, found in ways]


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


def pcks(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> np.ndarray:
    """Share of the keypoints `[N, K, 2]` of each image within `threshold` * diagonal of their box,
    in any unit."""
    diagonal = np.linalg.norm(truth.max(axis=1) - truth.min(axis=1), axis=-1)  # [N]
    distance = np.linalg.norm(predicted.astype(np.float64) - truth, axis=-1)  # [N, K]
    return (distance <= threshold * diagonal[:, None]).mean(axis=1)


def pck(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    """The mean of `pcks` over images."""
    return float(pcks(predicted, truth, threshold).mean())


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
    per_image = pcks(np.broadcast_to(truth.mean(axis=0), truth.shape), truth, threshold)
    return float(per_image.mean()), float(per_image.std(ddof=1) / math.sqrt(len(truth)))
