"""Task 1.10: average precision."""

import numpy as np

from ...engine.check import calls, check, pure
from ...engine.compare import Wrong, array, close, number, sequence
from ..measure import average_precision, precisions
from .asking import call1, first_of_equals
from .inputs import rows, whole

AP = "evaluate.compute_ap"
OBJECTS = [(x, y, x + 16, y + 16) for y in (0, 40, 80) for x in (0, 40, 80, 120)]
FAR = (0, 130, 16, 146)  # no object


def _lists(rng, images):
    """The two arguments of compute_ap for images of (detections, ground truths), a detection being
    (box, score); everything moved by the same whole pixels."""
    move = np.array([*rng.integers(0, 60, 2)] * 2, np.float32)
    predictions = [{"boxes": rows(*(box for box, _ in detections)).reshape(-1, 4) + move,
                    "scores": np.array([score for _, score in detections], np.float32)}
                   for detections, _ in images]
    return [predictions, [rows(*truth).reshape(-1, 4) + move for _, truth in images]]


def _ap(rng, images, **options):
    return call1(AP, *_lists(rng, images), arrays_too=True, **options)


def _ranking(rng, detections, truth):
    """One image with these detections, best first."""
    scores = np.sort(rng.uniform(0.1, 0.95, len(detections)))[::-1]
    return [(list(zip(detections, scores)), truth)]


def _hits(rng, hits, unfound=0):
    """One image in which the detections hit or miss in this order, best first, with so many objects
    that are not found."""
    spots = [OBJECTS[i] for i in rng.permutation(len(OBJECTS))]
    found = iter(spots)
    return _ranking(rng, [next(found) if hit else FAR for hit in hits], spots[:sum(hits) + unfound])


def _curve(rng, rises):
    """Hits and misses. The first is a hit, and precision never rises from one hit to the next; or
    the first is a miss, and it `rises`."""
    while True:
        hits, unfound = rng.random(whole(rng, 6, 10)) < 0.6, whole(rng, 0, 3)
        if hits[0] == rises or hits.sum() < 2:
            continue
        precision, highest = precisions(hits)
        at_hits, objects = precision[hits], hits.sum() + unfound
        recall = hits.sum() / objects
        steps = np.ceil(np.linspace(0, 1, 11) * objects - 1e-9).astype(int).clip(1) - 1
        eleven = np.pad(highest[hits], (0, unfound))[steps].mean()
        if (at_hits[-1] < 1 and (at_hits < highest[hits]).any() == rises
                # no mean of the last precision and recall, nor of the precision at eleven recalls
                and min(abs(highest[hits].mean() * recall - other) for other in (
                    (precision[-1] + recall) / 2, eleven)) > 0.01):
            return _ap(rng, _hits(rng, hits, unfound))


def _value(answer, expected):
    above = " (above 1: is an object found more than once?)" * bool(array(answer, "AP", ()) > 1)
    close(answer, np.asarray(expected), f"AP{above}", atol=1e-4)


def _values(answer, expected, question):
    """AP has its extreme value where it should, and no other call has one."""
    for got, want, (predictions, truths) in zip(
            sequence(answer, len(expected), "the results"), expected,
            question.inputs["argument_lists"]):
        name = (f"AP with {sum(map(len, truths))} objects and "
                f"{sum(len(found['scores']) for found in predictions)} detections")
        if 0 < want < 1:
            if not 0 < float(array(got, name, ())) < 1:
                raise Wrong(f"{name} should be above 0 and below 1, but is {number(got)}.")
        else:
            close(got, np.asarray(want), name, rtol=0, atol=5e-7)


def _among_others(rng, *scenes):
    """Several calls in random order: these scenes, and some with objects found, then a miss."""
    for _ in range(whole(rng, 4, 7)):
        scenes += _hits(rng, [True] * whole(rng, 2, 4) + [False], whole(rng, 1, 4)),
    return calls("problem1", AP, *(_lists(rng, scenes[i]) for i in rng.permutation(len(scenes))),
                 arrays_too=True)


# Hit, miss, hit: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: AP = 1/2 + 1/2 * 2/3 = 5/6.
@check("1.10.1", "P1.ap.area", lambda rng: _curve(rng, rises=False))
def test_area(answer, expected):
    """AP is the whole area under the interpolated precision-recall curve."""
    _value(answer, expected)


# Miss, hit, hit, miss, hit: precision at the hits 1/2, 2/3, 3/5, from the right 2/3, 2/3, 3/5.
@check("1.10.2", "P1.ap.interpolation", lambda rng: _curve(rng, rises=True))
def test_interpolation(answer, expected):
    """Precision at a recall is the highest precision at that recall or beyond."""
    _value(answer, expected)


@check("1.10.3", "P1.ap.perfect", lambda rng: _among_others(
    rng, *(_hits(rng, [True] * found) for found in (1, 2, 3)[:whole(rng, 1, 3)])))
def test_one_perfect_box(answer, expected, question):
    """Objects all found without an error have AP 1: no epsilon, and the curve starts at recall 0.
    """
    _values(answer, expected, question)


def _found_again(rng):
    """Objects are found in random order, most of them again later; the last detection is a hit."""
    count = whole(rng, 3, 6)
    order = rng.permutation([*range(count), *rng.integers(1, count, whole(rng, 2, 5))])
    while order[-1] in order[:-1]:
        order = rng.permutation(order)
    seen = [OBJECTS[i] if i not in order[:rank] else (*OBJECTS[i][:3], OBJECTS[i][3] - 1)
            for rank, i in enumerate(order)]
    # By default 8 rows of 16 suffice, as of the object that is never found again, and 7.9 do not.
    seen[list(order).index(0)] = (*OBJECTS[0][:3], OBJECTS[0][1] + 8)
    seen.insert(whole(rng, 0, len(order) - 1), (*OBJECTS[count][:3], OBJECTS[count][1] + 7.9))
    (ranked, truth), = _ranking(rng, seen, OBJECTS[:count + whole(rng, 1, 3)])
    return _ap(rng, [([*ranked[:-1], (seen[-1], 0.0)], truth)])  # however low, a score counts


@check("1.10.4", "P1.ap.once", _found_again)
def test_found_once(answer, expected):
    """An object counts once: a second detection of it is a false positive."""
    _value(answer, expected)


# Boxes of 16 x 16 by their left edges: the objects of a place, its better and worse detection;
# which of both finds an object, and which would if objects took the detection that fits them best.
PLACES = [
    # The second overlaps the first object, which is taken, by 7/9 and gets the other one (3/5).
    ((0, 6), (0, 2), (True, True), (True, True)),
    # The first gets the object it fits better (15/17 against 13/19), and the second finds only this
    # one (7/9 against 5/11); in either order of the objects.
    ((0, 4), (1, -2), (True, False), (True, False)),
    ((4, 0), (1, -2), (True, False), (True, True)),
    # The first overlaps the object by 1/3, too little: it stays free for the second.
    ((0,), (8, 0), (False, True), (False, True)),
    # The first has the object with 3/5, although the second equals it.
    ((0,), (4, 0), (True, False), (False, True)),
]


def _taken(rng):
    last, same = len(PLACES) - 1, True
    while same:
        order = [last, *rng.permutation([*range(last), *range(last), last,
                                         *[-1] * whole(rng, 1, 5)])]
        again = [int(i in order[:rank]) for rank, i in enumerate(order)]
        right, wrong = (np.array([i >= 0 and PLACES[i][kind][second] for i, second in
                                  zip(order, again)]) for kind in (2, 3))
        areas = [precisions(hits)[1][hits].sum() for hits in (right, wrong)]
        same = abs(areas[0] - areas[1]) < 0.1 or not right[-1]  # a miss at the end says nothing
    lefts = 60 * np.arange(len(PLACES)) - 150  # some objects lie left of the image
    seen = [FAR if i < 0 else np.array([lefts[i], 0, lefts[i] + 16, 16])
            + PLACES[i][1][second] * np.array([1, 0, 1, 0]) for i, second in zip(order, again)]
    objects = [(begin + left, 0, begin + left + 16, 16)
               for begin, place in zip(lefts, PLACES) for left in place[0]]
    (ranked, truth), = _ranking(rng, seen, [*objects, *OBJECTS[4:4 + whole(rng, 0, 4)]])
    # In the list, the detection that equals its object comes before the one that has it.
    place = rng.permutation(len(order))
    while place[order.index(last, 1)] > place[0]:
        place = rng.permutation(len(order))
    return _ap(rng, [([ranked[i] for i in np.argsort(place)], truth)])


@check("1.10.5", "P1.ap.unmatched", lambda rng: pure(_taken(rng)))
def test_still_unmatched(answer, expected):
    """Detections are taken by descending score, each for the unmatched object that it fits best."""
    _value(answer, expected)


def _own_images(rng):
    """Objects of several images, some of them detected in another image than their own; an image
    in which nothing is found, one in which all is, one without objects, with the highest score, and
    one whose last object is found, after more than a hundred misses."""
    count = whole(rng, 3, 4)
    own = rng.permutation(np.repeat([True, False], [whole(rng, 2, 5), whole(rng, 2, 5)]))
    while True:
        spots = [OBJECTS[i] for i in rng.permutation(len(OBJECTS))]
        scores = rng.permutation(np.linspace(0.15, 0.95, len(own)))
        owner = rng.integers(0, count, len(own))
        seen_in = np.where(own, owner, (owner + rng.integers(1, count, len(own))) % count)
        images = [([(spots[i], scores[i]) for i in np.flatnonzero(seen_in == image)],
                   [spots[i] for i in np.flatnonzero(owner == image)]) for image in range(count)]
        late = [(FAR, score) for score in np.linspace(0.14, 0.1, whole(rng, 101, 109))]
        images += (([], OBJECTS[:1]), ([(OBJECTS[0], 0.96)], OBJECTS[:1]), ([(FAR, 0.97)], []),
                   ([*late, (OBJECTS[11], 0.08)], OBJECTS[8:]))
        images = [([(box, 0.5 + score / 1000) for box, score in seen], truth)
                  for seen, truth in images]  # who rounds scores has many equal ones
        asked = _lists(rng, [images[i] for i in rng.permutation(len(images))])
        seen, truths = [(found["boxes"], found["scores"]) for found in asked[0]], asked[1]
        right = average_precision(seen, truths)  # neither of the two that follow
        by_image = average_precision([(box, s - i) for i, (box, s) in enumerate(seen)], truths)
        mean = np.nanmean([average_precision([d], [truth]) for d, truth in zip(seen, truths)
                           if len(truth)])
        if min(abs(right - by_image), abs(right - mean)) > 0.03:
            return call1(AP, *asked, arrays_too=True)


@check("1.10.6", "P1.ap.images", _own_images)
def test_own_image(answer, expected):
    """A detection can find only objects of its own image, and all images are ranked together."""
    _value(answer, expected)


@check("1.10.7", "P1.ap.none", lambda rng: _among_others(
    rng, *([([], OBJECTS[:whole(rng, 1, 3)]), ([], OBJECTS[:whole(rng, 0, 2)])]
           for _ in range(whole(rng, 1, 3)))))
def test_without_predictions(answer, expected, question):
    """Ground truth without any prediction gives 0.0."""
    _values(answer, expected, question)


@check("1.10.8", "P1.ap.nan", lambda rng: _among_others(
    rng, *([*_ranking(rng, OBJECTS[:whole(rng, 0, 2)], []), ([], [])]
           for _ in range(whole(rng, 1, 3)))))
def test_without_ground_truth(answer, expected, question):
    """Without any ground truth AP is nan."""
    _values(answer, expected, question)


def _cut(rng):
    # The upper h of 16 rows of every object: IoU h / 16, once exactly the threshold, which is below
    # and above the default. With ten objects, rounding would decide which of eleven points a recall
    # reaches.
    asked = []
    for limit in rng.permutation([whole(rng, 4, 7), whole(rng, 9, 14)]).tolist():
        # The best is a miss: recall starts at 0 even where no point is put there.
        heights = [limit - 1, *rng.permutation([limit, *rng.integers(4, 17, whole(rng, 4, 7))])]
        seen = [(*box[:3], box[1] + height) for box, height in zip(OBJECTS, heights)]
        asked.append([*_lists(rng, _ranking(rng, seen, OBJECTS[:len(seen)])), limit / 16])
    return calls("problem1", AP, *asked, arrays_too=True)


@check("1.10.9", "P1.ap.threshold", _cut)
def test_threshold(answer, expected, question):
    """An IoU equal to iou_threshold counts as found."""
    for got, want, (*_, limit) in zip(sequence(answer, len(expected), "the results"), expected,
                                      question.inputs["argument_lists"]):
        close(got, np.asarray(want), f"AP at an iou_threshold of {limit:g}", atol=1e-4)


def _equal(rng):
    """An image with twelve objects, found in random order between misses, with three scores, among
    which unstable sorts do not keep the order."""
    found = rng.permutation([*range(12), *[-1] * 18])
    return [(OBJECTS[i] if i >= 0 else FAR, rng.choice([0.5, 0.25, 0.125])) for i in found], OBJECTS


@check("1.10.10", "P1.ap.ties", lambda rng: _ap(rng, [_equal(rng) for _ in range(3)]))
def test_equal_scores(answer, expected):
    """Equal scores are taken in image order, then in list order."""
    with first_of_equals():
        _value(answer, expected)
