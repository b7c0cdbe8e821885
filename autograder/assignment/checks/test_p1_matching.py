"""Tasks 1.5 and 1.6: matching and hard negative mining."""

import numpy as np

from ...engine.check import Question, check, pure
from ...engine.compare import Wrong, array, close, equal, sequence
from .asking import call1
from .inputs import boxes, rows, shift

MATCH = "utils.match_anchors_to_targets"
NAMES = ("matched_labels", "matched_boxes", "pos_mask", "neg_mask")


def _match(anchors, targets, labels, rng, *thresholds):
    """A call in which everything is moved by the same whole pixels."""
    moved = shift(np.concatenate([anchors, targets]), rng)
    return call1(MATCH, moved[:len(anchors)], moved[len(anchors):],
                 np.array(labels, dtype=np.int64), *thresholds)


def _fields(answer):
    return dict(zip(NAMES, sequence(answer, 4, "the result (four tensors)")))


def _compare(answer, expected, *names):
    got, want = _fields(answer), dict(zip(NAMES, expected))
    for name in names:
        if name == "matched_boxes":
            close(got[name], want[name], name, where=lambda p: f"anchor {p[0]}")
        else:
            dtype = "int64" if name == "matched_labels" else "bool"
            equal(got[name], want[name], name, dtype, where=lambda p: f"anchor {p[0]}")


def _bands(rng):
    # The object is 16 x 16. Its best anchor is anchor 0, itself. Anchors 1 to 5 are strips of it
    # with IoU 1/2 (exactly the positive threshold), 7/16, 1/4 (exactly the negative threshold),
    # 3/16 and 0: positive, ignored, ignored, negative, negative.
    anchors = rows((0, 0, 16, 16), (0, 0, 16, 8), (0, 0, 16, 7), (0, 0, 16, 4), (0, 0, 16, 3),
                   (40, 40, 56, 56))
    order = rng.permutation(len(anchors))
    return _match(anchors[order], rows((0, 0, 16, 16)), [int(rng.integers(0, 3))], rng, 0.5, 0.25)


@check("1.5.1", "P1.match.bands", _bands)
def test_threshold_bands(answer, expected):
    """IoU >= positive threshold is positive, < negative threshold negative, between ignored."""
    _compare(answer, expected, "pos_mask", "neg_mask")


def _two_objects(rng):
    # Two objects, one anchor on each with IoU 1, one with IoU 3/4, and background.
    anchors = rows((0, 0, 16, 16), (0, 0, 16, 12), (40, 40, 72, 72), (40, 40, 64, 72),
                   (90, 0, 99, 9))
    labels = [int(v) for v in rng.permutation(3)[:2]]
    return _match(anchors, rows((0, 0, 16, 16), (40, 40, 72, 72)), labels, rng)


@check("1.5.2", "P1.match.labels", _two_objects)
def test_labels(answer, expected):
    """A positive anchor's label is its object's class + 1 (int64); every other label is 0."""
    _compare(answer, expected, "matched_labels")


@check("1.5.3", "P1.match.boxes", _two_objects)
def test_boxes(answer, expected):
    """A positive anchor carries its object's box; every other box is 0."""
    _compare(answer, expected, "matched_boxes")


@check("1.5.4", "P1.match.claim", lambda rng: _match(
    # the object's best IoU is 1/8 with anchor 1, below both thresholds
    rows((60, 60, 76, 76), (0, 0, 16, 16), (0, 0, 16, 32)), rows((0, 0, 4, 8)), [1], rng))
def test_claim(answer, expected):
    """An object that no anchor fits still gets its best anchor: positive and not negative."""
    _compare(answer, expected, *NAMES)


@check("1.5.5", "P1.match.claim-wins", lambda rng: _match(
    # Object 0 equals anchor 0. Anchor 1 has IoU 3/4 with object 0 and 32 / (192 + 64 - 32) = 1/7
    # with object 1, which is below every threshold; but it is object 1's best (anchor 0: 1/9).
    rows((0, 0, 16, 16), (0, 0, 16, 12), (80, 80, 90, 90)),
    rows((0, 0, 16, 16), (0, -4, 8, 4)), [0, 2], rng))
def test_claim_wins(answer, expected):
    """A claimed anchor belongs to the object that claimed it, even if another overlaps it more."""
    _compare(answer, expected, *NAMES)


@check("1.5.6", "P1.match.conflict", lambda rng: _match(
    # Both objects have anchor 0 as their best: 64/256 for object 0, 96/256 for object 1.
    # Object 1 has it; object 0 does not fall back on anchor 1, with which it has IoU 1/8.
    rows((0, 0, 16, 16), (0, 0, 16, 32), (60, 0, 70, 9)),
    rows((0, 0, 8, 8), (0, 0, 16, 6)), [2, 1], rng))
def test_conflict(answer, expected):
    """Two objects with the same best anchor: the higher IoU claims it, and the other claims
    none."""
    _compare(answer, expected, *NAMES)


@check("1.5.7", "P1.match.empty", lambda rng: call1(
    MATCH, boxes(rng, 5), np.zeros((0, 4), np.float32), np.zeros(0, np.int64)))
def test_no_objects(answer, expected):
    """Without objects every anchor is negative, with label 0 and box 0."""
    _compare(answer, expected, *NAMES)


@check("1.5.8", "P1.match.no-overlap", lambda rng: _match(
    rows((50, 50, 66, 66), (0, 0, 16, 16)), rows((100, 100, 120, 120), (0, 0, 16, 16)),
    [1, 2], rng))
def test_object_without_overlap(answer, expected):
    """An object that overlaps no anchor at all claims none."""
    _compare(answer, expected, *NAMES)


@check("1.5.9", "P1.match.ties", lambda rng: _match(
    # anchors 1 and 2 cover the object equally (1/4), as do the two objects anchor 3 (1/4 each)
    rows((90, 90, 99, 99), (0, 0, 16, 16), (-8, -8, 8, 8), (30, 30, 46, 46)),
    rows((0, 0, 8, 8), (30, 30, 38, 38), (38, 38, 46, 46)), [0, 1, 2], rng))
def test_ties(answer, expected):
    """Of equally good anchors the first is claimed; of equally good objects the first claims."""
    _compare(answer, expected, *NAMES)


def _crowd(rng):
    targets = boxes(rng, 6, 20, 120)
    jittered = np.repeat(targets, 25, axis=0) + rng.normal(0, 9, (150, 4)).astype(np.float32)
    anchors = np.concatenate([boxes(rng, 60), jittered])
    anchors = anchors[(anchors[:, 2:] > anchors[:, :2] + 4).all(axis=1)]
    return pure(call1(MATCH, anchors[rng.permutation(len(anchors))], targets,
                      rng.integers(0, 3, 6).astype(np.int64)))


@check("1.5.10", "P1.match.bands", _crowd)
def test_many_anchors(answer, expected):
    """Six objects and about two hundred anchors, with the default thresholds .5 and .3."""
    _compare(answer, expected, *NAMES)


def _mining(rng, positives, negatives, ignored, levels=None, **options):
    """Masks in random order and a loss per anchor; `levels` makes ties."""
    count = positives + negatives + ignored
    kind = rng.permutation(np.repeat([0, 1, 2], [positives, negatives, ignored]))
    loss = rng.permutation(count).astype(np.float32) / 8 + 0.125
    if levels:
        loss = rng.integers(1, levels + 1, count).astype(np.float32)
        # as many of each level among the negatives, so that the cut falls between equals
        loss[kind == 1] = rng.permutation(np.arange(negatives) % levels + 1)
    return Question("problem1", "mining", {
        "loss": loss, "pos_mask": kind == 0, "neg_mask": kind == 1, "options": options})


def _mined(answer, expected, question):
    got = array(answer, "the mask of mined negatives", expected.shape, "bool")
    if got.sum() != expected.sum():
        raise Wrong(f"{int(expected.sum())} negatives should be mined, but {int(got.sum())} are "
                    f"({int(question.inputs['pos_mask'].sum())} positives, "
                    f"{int(question.inputs['neg_mask'].sum())} negatives).")
    loss, pos, neg = (question.inputs[k] for k in ("loss", "pos_mask", "neg_mask"))

    def where(position):
        i = position[0]
        state = "positive" if pos[i] else "negative" if neg[i] else "ignored"
        return f"anchor {i}, {state}, loss {loss[i]:g}"

    equal(got, expected, "mined", "bool", where)


@check("1.6.1", "P1.mining.hardest", lambda rng: _mining(rng, 3, 20, 0))
def test_hardest(answer, expected, question):
    """Of each image, the 3 * positives negatives with the highest loss are mined."""
    _mined(answer, expected, question)


@check("1.6.2", "P1.mining.negatives", lambda rng: pure(_mining(rng, 2, 12, 14)))
def test_only_negatives(answer, expected, question):
    """Positives and ignored anchors are never mined, however high their loss."""
    _mined(answer, expected, question)


@check("1.6.3", "P1.mining.ties", lambda rng: _mining(rng, 3, 40, 10, levels=3))
def test_mining_ties(answer, expected, question):
    """Where losses are equal, the lowest indices are mined first, and never more than asked for."""
    _mined(answer, expected, question)


@check("1.6.4", "P1.mining.no-positives", lambda rng: _mining(rng, 0, 15, 4))
def test_without_positives(answer, expected, question):
    """An image without positives still gets 3 negatives."""
    _mined(answer, expected, question)


@check("1.6.5", "P1.mining.few", lambda rng: _mining(rng, 5, 7, 6))
def test_few_negatives(answer, expected, question):
    """With fewer negatives than asked for, all of them are mined."""
    _mined(answer, expected, question)


@check("1.6.6", "P1.mining.ratio", lambda rng: _mining(
    rng, 4, 30, 5, ratio=int(rng.choice([1, 2, 5]))))
def test_other_ratio(answer, expected, question):
    """The argument `ratio` sets how many negatives go with a positive."""
    _mined(answer, expected, question)
