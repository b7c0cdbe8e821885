"""Task 1.10: average precision, by its definition, by its invariances, and against COCO."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def boxes_of(rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def iou_of(a, b):
    """IoU in the arithmetic of its arguments: exact for fractions."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return overlap / union if union else 0


# --- average precision ---------------------------------------------------------------------


def ap_by_loops(predictions, ground_truths, threshold):
    """From the definition: mean over k = 1..G of the best precision at which k are found."""
    total = sum(map(len, ground_truths))
    order = [(-score, image, n) for image, (_, scores) in enumerate(predictions)
             for n, score in enumerate(scores)]
    taken, found, curve = set(), 0, []
    for count, (_, image, n) in enumerate(sorted(order), 1):
        free = [(iou_of(predictions[image][0][n], box), -g)
                for g, box in enumerate(ground_truths[image]) if (image, g) not in taken]
        if free and max(free)[0] >= threshold:
            taken.add((image, -max(free)[1]))
            found += 1
        curve.append((found, Fraction(found, count)))
    best = [max((precision for hits, precision in curve if hits >= k), default=Fraction(0))
            for k in range(1, total + 1)]
    return sum(best) / total


CORNER, SIDE = st.integers(0, 3), st.integers(1, 3)
BOX = st.tuples(CORNER, CORNER, SIDE, SIDE).map(
    lambda b: tuple(Fraction(v) for v in (b[0], b[1], b[0] + b[2], b[1] + b[3])))


@st.composite
def scenes(draw, distinct_scores=False):
    """(predictions, ground truths) of up to three images, as fractions; at least one object."""
    count = draw(st.integers(1, 3))
    truths = draw(st.lists(st.lists(BOX, max_size=4), min_size=count, max_size=count)
                  .filter(any))
    found = draw(st.lists(st.lists(BOX, max_size=5), min_size=count, max_size=count))
    number = sum(map(len, found))
    scores = iter(draw(st.permutations(range(1, number + 1))) if distinct_scores else
                  draw(st.lists(st.integers(1, 3), min_size=number, max_size=number)))
    return [(boxes, [next(scores) / 32 for _ in boxes]) for boxes in found], truths


def ap_of(problem1, predictions, truths, threshold=0.5):
    """compute_ap of a scene."""
    tensors = [{"boxes": boxes_of([list(map(float, box)) for box in boxes]),
                "scores": torch.tensor(scores)} for boxes, scores in predictions]
    ground_truths = [boxes_of([list(map(float, box)) for box in boxes]) for boxes in truths]
    return problem1.evaluate.compute_ap(tensors, ground_truths, float(threshold))


@given(scene=scenes(), threshold=st.sampled_from([Fraction(1, 4), Fraction(1, 2), Fraction(1)]))
@settings(deadline=None, max_examples=200)
def test_ap_agrees_with_loops(problem1, scene, threshold):
    result = ap_of(problem1, *scene, threshold)
    assert type(result) is float
    assert result == pytest.approx(float(ap_by_loops(*scene, threshold)), abs=1e-9)


@given(scene=scenes(distinct_scores=True), data=st.data())
@settings(deadline=None, max_examples=60)
def test_ap_invariances(problem1, scene, data):
    """What only reorders, moves or monotonically rescores a scene leaves its AP alone."""
    predictions, truths = scene
    ap = ap_of(problem1, predictions, truths)
    images = data.draw(st.permutations(range(len(truths))))
    assert ap_of(problem1, [predictions[i] for i in images], [truths[i] for i in images]) == ap

    shuffled = []
    for boxes, scores in predictions:
        order = data.draw(st.permutations(range(len(boxes))))
        shuffled.append(([boxes[i] for i in order], [scores[i] for i in order]))
    assert ap_of(problem1, shuffled, truths) == ap

    rescored = [(boxes, [score**2 for score in scores]) for boxes, scores in predictions]
    assert ap_of(problem1, rescored, truths) == ap
    assert ap_of(problem1, [*predictions, ([], [])], [*truths, []]) == ap

    def change(box):
        return [4 * v + 100 for v in box]

    moved = [(list(map(change, boxes)), scores) for boxes, scores in predictions]
    assert ap_of(problem1, moved, [list(map(change, boxes)) for boxes in truths]) == ap


@given(scene=scenes(), far=st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_last_misses_cost_nothing_and_first_misses_do(problem1, scene, far):
    predictions, truths = scene
    ap = ap_of(problem1, predictions, truths)
    boxes, scores = predictions[0]
    misses = [(500, 500, 510, 510)] * far
    last = [([*boxes, *misses], [*scores, *[0.001] * far]), *predictions[1:]]
    assert ap_of(problem1, last, truths) == pytest.approx(ap, abs=1e-12)
    first = [([*boxes, *misses], [*scores, *[0.999] * far]), *predictions[1:]]
    assert ap_of(problem1, first, truths) < ap or ap == 0


def test_ap_by_hand(problem1):
    truths = [[(0, 0, 4, 4), (10, 0, 14, 4)]]
    hit, other, miss = (0, 0, 4, 4), (10, 0, 14, 4), (50, 50, 54, 54)
    for boxes, expected in (
        ([hit, other], 1.0),
        ([hit, miss, other], 5 / 6),  # precision 1, 1/2, 2/3: 1/2 * 1 + 1/2 * 2/3
        ([hit, hit, other], 5 / 6),  # a second detection of an object is a miss
        ([miss, hit, other], 2 / 3),  # 0, 1/2, 2/3: 2/3 is reached at both recalls
        ([hit], 0.5),
        ([miss], 0.0),
    ):
        scores = [0.9 - 0.1 * index for index in range(len(boxes))]
        assert ap_of(problem1, [(boxes, scores)], truths) == pytest.approx(expected)


def test_ap_takes_the_best_unmatched_object(problem1):
    """The second detection overlaps the first's object more, and takes the one that is free."""
    truths = [[(0, 0, 10, 10), (0, 4, 10, 14)]]
    boxes = [(0, 0, 10, 10), (0, 1, 10, 11)]  # IoU of the second: 90/110 and 70/130
    assert ap_of(problem1, [(boxes, [0.9, 0.8])], truths) == 1.0
    assert ap_of(problem1, [(boxes, [0.9, 0.8])], truths, 0.55) == 0.5


def test_overlap_equal_to_the_threshold_counts(problem1):
    scene = [([(0, 0, 2, 1)], [0.5])], [[(0, 0, 1, 1)]]
    assert ap_of(problem1, *scene, 0.5) == 1.0
    assert ap_of(problem1, *scene, 0.501) == 0.0


def test_equal_scores_are_taken_in_order(problem1):
    """So many that a sort which is not stable would mix them."""
    squares = [(5 * n, 0, 5 * n + 4, 4) for n in range(50)]
    hits, misses = (squares, [0.5] * 50), ([(0, 90, 4, 94)] * 50, [0.5] * 50)
    both = [(first[0] + second[0], [0.5] * 100)
            for first, second in ((hits, misses), (misses, hits))]
    # Misses first: precision grows up to 50/100, which counts at every recall.
    assert ap_of(problem1, [hits, misses], [squares, []]) == 1.0
    assert ap_of(problem1, [misses, hits], [[], squares]) == 0.5
    assert [ap_of(problem1, [scene], [squares]) for scene in both] == [1.0, 0.5]


def test_ap_without_one_side(problem1):
    box = (0, 0, 1, 1)
    assert ap_of(problem1, [([], [])], [[box]]) == 0.0
    assert math.isnan(ap_of(problem1, [([box], [0.5])], [[]]))
    assert math.isnan(ap_of(problem1, [], []))


def test_ap_per_class(problem1):
    detections = [{"boxes": boxes_of([[0, 0, 4, 4], [10, 0, 14, 4], [0, 0, 4, 4]]),
                   "scores": torch.tensor([0.9, 0.8, 0.7]), "labels": torch.tensor([0, 1, 1])}]
    targets = [{"boxes": boxes_of([[0, 0, 4, 4], [0, 0, 4, 4]]), "labels": torch.tensor([0, 1])}]
    circle, square, triangle = problem1.evaluate.ap_per_class(detections, targets)
    assert (circle, square) == (1.0, 0.5) and math.isnan(triangle)


# --- agreement with pycocotools ------------------------------------------------------------


def random_scene(rng, objects, misses):
    """Objects, and detections with jitter of up to a third of a side, in any order of scores."""
    corner, side = rng.uniform(0, 120, (objects, 2)), rng.uniform(15, 90, (objects, 2))
    truth = np.concatenate([corner, corner + side], axis=1)
    twice = np.repeat(truth, 2, axis=0)
    jitter = rng.uniform(-0.33, 0.33, twice.shape) * np.tile(twice[:, 2:] - twice[:, :2], 2)
    corner = rng.uniform(0, 120, (misses, 2))
    boxes = np.concatenate([twice + jitter, np.concatenate([corner, corner + 30], axis=1)])
    return truth, boxes, rng.permutation(len(boxes)) / 100 + 0.1


def rows_for_coco(boxes_of_images, **more):
    rows = []
    for image, boxes in enumerate(boxes_of_images):
        for n, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            rows.append({"id": len(rows) + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
                         "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
                         **{name: float(values[image][n]) for name, values in more.items()}})
    return rows


def test_matched_detections_agree_with_pycocotools(problem1, capsys):
    rng = np.random.default_rng(21)
    scenes = [random_scene(rng, objects, misses=6) for objects in (1, 3, 6, 10, 14, 0)]
    truths, boxes, scores = zip(*scenes, strict=True)
    truth = COCO()
    truth.dataset = {"info": {}, "images": [{"id": image} for image in range(len(scenes))],
                     "categories": [{"id": 1}], "annotations": rows_for_coco(truths)}
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(rows_for_coco(boxes, score=scores)), "bbox")
    evaluation.params.iouThrs = np.array([0.5])
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.params.maxDets = [100]
    evaluation.evaluate()
    capsys.readouterr()  # COCOeval talks

    matched = 0
    for image, result in enumerate(evaluation.evalImgs):
        order = np.argsort(-scores[image])
        hits = problem1.evaluate.match_detections(
            torch.tensor(boxes[image][order]), torch.tensor(truths[image]), 0.5)
        assert result["dtScores"] == scores[image][order].tolist()
        assert hits.tolist() == (result["dtMatches"][0] > 0).tolist()
        matched += hits.sum().item()
    assert 20 < matched < 34  # of 34 objects, most and not all
