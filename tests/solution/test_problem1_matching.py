"""Task 1.5: which anchor has to find which object."""

import random
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

POSITIVE, IGNORED, NEGATIVE = "positive", "ignored", "negative"


def boxes_of(rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


@st.composite
def rows_of_boxes(draw, min_size, max_size):
    """Boxes on a small grid, some without area, some of them several times."""
    corner, side = st.integers(0, 4), st.integers(0, 4)
    box = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2],
                                                               b[1] + b[3]))
    return draw(st.lists(box, min_size=min_size, max_size=max_size))


def exact_iou(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    union = sum(areas) - width * height
    return Fraction(width * height, union) if union else Fraction(0)


def match_by_loops(anchors, targets, positive, negative):
    """One `(state, owners)` per anchor.

    `owners` lists the ground truths that the rules allow: one, unless an anchor that nobody
    claims has the same best IoU with several.
    """
    claims = {}
    for gt, target in enumerate(targets):
        ious = [exact_iou(anchor, target) for anchor in anchors]
        if max(ious) > 0:
            claims.setdefault(ious.index(max(ious)), []).append(gt)

    result = []
    for index, anchor in enumerate(anchors):
        ious = [exact_iou(anchor, target) for target in targets]
        if index in claims:
            winner = claims[index][0]
            for gt in claims[index][1:]:
                if ious[gt] > ious[winner]:
                    winner = gt
            result.append((POSITIVE, [winner]))
        elif targets and max(ious) >= positive:
            result.append((POSITIVE, [gt for gt, iou in enumerate(ious) if iou == max(ious)]))
        elif targets and max(ious) >= negative:
            result.append((IGNORED, []))
        else:
            result.append((NEGATIVE, []))
    return result, claims


def check(problem1, anchors, targets, labels, positive, negative):
    """Assert that the solution matches like the loops; returns the claims of the loops."""
    result = problem1.utils.match_anchors_to_targets(
        boxes_of(anchors), boxes_of(targets), torch.tensor(labels, dtype=torch.int64),
        float(positive), float(negative))
    matched_labels, matched_boxes, pos_mask, neg_mask = result
    assert matched_labels.dtype == torch.int64 and matched_labels.shape == (len(anchors),)
    assert matched_boxes.dtype == torch.float32 and matched_boxes.shape == (len(anchors), 4)
    assert pos_mask.dtype == neg_mask.dtype == torch.bool
    expected, claims = match_by_loops(anchors, targets, positive, negative)
    assert pos_mask.tolist() == [state == POSITIVE for state, _ in expected]
    assert neg_mask.tolist() == [state == NEGATIVE for state, _ in expected]
    for label, box, (_, owners) in zip(matched_labels.tolist(), matched_boxes.tolist(), expected,
                                       strict=True):
        allowed = [(labels[gt] + 1, list(targets[gt])) for gt in owners] or [(0, [0, 0, 0, 0])]
        assert (label, box) in allowed
    return claims


THRESHOLDS = st.sampled_from([
    (Fraction(1, 2), Fraction(3, 10)), (Fraction(1, 2), Fraction(1, 2)),
    (Fraction(2, 3), Fraction(1, 4)), (Fraction(1), Fraction(1, 9)),
])


@given(anchors=rows_of_boxes(1, 9), targets=rows_of_boxes(0, 6), thresholds=THRESHOLDS,
       data=st.data())
@settings(deadline=None, max_examples=150)
def test_matching_agrees_with_loops(problem1, anchors, targets, thresholds, data):
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(targets), max_size=len(targets)))
    check(problem1, anchors, targets, labels, *thresholds)


def test_matching_of_many_random_grids(problem1):
    """Crowded grids, where most objects share their best anchor with another one."""
    rng = random.Random(3)

    def box():
        x, y = rng.randrange(5), rng.randrange(5)
        return x, y, x + rng.randint(1, 4), y + rng.randint(1, 4)

    conflicts = 0
    for _ in range(200):
        anchors = [box() for _ in range(rng.randint(1, 10))]
        targets = [box() for _ in range(rng.randint(1, 7))]
        labels = [rng.randrange(3) for _ in targets]
        claims = check(problem1, anchors, targets, labels, Fraction(1, 2), Fraction(3, 10))
        conflicts += any(len(claimants) > 1 for claimants in claims.values())
    assert conflicts >= 80


@given(anchors=rows_of_boxes(1, 4), target=rows_of_boxes(1, 1), copies=st.integers(2, 4),
       thresholds=THRESHOLDS)
@settings(deadline=None, max_examples=40)
def test_matching_of_coinciding_objects(problem1, anchors, target, copies, thresholds):
    """Equal boxes claim the same anchor with the same IoU; labels tell who got it."""
    check(problem1, anchors, target * copies, list(range(copies)), *thresholds)


def test_matching_at_the_size_of_the_assignment(problem1):
    """Objects with whole coordinates on the anchors of the 14 x 14 and the 28 x 28 map."""
    anchors = torch.cat(problem1.utils.generate_anchors([(28, 28), (14, 14)],
                                                        [[48, 64, 96], [96, 128, 192]]))
    rows = [tuple(int(v) for v in row) for row in anchors.tolist()]
    assert boxes_of(rows).equal(anchors)  # the anchors are whole numbers
    targets = [(10, 20, 70, 80), (100, 90, 210, 200), (0, 0, 16, 16), (12, 20, 70, 82),
               (30, 10, 200, 180), (101, 90, 210, 200)]
    check(problem1, rows, targets, [1, 2, 0, 1, 2, 2], Fraction(1, 2), Fraction(3, 10))


# --- by hand -------------------------------------------------------------------------------


def match(problem1, anchors, targets, labels=None, **thresholds):
    labels = list(range(len(targets))) if labels is None else labels
    return problem1.utils.match_anchors_to_targets(
        boxes_of(anchors), boxes_of(targets), torch.tensor(labels, dtype=torch.int64),
        **thresholds)


def test_thresholds_themselves(problem1):
    """IoU equal to .5 is positive; equal to .3 is not negative."""
    target = [0, 0, 10, 1]  # the anchor of its own size claims nothing else
    anchors = [target, [0, 0, 5, 1], [0, 0, 4, 1], [0, 0, 3, 1], [0, 0, 2, 1], [20, 0, 30, 1]]
    labels, boxes, pos_mask, neg_mask = match(problem1, anchors, [target], [2])
    assert pos_mask.tolist() == [True, True, False, False, False, False]
    assert neg_mask.tolist() == [False, False, False, False, True, True]
    assert labels.tolist() == [3, 3, 0, 0, 0, 0]
    assert boxes.tolist() == [target, target] + [[0, 0, 0, 0]] * 4


def test_a_claim_needs_no_threshold(problem1):
    """IoU .04: far below both thresholds, and still the best anchor of its object."""
    anchors = [[0, 0, 10, 10], [50, 50, 60, 60]]
    labels, boxes, pos_mask, neg_mask = match(problem1, anchors, [[2, 2, 4, 4]], [0])
    assert labels.tolist() == [1, 0]
    assert boxes[0].tolist() == [2, 2, 4, 4]
    assert pos_mask.tolist() == [True, False] and neg_mask.tolist() == [False, True]


def test_an_object_without_overlap_claims_nothing(problem1):
    """It touches the first anchor and misses the second."""
    labels, boxes, pos_mask, neg_mask = match(
        problem1, [[0, 0, 10, 10], [50, 50, 60, 60]], [[10, 0, 20, 10]])
    assert not pos_mask.any() and neg_mask.all()
    assert not labels.any() and not boxes.any()


def test_first_anchor_on_ties(problem1):
    anchors = [[0, 0, 1, 1], [4, 0, 8, 4], [4, 0, 8, 4], [4, 0, 8, 4]]
    labels, *_ = match(problem1, anchors, [[5, 0, 6, 4]])  # IoU 1/4 with three of them
    assert labels.tolist() == [0, 1, 0, 0]


def test_a_claim_beats_a_better_overlap(problem1):
    """Anchor 0 overlaps object 0 more, but object 0 claims anchor 1, and object 1 claims it."""
    anchors = [[0, 0, 10, 10], [0, 0, 10, 8]]
    targets = [[0, 0, 10, 8], [0, 9, 10, 14]]  # IoU with anchor 0: 80/100 and 10/140
    labels, boxes, pos_mask, _ = match(problem1, anchors, targets)
    assert labels.tolist() == [2, 1]
    assert boxes.tolist() == [targets[1], targets[0]] and pos_mask.all()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_higher_claim_wins_and_the_other_gets_nothing(problem1, order):
    anchors = [[0, 0, 10, 10], [0, 20, 10, 30]]
    # Both prefer anchor 0, with IoU 2/111 and 30/100. The first meets anchor 1 as well (1/112).
    targets = [[0, 8, 1, 21], [0, 0, 3, 10]]
    labels, boxes, pos_mask, neg_mask = match(
        problem1, anchors, [targets[i] for i in order], [(0, 2)[i] for i in order])
    assert labels.tolist() == [3, 0]
    assert boxes[0].tolist() == targets[1]
    assert pos_mask.tolist() == [True, False] and neg_mask.tolist() == [False, True]


def test_equal_claims_go_to_the_lower_index(problem1):
    labels, boxes, *_ = match(problem1, [[0, 0, 4, 4]], [[0, 0, 2, 2], [2, 2, 4, 4]], [2, 1])
    assert labels.tolist() == [3] and boxes.tolist() == [[0, 0, 2, 2]]


def test_without_objects_every_anchor_is_negative(problem1):
    labels, boxes, pos_mask, neg_mask = match(problem1, [[0, 0, 1, 1]] * 3, [])
    assert labels.tolist() == [0, 0, 0] and labels.dtype == torch.int64
    assert boxes.tolist() == [[0, 0, 0, 0]] * 3
    assert not pos_mask.any() and neg_mask.all()
    assert pos_mask.dtype == neg_mask.dtype == torch.bool


@given(anchors=rows_of_boxes(1, 8), targets=rows_of_boxes(1, 4), dx=st.integers(-50, 50),
       power=st.integers(-2, 4))
@settings(deadline=None, max_examples=30)
def test_matching_ignores_position_and_scale(problem1, anchors, targets, dx, power):
    def change(boxes):
        return (boxes + dx) * 2.0**power

    labels = torch.arange(len(targets))
    anchors, targets = boxes_of(anchors), boxes_of(targets)
    here = problem1.utils.match_anchors_to_targets(anchors, targets, labels)
    there = problem1.utils.match_anchors_to_targets(change(anchors), change(targets), labels)
    for index in (0, 2, 3):
        assert torch.equal(here[index], there[index])
    assert torch.equal(change(here[1])[here[2]], there[1][here[2]])
