"""Kinds of questions about functions: small inputs that can be worked out by hand."""

import math
from collections.abc import Iterable
from itertools import combinations

import numpy as np

from datasets.constants import FIGURE_SIZE, KEYPOINT_NAMES

from ...assignment.checks.asking import call1, call2
from ...assignment.checks.inputs import rows, whole
from ...engine.check import Question
from .kinds import TENTHS, Item, Kinds, Rng, listed, near, number, numbers, table

KINDS = Kinds()
QUARTERS = (-0.25, 0.25, -0.1, 0.1, 0.15, -0.15)  # by which wrong options differ


@KINDS.add("1.2")
def anchor_at(rng: Rng, _profile: str) -> Item:
    """The box of one anchor of a map that is not square."""
    height, width = (2, 3) if rng.integers(2) else (3, 2)
    scales = [16, 32] if rng.integers(2) else [8, 24]
    at = whole(rng, 3, 2 * height * width - 3)
    size = 48
    row, column, scale = at // 2 // width, at // 2 % width, scales[at % 2]

    def others(_: object) -> Iterable[str]:
        for i, j, s in ((row, column, scales[1 - at % 2]), (column, row, scale),
                        (at % height, at // height % width, scale),
                        (row, (column + 1) % width, scale), ((row + 1) % height, column, scale)):
            x, y = (j + 0.5) * size / width, (i + 0.5) * size / height
            yield numbers((x - s / 2, y - s / 2, x + s / 2, y + s / 2))
    return Item(f"generate_anchors([({height}, {width})], [{scales}], image_size={size}) gives the "
                f"anchors of one map. Which box has its anchor number {at} (counted from 0)?",
                call1("utils.generate_anchors", [[height, width]], [scales], image_size=size),
                lambda answer: numbers(answer[0][at]), others)


@KINDS.add("1.3")
def iou_of_two(rng: Rng, _profile: str) -> Item:
    """IoU of two overlapping boxes."""
    x, y = rng.integers(0, 20, 2)
    width, height, right = (int(value) for value in rng.choice([8, 12, 16, 20], 3))
    first = rows((x, y, x + width, y + height))
    second = rows((x + width // 2, y, x + width // 2 + right, y + height + 4))
    return Item(f"What does your compute_iou give for {numbers(first)} and {numbers(second)}?",
                call1("utils.compute_iou", first, second), lambda answer: numbers(answer, 2)[1:-1],
                lambda answer: near(np.asarray(answer).reshape(-1)[0], QUARTERS))


@KINDS.add("1.4")
def encoded(rng: Rng, _profile: str) -> Item:
    """Offsets of a box and its anchor."""
    anchor = rows((8, 8, 24, 24)) + float(rng.integers(0, 10))
    width, height = rng.permutation([16, 32])
    x, y = anchor[0, :2] + 8 + rng.choice([-8, -4, 4, 8], 2)
    box = rows((x - width / 2, y - height / 2, x + width / 2, y + height / 2))

    def others(answer: np.ndarray) -> Iterable[str]:
        tx, ty, tw, th = np.asarray(answer, np.float64).reshape(-1)[:4]
        yield numbers((ty, tx, tw, th), 2)
        yield numbers((tx, ty, math.exp(tw), math.exp(th)), 2)
        yield numbers((10 * tx, 10 * ty, 5 * tw, 5 * th), 2)
        yield numbers((tx, ty, th, tw), 2)
    return Item(f"Your encode_boxes is given the box {numbers(box)} and the anchor "
                f"{numbers(anchor)}. Which (tx, ty, tw, th) does it return?",
                call1("utils.encode_boxes", box, anchor), lambda answer: numbers(answer, 2), others)


@KINDS.add("1.4")
def decoded(rng: Rng, _profile: str) -> Item:
    """The box of offsets and an anchor."""
    anchor = rows((16, 16, 32, 32)) + float(rng.integers(0, 10))
    tx, ty = rng.choice([-0.5, -0.25, 0.25, 0.5], 2, replace=False)
    doubled = rng.permutation([math.log(2), 0])

    def others(answer: np.ndarray) -> Iterable[str]:
        box = np.asarray(answer, np.float64).reshape(-1)[:4]
        yield numbers(box + 16 * np.array([0.5, 0.5, 0.5, 0.5]))
        yield numbers(box[[1, 0, 3, 2]])
        yield numbers(np.concatenate([box[:2], box[:2] + 16]))
        yield numbers(box - 16 * np.array([tx, ty, tx, ty]))
    return Item(f"Your decode_boxes is given the offsets ({tx:g}, {ty:g}, "
                f"{'log 2, 0' if doubled[0] else '0, log 2'}) and the anchor {numbers(anchor)}. "
                "Which box does it return?",
                call1("utils.decode_boxes", rows((tx, ty, *doubled)), anchor), numbers, others)


def _matched(rng: Rng) -> tuple[np.ndarray, Question, str]:
    """Five anchors, strips of 16 pixels' width of one object and a far one: IoUs in text."""
    sizes = rng.permutation([16, 11, 7, 6, 3])
    anchors = rows(*((40, 40, 56, 40 + side) for side in sizes))
    anchors[whole(rng, 0, 4)] += 60.0  # one lies elsewhere
    label = whole(rng, 0, 2)
    lines = "\n".join(f"anchor {i}: {numbers(anchor)}" for i, anchor in enumerate(anchors))
    text = f"An image has one object, class {label}, with the box (40, 40, 56, 56).\n{lines}\n"
    return anchors, call1("utils.match_anchors_to_targets", anchors, rows((40, 40, 56, 56)),
                          np.array([label]), 0.5, 0.3), text


@KINDS.add("1.5")
def matched_labels(rng: Rng, _profile: str) -> Item:
    """The labels of anchors around one object."""
    anchors, question, text = _matched(rng)

    def others(answer: list) -> Iterable[str]:
        right = np.asarray(answer[0]).reshape(-1)
        yield listed(np.where(right > 0, right - 1, right))
        yield listed(np.where(anchors[:, 0] == 40, right.max(), 0))
        yield listed(np.where(np.arange(5) == right.argmax(), right.max(), 0))
        yield listed(np.where(right > 0, 1, 0) + 1)
        yield listed(right[::-1])
    return Item(f"{text}Which matched_labels does your match_anchors_to_targets return at "
                "thresholds .5 and .3?", question, lambda answer: listed(answer[0]), others)


@KINDS.add("1.5")
def ignored_anchors(rng: Rng, _profile: str) -> Item:
    """The anchors that are neither positive nor negative."""
    _, question, text = _matched(rng)
    others = rng.permutation(["none", *(listed(some) for size in range(1, 6)
                                        for some in combinations(range(5), size))]).tolist()

    def shown(answer: list) -> str:
        positive, negative = (np.asarray(mask, bool).reshape(-1) for mask in answer[2:4])
        return listed(np.flatnonzero(~positive & ~negative))
    return Item(f"{text}At thresholds .5 and .3, which of them are neither positive nor negative "
                "for your match_anchors_to_targets?", question, shown,
                lambda answer: others)


@KINDS.add("1.6")
def mined(rng: Rng, _profile: str) -> Item:
    """The negatives that hard negative mining takes."""
    loss = rng.permutation([0.1, 0.4, 0.9, 1.3, 2.0, 2.6, 3.1]).astype(np.float32)
    kinds = rng.permutation([1, 0, 0, 0, 0, -1, -1])
    positive, negative = kinds == 1, kinds == 0
    names = {1: "positive", 0: "negative", -1: "ignored"}
    lines = "\n".join(f"anchor {i}: loss {value:.1f}, {names[int(kind)]}"
                      for i, (value, kind) in enumerate(zip(loss, kinds)))

    def others(_: object) -> Iterable[str]:
        yield listed(np.sort(np.argsort(-loss)[:3]))
        yield listed(np.flatnonzero(negative))
        yield listed(np.sort(np.flatnonzero(negative)[np.argsort(loss[negative])][:3]))
        yield listed(np.sort([*np.flatnonzero(negative)[np.argsort(-loss[negative])][:2],
                              *np.flatnonzero(positive)]))
    return Item(f"{lines}\nWhich anchors does your hard_negative_mining choose at ratio 3?",
                Question("problem1", "mining", {"loss": loss, "pos_mask": positive,
                                                "neg_mask": negative, "options": {"ratio": 3}}),
                lambda answer: listed(np.flatnonzero(np.asarray(answer).reshape(-1))), others)


def _row_of_boxes(rng: Rng) -> tuple[np.ndarray, np.ndarray, str]:
    """Boxes of 16 x 16, each 6 to the right of the one before: IoU .45 of neighbours."""
    order = rng.permutation(5)
    boxes = rows(*((6 * i, 0, 6 * i + 16, 16) for i in order))
    scores = rng.permutation([0.9, 0.8, 0.7, 0.6, 0.5]).astype(np.float32)
    lines = "\n".join(f"box {i}: {numbers(box)}, score {score:.1f}"
                      for i, (box, score) in enumerate(zip(boxes, scores)))
    return boxes, scores, lines


@KINDS.add("1.9")
def kept_boxes(rng: Rng, _profile: str) -> Item:
    """What NMS keeps of a row of boxes, a neighbour overlapping more than the threshold."""
    boxes, scores, lines = _row_of_boxes(rng)
    ranked = np.argsort(-scores)
    return Item(f"{lines}\nNeighbours in the row have IoU .45, others at most .14. Which boxes "
                "does your nms keep at the threshold .4, in the order of its result?",
                call1("utils.nms", boxes, scores, 0.4), listed,
                lambda answer: [listed(ranked), listed(ranked[:1]),
                                listed(np.sort(np.asarray(answer).reshape(-1))),
                                listed(ranked[:2]), listed(ranked[:3]), listed(ranked[1:])])


@KINDS.add("1.9")
def kept_count(rng: Rng, _profile: str) -> Item:
    """How many boxes NMS keeps at a threshold above or below all overlaps."""
    boxes, scores, lines = _row_of_boxes(rng)
    threshold = float(rng.choice([0.1, 0.5]))
    return Item(f"{lines}\nNeighbours in the row have IoU .45, the next ones .14, others 0. How "
                f"many boxes does your nms keep at the threshold {threshold:g}?",
                call1("utils.nms", boxes, scores, threshold),
                lambda answer: str(np.asarray(answer).size), choices=("1", "2", "3", "4", "5"))


@KINDS.add("1.19")
def score_of_a_detection(rng: Rng, _profile: str) -> Item:
    """Objectness times the highest class probability."""
    object_odds, odds = int(rng.choice([1, 3, 4])), [int(v) for v in rng.permutation([1, 2, 5])]
    row = [0, 0, 0, 0, math.log(object_odds), *(math.log(value) for value in odds)]
    logits = ", ".join(f"log {value}" for value in odds)
    prediction = np.array(row, np.float32).reshape(1, 8, 1, 1)

    def others(_: object) -> Iterable[str]:
        sure, best = object_odds / (1 + object_odds), max(odds) / sum(odds)
        yield from (number(value) for value in (
            sure, best, sure * max(odds) / (1 + max(odds)), (sure + best) / 2, sure * min(odds)
            / sum(odds)))
    return Item(f"A map of one cell predicts one anchor: objectness logit log {object_odds}, class "
                f"logits {logits}. Which score does the detection of your decode_predictions have?",
                call1("evaluate.decode_predictions", [prediction], [rows((0, 0, 16, 16))]),
                lambda answer: number(np.asarray(answer[0]["scores"]).reshape(-1)[:1]), others)


def _ap(rng: Rng, hits: list[bool], objects: int, twice: bool = False) -> tuple[str, Question]:
    places = rows(*((40 * i, 0, 40 * i + 16, 16) for i in range(objects)))
    found = iter(range(objects))
    boxes = np.array([places[0 if twice else next(found)] if hit else (400, 400, 416, 416)
                      for hit in hits], np.float32)
    scores = np.linspace(0.9, 0.3, len(hits)).astype(np.float32)
    order = rng.permutation(len(hits))  # lists come in any order
    return ", ".join("a hit" if hit else "a miss" for hit in hits), call1(
        "evaluate.compute_ap", [{"boxes": boxes[order], "scores": scores[order]}], [places])


@KINDS.add("1.10")
def average_precision(rng: Rng, _profile: str) -> Item:
    """AP of a short ranking."""
    hits = [True, *(bool(hit) for hit in rng.permutation([True, False, False])), True]
    objects = whole(rng, 3, 4)
    text, question = _ap(rng, hits, objects)
    return Item(f"One image has {objects} objects of a class. Its detections, by falling score: "
                f"{text}; every hit finds another object. What is the AP of your compute_ap?",
                question, number, lambda answer: near(answer, QUARTERS))


@KINDS.add("1.10")
def duplicates(rng: Rng, _profile: str) -> Item:
    """AP where one object is found several times."""
    hits, objects = [True] * whole(rng, 2, 4), whole(rng, 2, 4)
    _, question = _ap(rng, hits, objects, twice=True)
    return Item(f"One image has {objects} objects of a class. There are {len(hits)} detections, "
                "and all lie exactly on the first object. What is the AP of your compute_ap?",
                question, number, lambda _: (number(value) for value in (
                    1, min(len(hits), objects) / objects, 1 / objects, 0, 0.5 / objects,
                    1 / objects / len(hits))))


def _heatmap(rng: Rng, point: tuple[float, float], height: int, width: int) -> Question:
    blank = np.zeros((FIGURE_SIZE, FIGURE_SIZE), np.uint8)
    keypoints = [[float(value) for value in rng.integers(20, 100, 2)] for _ in KEYPOINT_NAMES]
    return Question("problem2", "heatmaps", {
        "images": {"0.png": blank},
        "annotations": {"images": [{"id": 0, "file_name": "0.png", "keypoints": keypoints}],
                        "keypoint_names": list(KEYPOINT_NAMES),
                        "num_keypoints": len(KEYPOINT_NAMES)},
        "options": {"sigma": 2.0}, "keypoints": np.array([point], np.float32), "height": height,
        "width": width})


@KINDS.add("2.2")
def beside_the_peak(rng: Rng, _profile: str) -> Item:
    """The value of a heatmap some pixels beside its keypoint."""
    x, y = (int(value) for value in rng.integers(4, 8, 2))
    right, down = rng.choice([[1, 2], [2, 0], [3, 0], [2, 2]]).tolist()
    square = right**2 + down**2

    def others(_: object) -> Iterable[str]:
        yield from (number(math.exp(-value), 2) for value in (
            square / 4, square / 2, math.sqrt(square) / 4, square / 16, square / 32))
    return Item(f"Your generate_heatmap draws the keypoint ({x}, {y}) with sigma 2. Which value "
                f"has the map in column {x + right}, row {y + down}?",
                _heatmap(rng, (x, y), 12, 14), lambda answer: number(
                    np.asarray(answer)[0, y + down, x + right]), others)


@KINDS.add("2.2")
def outside_the_map(rng: Rng, _profile: str) -> Item:
    """Whether a keypoint at or beyond an edge is drawn."""
    height, width = (12, 20) if rng.integers(2) else (20, 12)
    point = [(width, 5), (5, height), (-1, 5), (width - 1, height - 1), (0, 0)][whole(rng, 0, 4)]
    return Item(f"Your generate_heatmap makes a map of {height} rows and {width} columns for the "
                f"keypoint {numbers(point)}. What is its largest value?",
                _heatmap(rng, point, height, width),
                lambda answer: number(np.asarray(answer).max()),
                choices=("0.00", "0.50", "0.88", "1.00"))


@KINDS.add("2.5")
def peak_of_a_map(rng: Rng, _profile: str) -> Item:
    """The place of a maximum, or the first of two."""
    values = rng.integers(0, 6, (3, 5)).astype(np.float32)
    places = rng.permutation(15)[:whole(rng, 1, 2)]
    values.reshape(-1)[places] = 8

    def others(answer: np.ndarray) -> Iterable[str]:
        x, y = np.asarray(answer, np.float64).reshape(-1)[:2]
        yield numbers((y, x))
        yield from (numbers((place % 5, place // 5)) for place in places)
        yield from (numbers(point) for point in ((x + 1, y + 1), (2 * x, 2 * y), (x, 2 - y),
                                                 (4 - x, y), (4 - x, 2 - y)))
    return Item(f"This is a heatmap:\n{table(values)}\nWhere does your "
                "extract_keypoints_from_heatmaps find the keypoint?",
                call2("evaluate.extract_keypoints_from_heatmaps", values[None, None]),
                lambda answer: numbers(np.asarray(answer).reshape(-1)[:2]), others)


# 30 wide and 40 high: the diagonal is 50; from the head to the middle of the feet are 40.
FIGURE = np.array([[(15, 0), (0, 20), (30, 20), (5, 40), (25, 40)]], np.float32)


def _pck(rng: Rng, distances: np.ndarray, **options: str) -> Question:
    off = distances[:, None] * np.array([[0.6, 0.8]])
    return call2("evaluate.compute_pck", (FIGURE + off[None]).astype(np.float32), FIGURE, [0.2],
                 arrays_too=True, **options)


def _share(answer: dict) -> str:
    return number(next(iter(answer.values())), 1)


@KINDS.add("2.6")
def pck_by_the_box(rng: Rng, _profile: str) -> Item:
    """PCK@.2 by the diagonal of the box."""
    distances = rng.permutation([0, *rng.choice([3, 5, 7, 7.5, 9, 9.5, 11, 13], 4, False)])
    return Item("A figure's box is 30 wide and 40 high, so that its diagonal is 50. The five "
                f"predictions are {', '.join(f'{d:g}' for d in distances)} pixels off. What is "
                "PCK@.2 of your compute_pck?", _pck(rng, distances), _share, choices=TENTHS)


@KINDS.add("2.6")
def pck_by_the_torso(rng: Rng, _profile: str) -> Item:
    """PCK@.2 by the length from the head to the middle of the feet."""
    distances = rng.permutation([2, *rng.choice([6, 7, 9, 9.5, 11], 4, False)])
    return Item("A figure's box is 30 wide and 40 high; from the head to the middle of the feet "
                f"are 40 pixels. The five predictions are {', '.join(f'{d:g}' for d in distances)} "
                'pixels off. What is PCK@.2 of your compute_pck with normalize_by="torso"?',
                _pck(rng, distances, normalize_by="torso"), _share, choices=TENTHS)


@KINDS.add("2.6")
def pck_with_nan(rng: Rng, _profile: str) -> Item:
    """PCK where predictions are nan."""
    distances = np.zeros(5)
    distances[rng.permutation(5)[:whole(rng, 1, 3)]] = np.nan
    return Item(f"Of five predictions {int(np.isnan(distances).sum())} are nan, the others are "
                "exact. What is PCK@.2 of your compute_pck?", _pck(rng, distances),
                lambda answer: "nan" if np.isnan(next(iter(answer.values()))) else _share(answer),
                choices=("nan", *TENTHS))
