"""Tasks 1.5 and 1.6: matching and hard negative mining."""

import numpy as np

from ...engine.check import Question, calls, check, pure
from ...engine.compare import Wrong, array, close, equal, sequence
from ..measure import iou_matrix
from .asking import call1, first_of_equals
from .inputs import boxes, rows, shift, whole

MATCH = "utils.match_anchors_to_targets"
NAMES = ("matched_labels", "matched_boxes", "pos_mask", "neg_mask")


def _match(rng, anchors, targets, *thresholds):
    """A call in which the anchors come in random order, between background anchors.

    Everything is moved by the same whole pixels. Background comes first, where an object would find
    its best anchor if all were equally bad. No two objects are of one class.
    """
    before = whole(rng, 1, max(1, 6 - len(anchors)))  # six boxes are few enough to be shown
    after = whole(rng, 0, max(0, 6 - len(anchors) - before))
    far = rows(*((130 + 15 * i, 0, 139 + 15 * i, 9) for i in range(before + after)))
    anchors = np.concatenate([far[:before], rng.permutation(anchors), far[before:]])
    moved = shift(np.concatenate([anchors, targets]), rng)
    return call1(MATCH, moved[:len(anchors)], moved[len(anchors):],
                 rng.permutation(len(targets) + 1)[:len(targets)], *thresholds)


def _fields(answer):
    return dict(zip(NAMES, sequence(answer, 4, "the result (four tensors)")))


def _compare(answer, expected, args, *names, dtype=None):
    got, want = _fields(answer), dict(zip(NAMES, expected))
    best = iou_matrix(*args[:2]).max(axis=1, initial=0)
    for name in names:
        differ = close if name == "matched_boxes" else equal
        differ(got[name], want[name], name, dtype=dtype,
               where=lambda p: f"anchor {p[0]}, whose best IoU is {best[p[0]]:.4g}")


def _owners(answer, expected, question):
    """The masks, and to which object each positive belongs: labels and boxes tell.

    Where labels, or boxes, are wrong even at anchors that one object alone overlaps, other checks
    say so, and here the others tell.
    """
    _compare(answer, expected, question.inputs["args"], "pos_mask", "neg_mask")
    got, want = _fields(answer), dict(zip(NAMES, expected))
    anchors, targets = question.inputs["args"][:2]
    positive = np.flatnonzero(want["pos_mask"])
    plain = positive[(iou_matrix(anchors, targets)[positive] > 0).sum(axis=1) == 1]
    told = False
    for name in NAMES[:2]:
        value = array(got[name], name, want[name].shape)
        if np.allclose(value[plain], want[name][plain], rtol=1e-4):
            told = True
            close(value[positive], want[name][positive], f"{name} of positives",
                  where=lambda p: f"anchor {positive[p[0]]}")
    if not told:
        raise Wrong(f"matched_labels and matched_boxes are both wrong at anchor {plain[0]}, which "
                    "one object alone overlaps.")


PLAIN = rows((0, 100, 16, 116))  # an object that equals its anchor, away from all others


def _bands(rng):
    # The object is 16 x 16. Its best anchor is the object itself; the others are strips of it with
    # a height of h pixels and an IoU of h / 16, and one of 36 pixels with 16 / 36, whose centre
    # lies beside the object. One has exactly the positive threshold, one exactly the negative one,
    # and one lies just below each. Thresholds lie below the default ones, and above. Those of .5
    # and .3 would show otherwise than a wrong comparison: at .5 is h = 8, below .3 are h = 1..4.
    asked = []
    for positive, negative in rng.permutation([[whole(rng, 6, 7), 3], [whole(rng, 9, 13), 6]]):
        heights = [16, 36, positive, negative, positive - 1, negative - 1, 4,
                   *rng.integers(1, 16, whole(rng, 0, 2))]
        asked.append(_match(rng, rows(*((0, 0, 16, height) for height in heights)),
                            rows((0, 0, 16, 16)), positive / 16, negative / 16).inputs["args"])
    return calls("problem1", MATCH, *asked)


@check("1.5.1", "P1.match.bands", _bands)
def test_threshold_bands(answer, expected, question):
    """IoU >= positive threshold is positive, < negative threshold negative, between ignored."""
    for got, want, args in zip(sequence(answer, 2, "the results"), expected,
                               question.inputs["argument_lists"]):
        _compare(got, want, args, "pos_mask", "neg_mask", dtype="bool")


def _objects(rng):
    # Two or three objects, an anchor with IoU 1 on each and, on two, one with IoU 3/4, which is
    # positive, and one with 7/16, which is ignored.
    count = whole(rng, 2, 3)
    side = 16 * rng.integers(1, 3, count)
    objects = rows(*((40 * i, 0, 40 * i + side[i], side[i]) for i in rng.permutation(count)))
    parts = rng.permutation(objects)[:2]
    parts[:, 3] *= [3 / 4, 7 / 16]
    fraction = whole(rng, 1, 3) / 4  # of a pixel
    return _match(rng, np.concatenate([objects, parts]) + fraction, objects + fraction)


@check("1.5.2", "P1.match.labels", _objects)
def test_labels(answer, expected, question):
    """A positive anchor's label is its object's class + 1 (int64); every other label is 0."""
    _compare(answer, expected, question.inputs["args"], "matched_labels", dtype="int64")


@check("1.5.3", "P1.match.boxes", _objects)
def test_boxes(answer, expected, question):
    """A positive anchor carries its object's box; every other box is 0."""
    _compare(answer, expected, question.inputs["args"], "matched_boxes")


def _poor(rng):
    # Objects in the corner of the first of two anchors: the best IoU is (1/128)^2 = .00006,
    # 32/256 = 1/8, 1/4 and 6 * 16 / 256 = 3/8: nearly none, below both thresholds, between them.
    anchors, sizes = rows((0, 0, 16, 16), (0, 0, 16, 32)), [(1 / 8, 1 / 8), (4, 8), (8, 8), (16, 6)]
    places = [rows((30 * i, 0, 30 * i, 0)) for i in rng.permutation(4)]
    objects = [rows((0, 0, *size)) + place for size, place in zip(sizes, places)]
    return _match(rng, np.concatenate([anchors + place for place in places]),
                  rng.permutation(np.concatenate(objects)))


@check("1.5.4", "P1.match.claim", _poor)
def test_claim(answer, expected, question):
    """An object that no anchor fits still gets its best anchor: positive and not negative."""
    _compare(answer, expected, question.inputs["args"], "pos_mask", "neg_mask")


def _better_for_others(rng):
    # At two places, objects A and B and anchors A and B. Object A equals anchor A; anchor B is the
    # best of object B, and belongs to it, although object A overlaps it more: 7/16 against
    # 56 / (112 + 98 - 56) = 4/11 (anchor A: 28/149), above the negative threshold, and 13/16
    # against 9/13 (anchor A: 9/16), where anchor B would be positive for either of them. There
    # object B has a positive without claiming it as well: 9/14, where object A has 3/7.
    first, second = rows((0, 0, 16, 16), (0, 0, 16, 7)), rows(
        (0, 0, 16, 16), (0, 0, 16, 13), (0, -5, 16, 9))
    objects = rows((0, 0, 16, 16), (0, -3, 14, 4)), rows((0, 0, 16, 16), (0, 0, 16, 9))
    places = rng.permutation(rows((0, 0, 0, 0), (40, 0, 40, 0)))
    return _match(rng, np.concatenate([first + places[0], second + places[1], PLAIN]),
                  rng.permutation(np.concatenate([objects[0] + places[0], objects[1] + places[1],
                                                  PLAIN])))


@check("1.5.5", "P1.match.claim-wins", _better_for_others)
def test_claim_wins(answer, expected, question):
    """A claimed anchor belongs to the object that claimed it, even if another overlaps it more."""
    _owners(answer, expected, question)


def _conflicts(rng):
    # Two objects have the first anchor as their best: 64/384 for the larger one, 96/256 for the
    # other, which has it. The one does not fall back on the second anchor (64/640).
    # At a second place likewise; the object that wins is the earlier at one place and the later at
    # the other. At a third place (1 against 14/16) the loser has a second anchor without claiming
    # it: 9/14, where the winner has 9/16.
    places = rng.permutation(rows((0, 0, 0, 0), (40, 0, 40, 0), (80, 0, 80, 0)))
    anchors, low, high = rows((0, 0, 16, 16), (0, 0, 16, 32)), rows((-16, 0, 8, 8)), rows(
        (0, 0, 16, 6))
    fit, good = rows((0, 0, 16, 16), (0, 0, 16, 14)) + places[2]
    objects = [rng.permutation(np.concatenate([some + places[0], others + places[1], more]))
               for some, others, more in ((high, low, PLAIN), (low, high, rows(fit, good)))]
    return _match(rng, np.concatenate([
        anchors + places[0], anchors + places[1],
        rows((0, 0, 16, 16), (0, 0, 16, 9)) + places[2], PLAIN]), np.concatenate(objects))


@check("1.5.6", "P1.match.conflict", _conflicts)
def test_conflict(answer, expected, question):
    """Two objects with the same best anchor: the higher IoU claims it, and the other claims
    none."""
    _owners(answer, expected, question)


def _none_or_one(rng):
    anchors = rows(*((20 * i, 0, 20 * i + 16, 16) for i in range(whole(rng, 5, 9))))
    labels = rng.integers(0, 3, 1)
    own = rng.permutation(anchors)[:1]  # an object that equals an anchor
    asked = [[anchors, own, labels], [anchors, own[:0], labels[:0]]]
    return calls("problem1", MATCH, *(asked[i] for i in rng.permutation(2)))


@check("1.5.7", "P1.match.empty", _none_or_one)
def test_no_objects(answer, expected, question):
    """Without objects every anchor is negative, with label 0 and box 0."""
    for got, want, args in zip(sequence(answer, len(expected), "the results"), expected,
                               question.inputs["argument_lists"]):
        _compare(got, want, args, *(NAMES if len(args[1]) == 0 else ["pos_mask"]))
        if len(args[1]) == 0:  # the types of others 1.5.1 and 1.5.2 ask
            for name, dtype in (("matched_labels", "int64"), ("pos_mask", "bool"),
                                ("neg_mask", "bool")):
                array(_fields(got)[name], f"{name} without objects", dtype=dtype)


@check("1.5.8", "P1.match.no-overlap", lambda rng: _match(
    rng, rows((50, 50, 66, 66), (0, 0, 16, 16)),
    rng.permutation(rows((100, 100, 120, 120), (0, 0, 16, 16)))))
def test_object_without_overlap(answer, expected, question):
    """An object that overlaps no anchor at all claims none."""
    _owners(answer, expected, question)


@check("1.5.9", "P1.match.ties", lambda rng: _match(
    # two anchors cover the first object equally (25/64), as do the two others the third anchor
    # (7/16): they are positive by their claims alone, and without them ignored
    rng, np.concatenate([rows((0, 0, 16, 16), (-6, -6, 10, 10), (30, 30, 46, 46)), PLAIN]),
    rng.permutation(np.concatenate([
        rows((0, 0, 10, 10), (30, 30, 46, 37), (30, 39, 46, 46)), PLAIN]))))
def test_ties(answer, expected, question):
    """Of equally good anchors the first is claimed; of equally good objects the first claims."""
    with first_of_equals("max and argmax give the first; in a loop over objects, only a higher IoU "
                         "takes an anchor from an earlier one"):
        _owners(answer, expected, question)


def _crowd(rng):
    # One of the objects lies apart, and one is the better part of another, so that many anchors
    # have an IoU of .5 with both. Some boxes lie left of the image or above it.
    count = whole(rng, 4, 8)
    targets = np.concatenate([boxes(rng, count - 2, 20, 120), boxes(rng, 1, 20, 120) + 400])
    large = targets[0]
    targets = np.concatenate([targets, [large - 0.15 * (large[2:] - large[:2])[[0, 1, 0, 1]]
                                        * (0, 0, 1, 1)]]).astype(np.float32)
    near = np.repeat(targets, 150 // count, axis=0)
    jittered = near + rng.normal(0, 9, near.shape).astype(np.float32)
    anchors = np.concatenate([boxes(rng, 60), jittered])
    anchors = anchors[(anchors[:, 2:] > anchors[:, :2] + 4).all(axis=1)]
    return pure(call1(MATCH, rng.permutation(anchors) - 100, rng.permutation(targets) - 100,
                      rng.permutation(count)))


@check("1.5.10", "P1.match.bands", _crowd)
def test_many_anchors(answer, expected, question):
    """A few objects and about two hundred anchors, with the default thresholds .5 and .3."""
    _owners(answer, expected, question)


def _mining(rng, positives, negatives, ignored, loss=None, tempting=False, **options):
    """Masks in random order and a loss per anchor.

    Args:
        loss: of the negatives, in random order; different ones unless given.
        tempting: whether anchors that are no negatives may have a high loss; else theirs are the
            lowest.
    """
    count = positives + negatives + ignored
    kind = rng.permutation(np.repeat([0, 1, 2], [positives, negatives, ignored]))
    losses = 4 + rng.permutation(count) / 4096  # some of which are one number in fewer bits
    if not tempting:
        losses[np.argsort(kind == 1, kind="stable")] = np.concatenate(
            [rng.permutation(part) for part in np.split(np.sort(losses), [count - negatives])])
    if loss is not None:
        losses[kind == 1] = rng.permutation(loss)
    return Question("problem1", "mining", {
        "loss": losses.astype(np.float32), "pos_mask": kind == 0, "neg_mask": kind == 1,
        "options": options})


def _mined(answer, expected, question, others=False, dtype=None):
    """Compare which negatives are mined; with `others`, also that no other anchors are."""
    got = array(answer, "the mask of mined negatives", expected.shape, dtype) != 0
    loss, pos, neg = (question.inputs[k] for k in ("loss", "pos_mask", "neg_mask"))
    if not others:
        got = np.where(neg, got, False)
    if got.sum() != expected.sum():
        raise Wrong(f"{expected.sum()} negative{'' if expected.sum() == 1 else 's'} should be "
                    f"mined, but {got.sum()} anchors are ({int(pos.sum())} positives, "
                    f"{int(neg.sum())} negatives, "
                    f"ratio {question.inputs['options'].get('ratio', 3)}).")

    def where(position):
        i = position[0]
        state = "positive" if pos[i] else "negative" if neg[i] else "ignored"
        return f"anchor {i}, {state}, loss {loss[i]:g}"

    equal(got, expected, "mined", where=where)


@check("1.6.1", "P1.mining.hardest", lambda rng: _mining(
    rng, whole(rng, 88, 95), whole(rng, 300, 340), 0))
def test_hardest(answer, expected, question):
    """Of each image, the 3 * positives negatives with the highest loss are mined."""
    _mined(answer, expected, question, dtype="bool")


@check("1.6.2", "P1.mining.negatives", lambda rng: pure(_mining(
    rng, whole(rng, 2, 3), whole(rng, 12, 16), whole(rng, 10, 16), tempting=True)))
def test_only_negatives(answer, expected, question):
    """Positives and ignored anchors are never mined, however high their loss."""
    _mined(answer, expected, question, others=True)


def _levels(rng):
    # The cut falls between negatives of the highest of three losses, all above those of others.
    negatives, ignored = whole(rng, 40, 46), whole(rng, 6, 12)
    return _mining(rng, whole(rng, 2, 4), negatives, ignored, np.arange(negatives) % 3 + 8)


@check("1.6.3", "P1.mining.ties", _levels)
def test_mining_ties(answer, expected, question):
    """Where losses are equal, the lowest indices are mined first, and never more than asked for."""
    with first_of_equals("topk does not keep their order"):
        _mined(answer, expected, question)


@check("1.6.4", "P1.mining.no-positives", lambda rng: _mining(
    rng, 0, whole(rng, 12, 18), whole(rng, 3, 6), ratio=int(rng.choice([4, 5]))))
def test_without_positives(answer, expected, question):
    """An image without positives still gets `ratio` negatives."""
    _mined(answer, expected, question)


def _single(rng):
    # One negative, whose loss is 0, the lowest that there is: no other value may be below it.
    while True:
        question = _mining(rng, whole(rng, 2, 6), 1, whole(rng, 5, 8), [0.0], tempting=True)
        if not question.inputs["neg_mask"][0]:  # a search for the largest of equals begins there
            return question


@check("1.6.5", "P1.mining.few", _single)
def test_few_negatives(answer, expected, question):
    """With fewer negatives than asked for, all of them are mined, be it one with a loss of 0."""
    _mined(answer, expected, question, others=True)


@check("1.6.6", "P1.mining.ratio", lambda rng: _mining(
    rng, whole(rng, 3, 5), whole(rng, 26, 34), whole(rng, 4, 7), ratio=int(rng.choice([1, 2]))))
def test_other_ratio(answer, expected, question):
    """The argument `ratio` sets how many negatives go with a positive."""
    _mined(answer, expected, question)
