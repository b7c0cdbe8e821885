"""Task 1.9: NMS."""

import numpy as np

from ...engine.check import calls, check, pure
from ...engine.compare import Wrong, array, kind, sequence
from .asking import call1, first_of_equals
from .inputs import boxes, rows, shift, whole

NMS = "utils.nms"
MANY = 20  # kept boxes that a message shows


def _scores(rng, *values):
    """Scores in the given order of rank, at random heights."""
    heights = np.sort(rng.uniform(0.1, 0.9, max(values) + 1))[::-1]
    return np.array([heights[v] for v in values], dtype=np.float32)


def _kept(answer, expected, best_first=False):
    if isinstance(answer, list) and not answer:  # an empty list has no dtype to be wrong
        answer = np.zeros(0, np.int64)
    got = array(answer, "the kept indices", None, "int64" if best_first else "integer")
    for box in np.setxor1d(got, expected)[:1 if expected.size > MANY and got.ndim == 1 else 0]:
        raise Wrong(f"box {box} should {'not ' * (box not in expected)}be kept. Of all boxes, "
                    f"{len(expected)} should be kept, and {len(got)} are.")
    same = got if best_first or got.ndim != 1 else np.sort(got)
    if not np.array_equal(same, expected if best_first else np.sort(expected)):
        if expected.size > MANY and got.shape == expected.shape:
            place = np.flatnonzero(same != expected)[0]
            raise Wrong(f"the kept indices should have {expected[place]} at place {place}, best "
                        f"first, but have {got[place]} there.")
        most = min(2 * expected.size + 8, MANY)
        wanted, shown = (some.tolist() if some.size <= most else kind(some)
                         for some in (expected, got))
        raise Wrong(f"the kept indices should be {wanted}{', best first,' * best_first} but are "
                    f"{shown}.")


def _chain(rng):
    # IoU 10x16 / (2 * 256 - 160) = .45 between neighbours of the chain, 64 / 448 = .14 beyond. The
    # middle one (index 2) removes both neighbours; the ends are worse than these, and stay. A sixth
    # box lies apart.
    chain = rows(*((6 * i, 0, 6 * i + 16, 16) for i in range(5)), (0, 40, 16, 56))
    ranked = [2, *rng.permutation([1, 3]), *rng.permutation([0, 4])]
    ranked.insert(whole(rng, 0, 5), 5)
    limit = float(rng.uniform(0.2, 0.4))
    some = shift(np.concatenate([chain, _crowd(rng, limit)]), rng)
    scores = rng.permutation(len(some)) / 64 - 2
    scores[ranked] = np.sort(scores[ranked])[::-1]
    order = rng.permutation(len(some))
    return pure(call1(NMS, some[order], scores[order].astype(np.float32), limit))


def _crowd(rng, limit):
    """More than two hundred boxes of 3 to 5 pixels, most of them at negative coordinates, each in a
    place of its own; and as close to some of them a second one, with an IoU near the limit."""
    corner = 16.0 * np.stack(np.divmod(rng.permutation(225)[:210], 15), axis=1) - 260
    side = rng.uniform(3, 5, corner.shape)
    corner += rng.uniform(0, 4, corner.shape)
    iou = limit + rng.choice([-0.03, 0.03], 30)
    moved = corner[:30] + side[:30] * ((1 - iou) / (1 + iou))[:, None] * (1, 0)
    return np.concatenate([np.concatenate([corner, moved]),
                           np.concatenate([corner + side, moved + side[:30]])], axis=1)


@check("1.9.1", "P1.nms.greedy", _chain)
def test_nms(answer, expected):
    """The best box removes those that overlap it too much; a removed box removes nothing."""
    _kept(answer, expected, best_first=True)


def _strips(rng):
    # Five boxes of 16 x 16, on each a strip of it of h pixels height: IoU h / 16. One strip has
    # exactly the threshold, one more, one much less. With a threshold of 0 no strip may stay that
    # overlaps its box.
    limit = whole(rng, 6, 13)
    heights = [limit, whole(rng, limit + 1, 15), whole(rng, 1, 5), *rng.integers(1, 16, 2)]
    pairs = rows(*((0, 30 * i, 16, 30 * i + height) for i, strip in enumerate(heights)
                   for height in (16, strip)))
    limits = limit / 16, 0.0
    return calls("problem1", NMS, *([shift(rng.permutation(pairs), rng),
                                     _scores(rng, *rng.permutation(10)), limits[i]]
                                    for i in rng.permutation(2)))


@check("1.9.2", "P1.nms.threshold", _strips)
def test_nms_threshold(answer, expected):
    """An IoU equal to the threshold is kept; only a higher one is suppressed."""
    for got, want in zip(sequence(answer, 2, "the results"), expected):
        _kept(got, want)


def _tied_pairs(rng):
    # Twelve pairs of boxes that suppress each other, on a grid, with two levels of scores; the
    # two of a pair are on one level. Unstable sorts begin to swap equals beyond 16 values.
    corners = np.stack(np.meshgrid(np.arange(4), np.arange(3)), axis=-1).reshape(-1, 2) * 30
    pairs = np.repeat(rng.permutation(corners), 2, axis=0)
    pairs[1::2, 0] += 1
    levels = np.repeat(rng.permutation(12) % 2, 2)
    order = rng.permutation(24)
    tied = np.concatenate([pairs, pairs + 16], axis=1)[order]
    return call1(NMS, shift(tied, rng), _scores(rng, *levels[order]), 0.5)


@check("1.9.3", "P1.nms.ties", _tied_pairs)
def test_nms_ties(answer, expected):
    """Of equal scores the lower index comes first."""
    with first_of_equals():
        _kept(answer, expected)


def _none_or_one(rng):
    one = boxes(rng, 1)
    # The third has no area and IoU 0 with itself; of the last two boxes, the better one stays.
    kinds = boxes(rng, 0), one, one[:, [0, 1, 0, 1]], one[[0, 0]]
    asked = rng.permutation([0, 1, 2, 3, *rng.integers(0, 4, whole(rng, 5, 9))])
    return calls("problem1", NMS, *([kinds[i], _scores(rng, 1, 0)[-len(kinds[i]):], 0.5] if i
                                    else [kinds[0], np.zeros(0, np.float32), 0.5] for i in asked))


@check("1.9.4", "P1.nms.empty", _none_or_one)
def test_nms_of_none_or_one(answer, expected):
    """No boxes give no indices, one box gives [0]."""
    for got, want in zip(sequence(answer, len(expected), "the results"), expected):
        _kept(got, want)
