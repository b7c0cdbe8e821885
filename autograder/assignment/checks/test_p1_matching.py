"""Tasks 1.5 and 1.6: matching and hard negative mining."""

import numpy as np

from ...engine.check import Question, check, pure
from ...engine.compare import Wrong, array, close, equal, sequence
from .asking import call1
from .inputs import boxes, rows, shift, whole

MATCH = "utils.match_anchors_to_targets"
NAMES = ("matched_labels", "matched_boxes", "pos_mask", "neg_mask")


def _match(rng, anchors, targets, *thresholds):
    """A call in which the anchors come in random order, between background anchors.

    Everything is moved by the same whole pixels. Background comes first, where an object would find
    its best anchor if all were equally bad.
    """
    before = whole(rng, 1, max(1, 6 - len(anchors)))  # six boxes are few enough to be shown
    after = whole(rng, 0, max(0, 6 - len(anchors) - before))
    far = rows(*((130 + 15 * i, 0, 139 + 15 * i, 9) for i in range(before + after)))
    anchors = np.concatenate([far[:before], rng.permutation(anchors), far[before:]])
    moved = shift(np.concatenate([anchors, targets]), rng)
    return call1(MATCH, moved[:len(anchors)], moved[len(anchors):],
                 rng.integers(0, 3, len(targets)), *thresholds)


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
    # The object is 16 x 16. Its best anchor is the object itself; the others are strips of it with
    # a height of h pixels and an IoU of h / 16. One has exactly the positive threshold, one exactly
    # the negative one, one lies between the two and one below.
    positive, negative = whole(rng, 8, 13), whole(rng, 3, 6)
    heights = [16, positive, negative, whole(rng, negative + 1, positive - 1),
               whole(rng, 1, negative - 1), *rng.integers(1, 16, whole(rng, 0, 3))]
    return _match(rng, rows(*((0, 0, 16, height) for height in heights)), rows((0, 0, 16, 16)),
                  positive / 16, negative / 16)


@check("1.5.1", "P1.match.bands", _bands)
def test_threshold_bands(answer, expected):
    """IoU >= positive threshold is positive, < negative threshold negative, between ignored."""
    _compare(answer, expected, "pos_mask", "neg_mask")


def _objects(rng):
    # Two or three objects, an anchor with IoU 1 on each and, on one or two, one with IoU 3/4.
    count = whole(rng, 2, 3)
    side = 16 * rng.integers(1, 3, count)
    objects = rows(*((40 * i, 0, 40 * i + side[i], side[i]) for i in rng.permutation(count)))
    parts = rng.permutation(objects)[:whole(rng, 1, 2)]
    parts[:, 3] *= 0.75
    return _match(rng, np.concatenate([objects, parts]), objects)


@check("1.5.2", "P1.match.labels", _objects)
def test_labels(answer, expected):
    """A positive anchor's label is its object's class + 1 (int64); every other label is 0."""
    _compare(answer, expected, "matched_labels")


@check("1.5.3", "P1.match.boxes", _objects)
def test_boxes(answer, expected):
    """A positive anchor carries its object's box; every other box is 0."""
    _compare(answer, expected, "matched_boxes")


@check("1.5.4", "P1.match.claim", lambda rng: _match(
    # the object's best IoU is 32 / 256 = 1/8 with the first anchor, below both thresholds
    rng, rows((0, 0, 16, 16), (0, 0, 16, 32)), rows((0, 0, 4, 8))))
def test_claim(answer, expected):
    """An object that no anchor fits still gets its best anchor: positive and not negative."""
    _compare(answer, expected, *NAMES)


@check("1.5.5", "P1.match.claim-wins", lambda rng: _match(
    # Object A equals anchor A. Anchor B has IoU 3/4 with object A and 32 / (192 + 64 - 32) = 1/7
    # with object B, which is below every threshold; but it is object B's best (anchor A: 1/9).
    rng, rows((0, 0, 16, 16), (0, 0, 16, 12)), rng.permutation(rows((0, 0, 16, 16), (0, -4, 8, 4)))
))
def test_claim_wins(answer, expected):
    """A claimed anchor belongs to the object that claimed it, even if another overlaps it more."""
    _compare(answer, expected, *NAMES)


def _conflicts(rng):
    # Two objects have the first anchor as their best: 64/256 for the one, 96/256 for the other,
    # which has it. The one does not fall back on the second anchor, with which it has IoU 1/8.
    # At a second place likewise; the object that wins is the earlier at one place and the later at
    # the other.
    places = rng.permutation(rows((0, 0, 0, 0), (40, 0, 40, 0)))
    anchors, low, high = rows((0, 0, 16, 16), (0, 0, 16, 32)), rows((0, 0, 8, 8)), rows(
        (0, 0, 16, 6))
    objects = [rng.permutation(np.concatenate([some + places[0], others + places[1]]))
               for some, others in ((high, low), (low, high))]
    return _match(rng, np.concatenate([anchors + place for place in places]),
                  np.concatenate(objects))


@check("1.5.6", "P1.match.conflict", _conflicts)
def test_conflict(answer, expected):
    """Two objects with the same best anchor: the higher IoU claims it, and the other claims
    none."""
    _compare(answer, expected, *NAMES)


@check("1.5.7", "P1.match.empty", lambda rng: call1(
    MATCH, boxes(rng, whole(rng, 5, 200)), np.zeros((0, 4), np.float32), np.zeros(0, np.int64)))
def test_no_objects(answer, expected):
    """Without objects every anchor is negative, with label 0 and box 0."""
    _compare(answer, expected, *NAMES)


@check("1.5.8", "P1.match.no-overlap", lambda rng: _match(
    rng, rows((50, 50, 66, 66), (0, 0, 16, 16)),
    rng.permutation(rows((100, 100, 120, 120), (0, 0, 16, 16)))))
def test_object_without_overlap(answer, expected):
    """An object that overlaps no anchor at all claims none."""
    _compare(answer, expected, *NAMES)


@check("1.5.9", "P1.match.ties", lambda rng: _match(
    # two anchors cover the first object equally (1/4), as do the two others the third anchor
    rng, rows((0, 0, 16, 16), (-8, -8, 8, 8), (30, 30, 46, 46)),
    rng.permutation(rows((0, 0, 8, 8), (30, 30, 38, 38), (38, 38, 46, 46)))))
def test_ties(answer, expected):
    """Of equally good anchors the first is claimed; of equally good objects the first claims."""
    _compare(answer, expected, *NAMES)


def _crowd(rng):
    count = whole(rng, 4, 8)
    targets = boxes(rng, count, 20, 120)
    near = np.repeat(targets, 150 // count, axis=0)
    jittered = near + rng.normal(0, 9, near.shape).astype(np.float32)
    anchors = np.concatenate([boxes(rng, 60), jittered])
    anchors = anchors[(anchors[:, 2:] > anchors[:, :2] + 4).all(axis=1)]
    return pure(call1(MATCH, anchors[rng.permutation(len(anchors))], targets,
                      rng.integers(0, 3, count).astype(np.int64)))


@check("1.5.10", "P1.match.bands", _crowd)
def test_many_anchors(answer, expected):
    """A few objects and about two hundred anchors, with the default thresholds .5 and .3."""
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


@check("1.6.1", "P1.mining.hardest", lambda rng: _mining(
    rng, whole(rng, 2, 4), whole(rng, 18, 26), 0))
def test_hardest(answer, expected, question):
    """Of each image, the 3 * positives negatives with the highest loss are mined."""
    _mined(answer, expected, question)


@check("1.6.2", "P1.mining.negatives", lambda rng: pure(_mining(
    rng, whole(rng, 2, 3), whole(rng, 12, 16), whole(rng, 10, 16))))
def test_only_negatives(answer, expected, question):
    """Positives and ignored anchors are never mined, however high their loss."""
    _mined(answer, expected, question)


@check("1.6.3", "P1.mining.ties", lambda rng: _mining(
    rng, whole(rng, 2, 4), whole(rng, 40, 46), whole(rng, 6, 12), levels=3))
def test_mining_ties(answer, expected, question):
    """Where losses are equal, the lowest indices are mined first, and never more than asked for."""
    _mined(answer, expected, question)


@check("1.6.4", "P1.mining.no-positives", lambda rng: _mining(
    rng, 0, whole(rng, 12, 18), whole(rng, 3, 6)))
def test_without_positives(answer, expected, question):
    """An image without positives still gets 3 negatives."""
    _mined(answer, expected, question)


@check("1.6.5", "P1.mining.few", lambda rng: _mining(
    rng, whole(rng, 4, 6), whole(rng, 5, 9), whole(rng, 5, 8)))
def test_few_negatives(answer, expected, question):
    """With fewer negatives than asked for, all of them are mined."""
    _mined(answer, expected, question)


@check("1.6.6", "P1.mining.ratio", lambda rng: _mining(
    rng, whole(rng, 3, 5), whole(rng, 26, 34), whole(rng, 4, 7),
    ratio=int(rng.choice([1, 2, 4, 5]))))
def test_other_ratio(answer, expected, question):
    """The argument `ratio` sets how many negatives go with a positive."""
    _mined(answer, expected, question)
