"""Problem 1: anchors, boxes, matching, losses, detections, and what is counted of them."""

import math
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from autograder.assignment.checks.inputs import square_grid
from autograder.assignment.measure import average_precision
from autograder.engine.check import Question, call, pure
from autograder.instructor.proof.audit import Audited

from .drawing import Draw, array

SIXTEENTHS = st.integers(1, 15).map(lambda n: n / 16)  # thresholds; each is some IoU of small boxes
LEVELS = st.sampled_from([0.125, 0.25, 0.5, 0.75])  # scores


def _boxes(draw: Draw, most: int, least: int = 0, side: int = 1, scale: float = 1) -> Any:
    """float32 `[n, 4]`, n from `least` to `most`, with sides of `side` and more, that overlap."""
    corner, size = st.integers(0, 12), st.integers(side, 16)
    rows = draw(st.lists(st.tuples(corner, corner, size, size), min_size=least, max_size=most))
    return np.array([(x, y, x + w, y + h) for x, y, w, h in rows],
                    np.float32).reshape(-1, 4) * np.float32(scale)


@st.composite
def _anchors(draw: Draw) -> Question:
    sizes = draw(st.lists(st.tuples(*[st.integers(1, 5)] * 2), min_size=1, max_size=4))
    scales = [draw(st.lists(st.integers(1, 1200).map(lambda n: n / 4), min_size=1, max_size=4))
              for _ in sizes]
    return call("problem1", "utils.generate_anchors", sizes, scales, draw(st.integers(8, 400)))


def _anchors_by_hand(sizes: Any, scales: Any, image: int) -> Any:
    return [np.array([(x - s / 2, y - s / 2, x + s / 2, y + s / 2)
                      for i in range(h) for j in range(w) for s in own
                      for x, y in [((j + .5) * image / w, (i + .5) * image / h)]])
            for (h, w), own in zip(sizes, scales)]


@st.composite
def _iou(draw: Draw) -> Question:
    scale, dtype = draw(st.sampled_from([(1, np.float32), (1 / 64, np.float32), (
        2**15, np.float32), (1, np.int64), (1 / 64, np.float64)]))
    one, other = (_boxes(draw, 5, side=0, scale=scale).astype(dtype) for _ in range(2))
    return pure(call("problem1", "utils.compute_iou", one, other))


def _overlap(a: Any, b: Any) -> float:
    a, b = ([float(v) for v in box] for box in (a, b))
    wide, high = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    shared = wide * high if wide > 0 and high > 0 else 0.0
    union = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - shared
    return shared / union if union > 0 else 0.0


def _overlaps(one: Any, other: Any) -> Any:
    return np.array([[_overlap(a, b) for b in other] for a in one]).reshape(len(one), len(other))


@st.composite
def _coded(draw: Draw, function: str) -> Question:
    anchors, scale = _boxes(draw, 4), draw(st.sampled_from([1 / 8, 1, 8]))
    boxes = (array(draw, st.integers(-12, 12), len(anchors), 4) / 8 if "decode" in function else
             _boxes(draw, len(anchors), len(anchors), scale=scale))
    return pure(call("problem1", f"utils.{function}", boxes, anchors * np.float32(scale)))


def _encoded(boxes: Any, anchors: Any) -> Any:
    return np.array([[(b[0] + b[2] - a[0] - a[2]) / 2 / (a[2] - a[0]),
                      (b[1] + b[3] - a[1] - a[3]) / 2 / (a[3] - a[1]),
                      math.log((b[2] - b[0]) / (a[2] - a[0])),
                      math.log((b[3] - b[1]) / (a[3] - a[1]))]
                     for b, a in zip(boxes.tolist(), anchors.tolist())]).reshape(-1, 4)


def _decoded(deltas: Any, anchors: Any) -> Any:
    rows = []
    for (tx, ty, tw, th), (x1, y1, x2, y2) in zip(deltas.tolist(), anchors.tolist()):
        x, y = (x1 + x2) / 2 + tx * (x2 - x1), (y1 + y2) / 2 + ty * (y2 - y1)
        w, h = (x2 - x1) * math.exp(tw), (y2 - y1) * math.exp(th)
        rows.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    return np.array(rows).reshape(-1, 4)


def _no_ties(boxes: Any, objects: Any) -> None:
    """None of the boxes fits two objects equally: to which one it belongs is free."""
    for row in _overlaps(boxes, objects):
        assume(len({value for value in row if value > 0}) == (row > 0).sum())


@st.composite
def _matching(draw: Draw) -> Question:
    targets, anchors = _boxes(draw, 4), _boxes(draw, 7, 1)
    labels = array(draw, st.integers(0, 3), len(targets), dtype=np.int64)
    if len(targets):
        iou = _overlaps(anchors, targets)
        _no_ties(np.delete(anchors, iou.argmax(axis=0), axis=0), targets)
    limits = draw(st.one_of(st.just([]), st.lists(SIXTEENTHS, min_size=2, max_size=2).map(
        lambda pair: sorted(pair, reverse=True))))
    return pure(call("problem1", "utils.match_anchors_to_targets", anchors, targets, labels,
                     *limits))


def _matched(anchors: Any, targets: Any, labels: Any, pos: float = 0.5, neg: float = 0.3) -> Any:
    claims: dict[int, list[Any]] = {}
    iou = _overlaps(anchors, targets)
    for gt in range(len(targets)):
        anchor = max(range(len(anchors)), key=lambda a: (iou[a, gt], -a))
        if iou[anchor, gt] > 0:
            claims.setdefault(anchor, []).append((iou[anchor, gt], -gt))
    boxes, label = np.zeros_like(anchors), np.zeros(len(anchors), np.int64)
    positive, negative = np.zeros((2, len(anchors)), bool)
    for anchor, row in enumerate(iou):
        best = max([(value, -gt) for gt, value in enumerate(row)], default=(0.0, 0))
        owner = max(claims[anchor]) if anchor in claims else best
        positive[anchor] = anchor in claims or best[0] >= pos and len(row) > 0
        negative[anchor] = anchor not in claims and best[0] < neg
        if positive[anchor]:
            boxes[anchor], label[anchor] = targets[-owner[1]], labels[-owner[1]] + 1
    return label, boxes, positive, negative


@st.composite
def _mining(draw: Draw) -> Question:
    kinds = array(draw, st.integers(0, 2), draw(st.integers(1, 12)))
    loss = array(draw, st.sampled_from([0, 0.125, 0.5, 2, 9]), len(kinds))
    options = draw(st.sampled_from([{}, {"ratio": 1}, {"ratio": 2}, {"ratio": 5}]))
    return Question("problem1", "mining", {"loss": loss, "pos_mask": kinds == 0, "pure": True,
                                           "neg_mask": kinds == 1, "options": options})


def _mined(loss: Any, pos_mask: Any, neg_mask: Any, options: Any, pure: bool = False) -> Any:
    ranked = sorted(np.flatnonzero(neg_mask), key=lambda i: (-loss[i], i))
    mask = np.zeros(len(loss), bool)
    mask[ranked[:options.get("ratio", 3) * max(1, int(pos_mask.sum()))]] = True
    return mask


@st.composite
def _batch(draw: Draw) -> Question:
    """Maps of a 16-pixel image. Different logits of a map are far enough from each other."""
    sides = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    count, images, classes = (draw(st.integers(1, most)) for most in (2, 3, 4))
    anchors = [square_grid(side, [4 + 4 * i, 10][:count], 16) for i, side in enumerate(sides)]
    targets = []
    for _ in range(images):
        boxes = _boxes(draw, 2, side=3)
        labels = array(draw, st.integers(0, classes - 1), len(boxes), dtype=np.int64)
        targets.append({"boxes": boxes, "labels": labels})
    maps = [array(draw, st.integers(-16, 16), images, count * (5 + classes), side, side) / 4
            for side in sides]
    return Question("problem1", "detection_loss", {
        "predictions": [m.astype(np.float32) for m in maps], "targets": targets,
        "anchors": anchors, "num_classes": classes})


def _rows(maps: Any, classes: int) -> Any:
    """float64 `[B, N, 5+C]`, the anchors of all maps one after the other."""
    return np.concatenate([m.transpose(0, 2, 3, 1).reshape(len(m), -1, 5 + classes) for m in maps],
                          axis=1).astype(np.float64)


def _losses(predictions: Any, targets: Any, anchors: Any, num_classes: int) -> Any:
    anchors, found, sums = np.concatenate(anchors), _rows(predictions, num_classes), np.zeros(3)
    positives = 0
    for rows, target in zip(found, targets):
        label, boxes, positive, negative = _matched(anchors, target["boxes"], target["labels"])
        losses = np.logaddexp(0, np.where(positive, -rows[:, 4], rows[:, 4]))
        mined = _mined(losses.astype(np.float32), positive, negative, {})
        sums[0] += losses[positive | mined].sum()
        for i in np.flatnonzero(positive):
            logits, wanted = rows[i, 5:], _encoded(boxes[i:i + 1], anchors[i:i + 1])[0]
            sums[1] += np.log(np.exp(logits).sum()) - logits[label[i] - 1]
            off = np.abs(rows[i, :4] - wanted)
            sums[2] += np.where(off < 1, off**2 / 2, off - 0.5).sum()
        positives += int(positive.sum())
    obj, cls, loc = sums / max(1, positives)
    return {"losses": {"loss_obj": obj, "loss_cls": cls, "loss_loc": loc,
                       "loss_total": obj + cls + 2 * loc}}


@st.composite
def _suppressed(draw: Draw) -> Question:
    boxes = _boxes(draw, 7, side=0)
    return pure(call("problem1", "utils.nms", boxes, array(draw, LEVELS, len(boxes)),
                     draw(SIXTEENTHS)))


def _nms(boxes: Any, scores: Any, threshold: float) -> Any:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(_overlap(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return np.array(kept, np.int64)


@st.composite
def _decoding(draw: Draw) -> Question:
    """Maps of a 16-pixel image whose detections have scores and IoUs away from each other and from
    all thresholds, since rounding decides between equal ones.
    """
    images, classes, count = (draw(st.integers(1, most)) for most in (2, 4, 2))
    sides = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    anchors = [square_grid(side, [6 + 2 * i, 9][:count], 16) for i, side in enumerate(sides)]
    maps = []
    for side in sides:
        rows = array(draw, st.integers(-6, 6), images, count, 5 + classes, side, side) / 4
        rows[:, :, :4] /= 2
        rows[:, :, 4] = array(draw, st.integers(-20, 12), images, count, side, side) / 4
        rows += np.arange(rows.size).reshape(rows.shape) % 97 / 997  # no two scores are equal
        maps.append(rows.reshape(images, -1, side, side).astype(np.float32))
    options = draw(st.sampled_from([{}, {"score_threshold": 0.3}, {"max_detections": 2}, {
        "nms_threshold": 0.21, "max_detections": 4}]))
    question = call("problem1", "evaluate.decode_predictions", maps, anchors, **options)
    assume(_detections(maps, anchors, **options) is not None)
    return question


def _detections(maps: Any, anchors: Any, score_threshold: float = 0.05, nms_threshold: float = 0.5,
                max_detections: int = 100) -> Any:
    """The right answer; None where scores or IoUs are too close to tell."""
    sizes, anchors, answer = [len(a) for a in anchors], np.concatenate(anchors), []
    of_map = np.repeat(np.arange(len(sizes)), sizes)
    for rows in _rows(maps, maps[0].shape[1] * maps[0].shape[2] * maps[0].shape[3] // sizes[0] - 5):
        chances = np.exp(rows[:, 5:])
        chances /= chances.sum(axis=1, keepdims=True)
        scores, labels = chances.max(axis=1) / (1 + np.exp(-rows[:, 4])), chances.argmax(axis=1)
        boxes = _decoded(rows[:, :4], anchors)
        gaps = np.diff(np.sort([*scores, score_threshold]))
        if len(gaps) and gaps.min() < 1e-5 or np.diff(np.sort(chances)[:, -2:]).min(
                initial=1) < 1e-5:
            return None
        kept: list[int] = []
        for i in np.argsort(-scores):
            same = [_overlap(boxes[i], boxes[j]) for j in kept if labels[j] == labels[i]]
            if any(abs(iou - nms_threshold) < 1e-4 for iou in same):
                return None
            if scores[i] >= score_threshold and all(iou <= nms_threshold for iou in same):
                kept.append(i)
        kept = kept[:max_detections]
        answer.append({"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept],
                       "maps": of_map[kept]})
    return answer


def _found(draw: Draw, truth: Any, most: int) -> Any:
    """Boxes `[n, 4]`: some of the objects, each moved or cut a little, and others."""
    if not len(truth):
        return _boxes(draw, most)
    moves = draw(st.lists(st.tuples(st.integers(0, len(truth) - 1), *[st.integers(-3, 3)] * 2),
                          max_size=most))
    found = np.array([truth[i] + np.array([dx, 0, dx, dy]) for i, dx, dy in moves],
                     np.float32).reshape(-1, 4)
    return found[(found[:, 2:] > found[:, :2]).all(axis=1)]


@st.composite
def _ranked(draw: Draw) -> Question:
    predictions, truths = [], []
    for _ in range(draw(st.integers(1, 3))):
        truths.append(_boxes(draw, 3))
        found = _found(draw, truths[-1], 4)
        predictions.append({"boxes": found, "scores": array(draw, LEVELS, len(found))})
    limit = draw(st.one_of(st.just([]), SIXTEENTHS.map(lambda value: [value])))
    for found, truth in zip(predictions, truths):
        _no_ties(found["boxes"], truth)
    return call("problem1", "evaluate.compute_ap", predictions, truths, *limit)


def _ap(predictions: Any, truths: Any, threshold: float = 0.5) -> Any:
    return average_precision([(p["boxes"].astype(np.float64), p["scores"]) for p in predictions],
                             [truth.astype(np.float64) for truth in truths], threshold)


def _images(draw: Draw, most: int, classes: int) -> Any:
    """Target dicts."""
    targets = []
    for _ in range(draw(st.integers(1, 3))):
        boxes = _boxes(draw, most)
        targets.append({"boxes": boxes, "labels": array(
            draw, st.integers(0, classes - 1), len(boxes), dtype=np.int64)})
    return targets


@st.composite
def _covered(draw: Draw) -> Question:
    limit = draw(st.one_of(st.just([]), SIXTEENTHS.map(lambda value: [value])))
    classes = draw(st.integers(1, 4))
    return call("problem1", "analysis.anchor_coverage",
                [_boxes(draw, 4, 1) for _ in range(draw(st.integers(1, 3)))],
                _images(draw, 3, classes), *limit,
                **({} if classes == 3 else {"num_classes": classes}))


def _coverage(anchors: Any, targets: Any, limit: float = 0.5, num_classes: int = 3) -> Any:
    share = np.full((len(anchors), num_classes), np.nan)
    for m, own in enumerate(anchors):
        for c in range(num_classes):
            fits = [any(_overlap(box, anchor) >= limit for anchor in own)
                    for target in targets for box in target["boxes"][target["labels"] == c]]
            if fits:
                share[m, c] = sum(fits) / len(fits)
    return share


@st.composite
def _sized(draw: Draw) -> Question:
    targets, detections = _images(draw, 3, 2), []
    for target in targets:
        boxes = _found(draw, target["boxes"], 4)
        scores = np.sort(array(draw, LEVELS, len(boxes)))[::-1].copy()
        labels, maps = (array(draw, st.integers(0, most), len(boxes), dtype=np.int64)
                        for most in (1, 2))
        detections.append({"boxes": boxes, "scores": scores, "labels": labels, "maps": maps})
        _no_ties(boxes, target["boxes"])
    edges = draw(st.lists(st.integers(0, 18), min_size=2, max_size=5, unique=True).map(sorted))
    options = draw(st.sampled_from([{}, {"iou_threshold": 0.25}, {"score_threshold": 0.25}, {
        "iou_threshold": 0.75, "score_threshold": 0.75}]))
    return call("problem1", "analysis.size_breakdown", detections, targets, edges, **options)


def _breakdown(detections: Any, targets: Any, edges: Any, iou_threshold: float = 0.5,
               score_threshold: float = 0.5) -> Any:
    found, objects = np.zeros((3, len(edges) - 1), int), np.zeros(len(edges) - 1, int)
    for seen, target in zip(detections, targets):
        areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in target["boxes"].tolist()]
        bins = [[k for k in range(len(edges) - 1) if edges[k]**2 <= area < edges[k + 1]**2]
                for area in areas]
        for own in bins:
            objects[own] += 1
        free = set(range(len(areas)))
        for d, box in enumerate(seen["boxes"]):
            fitting = [(_overlap(box, target["boxes"][g]), g) for g in free
                       if target["labels"][g] == seen["labels"][d]]
            best, g = max(fitting, default=(-1, -1))
            if seen["scores"][d] >= score_threshold and best >= iou_threshold:
                free.remove(g)
                found[seen["maps"][d], bins[g]] += 1
    return found, objects


@st.composite
def _shape_items(draw: Draw) -> Question:
    ids = draw(st.lists(st.integers(0, 40), min_size=1, max_size=3, unique=True))
    shape = st.tuples(*[st.integers(1, 6)] * 2, st.sampled_from([(), (3,), (4,)]))
    images = {f"{7 * i}.png": array(draw, st.integers(0, 255), *h_w, *more, dtype=np.uint8)
              for i in ids for *h_w, more in [draw(shape)]}
    noted = [{"id": n, "image_id": draw(st.sampled_from(ids)), "bbox": box.tolist(),
              "category_id": draw(st.integers(0, 2))} for n, box in enumerate(_boxes(draw, 4))]
    entries = [{"id": i, "file_name": name, "width": image.shape[1], "height": image.shape[0]}
               for i, (name, image) in zip(ids, images.items())]
    return Question("problem1", "annotated_items", {"images": images, "annotations": {
        "images": entries, "annotations": noted, "categories": []}})


@st.composite
def _captured(draw: Draw) -> Question:
    layers = st.sampled_from([*(f"trunk.{i}" for i in range(11)), "heads.0.0", "heads.1.0"])
    asked = [{"images": array(draw, st.integers(0, 4), draw(st.integers(1, 2)), 3, 8, 8),
              "layers": draw(st.lists(layers, max_size=4, unique=True)), "raises": False,
              "training": draw(st.booleans())}]
    return Question("problem1", "feature_maps", {"seed": draw(st.integers(0, 9)), "asked": asked})


FUNCTIONS = {
    "generate_anchors": Audited("1.2.3", _anchors(), _anchors_by_hand),
    "compute_iou": Audited("1.3.2", _iou(), _overlaps),
    "encode_boxes": Audited("1.4.2", _coded("encode_boxes"), _encoded),
    "decode_boxes": Audited("1.4.4", _coded("decode_boxes"), _decoded),
    "match_anchors_to_targets": Audited("1.5.10", _matching(), _matched),
    "hard_negative_mining": Audited("1.6.2", _mining(), _mined),
    "DetectionLoss": Audited("1.7.1", _batch(), _losses, share=0.3),
    "nms": Audited("1.9.1", _suppressed(), _nms),
    "decode_predictions": Audited("1.19.1", _decoding(), _detections, share=0.3),
    "compute_ap": Audited("1.10.4", _ranked(), _ap),
    "anchor_coverage": Audited("1.15.1", _covered(), _coverage),
    "size_breakdown": Audited("1.17.1", _sized(), _breakdown),
    "ShapeDetectionDataset": Audited("1.1.2", _shape_items(), share=0.05),
    "capture_feature_maps": Audited("1.16.1", _captured(), share=0.05),
}
