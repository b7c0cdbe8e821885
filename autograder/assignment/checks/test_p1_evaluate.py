"""Tasks 1.9, 1.10 and 1.12: NMS, decoding, average precision, which map finds which class."""

import numpy as np

from datasets.constants import CLASSES, IMAGE_SIZE, MAP_SIZES

from ...engine.check import Question, calls, check, pure
from ...engine.compare import (
    Wrong,
    array,
    close,
    entries,
    equal,
    in_order,
    kind,
    number,
    sequence,
)
from ..measure import average_precision, precisions
from .asking import call1, first_of_equals
from .inputs import boxes, offsets, plant, quiet_map, rows, shift, square_grid, whole
from .pictures import BLOCK, SIDES, blocks, drawn, follow, nodes, outlines, shows

NMS, DECODE, AP = "utils.nms", "evaluate.decode_predictions", "evaluate.compute_ap"


def _scores(rng, *values):
    """Scores in the given order of rank, at random heights."""
    heights = np.sort(rng.uniform(0.1, 0.9, max(values) + 1))[::-1]
    return np.array([heights[v] for v in values], dtype=np.float32)


def _kept(answer, expected, best_first=False):
    if isinstance(answer, list) and not answer:  # an empty list has no dtype to be wrong
        answer = np.zeros(0, np.int64)
    got = array(answer, "the kept indices", None, "int64" if best_first else "integer")
    same = got if best_first or got.ndim != 1 else np.sort(got)
    if not np.array_equal(same, expected if best_first else np.sort(expected)):
        shown = got.tolist() if got.size <= 2 * expected.size + 8 else kind(got)
        raise Wrong(f"the kept indices should be {expected.tolist()}"
                    f"{', best first,' * best_first} but are {shown}.")


def _chain(rng):
    # IoU 10x16 / (2 * 256 - 160) = .45 between neighbours of the chain, 64 / 448 = .14 beyond. The
    # middle one (index 2) removes both neighbours; the ends are worse than these, and stay. A sixth
    # box lies apart.
    chain = rows(*((6 * i, 0, 6 * i + 16, 16) for i in range(5)), (0, 40, 16, 56))
    ranked = [2, *rng.permutation([1, 3]), *rng.permutation([0, 4])]
    ranked.insert(whole(rng, 0, 5), 5)
    kept = [i for i in ranked if i not in (1, 3)]
    place = rng.permutation(6)
    while (np.diff(place[kept]) > 0).all():  # best first shall not be the order of the indices
        place = rng.permutation(6)
    placed, rank = np.empty_like(chain), np.empty(6, np.int64)
    placed[place], rank[place[ranked]] = chain, np.arange(6)
    return pure(call1(NMS, shift(placed, rng), _scores(rng, *rank), float(rng.uniform(0.2, 0.4))))


@check("1.9.1", "P1.nms.greedy", _chain)
def test_nms(answer, expected):
    """The best box removes those that overlap it too much; a removed box removes nothing."""
    _kept(answer, expected, best_first=True)


def _strips(rng):
    # Three boxes of 16 x 16, on each a strip of it of h pixels height: IoU h / 16. One strip has
    # exactly the threshold, one more.
    limit = whole(rng, 6, 13)
    heights = [limit, whole(rng, limit + 1, 15), whole(rng, 1, 15)]
    pairs = rows(*((0, y, 16, y + height) for y, strip in zip((0, 30, 60), heights)
                   for height in (16, strip)))
    return call1(NMS, shift(rng.permutation(pairs), rng), _scores(rng, *rng.permutation(6)),
                 limit / 16)


@check("1.9.2", "P1.nms.threshold", _strips)
def test_nms_threshold(answer, expected):
    """An IoU equal to the threshold is kept; only a higher one is suppressed."""
    _kept(answer, expected)


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


def _decode_scene(rng, images=2, per_cell=3, classes=3):
    """Three quiet maps of a 64-pixel image and their anchors."""
    sides, scales = (8, 4, 2), ([8, 12, 16, 20], [16, 24, 32, 40], [32, 40, 48, 56])
    maps = [quiet_map(images, per_cell, side, classes) for side in sides]
    return maps, [square_grid(s, k[:per_cell], 64) for s, k in zip(sides, scales)]


def _planted(rng, per_cell=3, classes=3):
    """Two images with one object in some of their quarters; the first has some on every map. The
    first object of an image is of the last class. Other anchors of these objects' cells find the
    classes that are missing: what happens without one is asked by 1.9.4 and 1.9.10."""
    maps, anchors = _decode_scene(rng, 2, per_cell, classes)
    first = [2, *rng.permutation([0, 1, 0][:whole(rng, 2, 3)])]
    for image, indices in enumerate((first, rng.integers(0, 3, whole(rng, 2, 4)))):
        missing, cells = [*range(classes)], []
        for rank, (index, quarter) in enumerate(zip(indices, (0, *rng.permutation([1, 2, 3])))):
            half = maps[index].shape[-1] // 2
            row, column = np.array(divmod(quarter, 2)) * half + rng.integers(0, half, 2)
            anchor, moved = rng.integers(0, per_cell), rng.normal(0, 0.15, 4)
            logits = rng.permutation([3.0, 0.5, *[-1.0] * (classes - 2)])
            if image == index == 0:  # larger than the smallest anchor of the next map
                anchor = per_cell - 1
            if quarter == 0:  # the largest anchor, moved further out of the image
                anchor, moved = per_cell - 1, -np.abs(moved) * [1, 1, 0, 0]
                logits = np.sort(logits)
            plant(maps[index], image, anchor, row, column, tuple(moved),
                  2.5 - 0.5 * rank - float(rng.uniform(0, 0.4)), tuple(logits))
            missing = [c for c in missing if c != np.argmax(logits)]
            cells += [(index, (anchor + further) % per_cell, row, column) for further in (1, 2)]
        for rank, (c, (index, anchor, row, column)) in enumerate(zip(missing, cells)):
            plant(maps[index], image, anchor, row, column, tuple(rng.normal(0, 0.15, 4)),
                  0.4 - 0.5 * rank - float(rng.uniform(0, 0.4)), tuple(3.0 * np.eye(classes)[c]))
    return call1(DECODE, maps, anchors)


def _detections(answer, expected, *names):
    """Name, what was found, and what should be, of every image; the latter two as lists."""
    for image, (got, want) in enumerate(
            zip(sequence(answer, len(expected), "the list of images"), expected)):
        fields = entries(got, names, f"the detections of image {image}")
        labels = [f"{name} of image {image}" for name in names]
        yield labels, [array(value, label, want[name].shape).astype(np.float64)
                       for name, label, value in zip(names, labels, fields)], [
                           want[name] for name in names]


@check("1.9.5", "P1.decode.score", lambda rng: pure(_planted(rng)))
def test_decoded_scores_and_boxes(answer, expected):
    """The score is sigmoid(objectness) * max softmax(class logits); boxes decode their anchor."""
    for names, got, want in _detections(answer, expected, "scores", "labels", "boxes"):
        best = np.argsort(-got[0], kind="stable")  # P1.decode.best asks for their order
        for name, value, right in zip(names, got, want):
            close(value[best], right, name, atol=1e-3, where=lambda p: f"detection {p[0]}")


@check("1.9.6", "P1.decode.maps", lambda rng: _planted(
    rng, 4, whole(rng, 4, 5)))
def test_decoded_maps(answer, expected):
    """`maps` names the feature map (0, 1, 2) that each detection came from."""
    for (name, _), got, want in _detections(answer, expected, "maps", "boxes"):
        of_box = [in_order(np.c_[boxes[:, 2:], maps])[:, 2] for maps, boxes in (got, want)]
        equal(*of_box, f"{name}, in the order of x2,")


def _crowded(rng):
    """In two images, the same place claimed by two maps, two cells of one map, and two classes; and
    two boxes whose IoU lies between the threshold and .5.

    Of what two maps claim, the worse detection is surer of an object and less sure of its class.
    """
    maps, anchors = _decode_scene(rng)
    i, j = rng.integers(0, 3, 2)
    row, column = 2 * i + 1, 2 * j + 1
    a, b, c = (tuple(logits) for logits in rng.permutation(5 * np.eye(3)))
    # 16x16 moved by 4: IoU 12 / 20 = .6; by 6: 10 / 22 = .45
    moved, limit = [(4, 0.7), (6, 0.3)][rng.integers(2)]
    (up, left), double = rng.integers(1, 6, 2), float(np.log(2))
    for image in range(2):
        # 16x16 on map 0, and moved nearly onto it from map 1, whose cell centre lies 4 pixels up
        # and left
        plant(maps[0], image, 2, row, column, (0, 0, 0, 0), float(rng.uniform(2.5, 3.5)), a)
        plant(maps[1], image, 0, i, j, (0.27, 0.25, 0, 0), 4.0, tuple(np.divide(a, 5)))
        plant(maps[0], image, 2, row, column + 1, (-0.48, 0, 0, 0), float(rng.uniform(0.6, 0.9)), a)
        plant(maps[0], image, 1, row, column, (0, 0, 0.3, 0.3), float(rng.uniform(0.2, 0.5)), b)
        plant(maps[2], image, 0, *rng.integers(0, 2, 2), (0, 0, 0, 0), float(rng.uniform(-1, 0)), c)
        for cell, shifted in enumerate((0, moved / 8 - 1)):
            plant(maps[0], image, 0, up, left + cell, (shifted, 0, double, double),
                  float(rng.uniform(1, 2)), c)
    return call1(DECODE, maps, anchors, nms_threshold=limit)


@check("1.9.7", "P1.decode.nms", _crowded)
def test_nms_per_class_over_all_maps(answer, expected):
    """NMS with `nms_threshold` runs within a class, over all maps of an image together."""
    for (name,), (got,), (want,) in _detections(answer, expected, "boxes"):
        close(in_order(got), in_order(want), f"{name}, sorted", atol=1e-2)


def _sure(rng):
    """Logits that leave one class no doubt: the score is that of the objectness."""
    return tuple(rng.permutation([200.0, 0.0, 0.0]))


def _thresholded(rng):
    # objectness 0 and one dominant class: a score of exactly .5 * 1
    maps, anchors = _decode_scene(rng, images=1)
    equal, lower, higher = np.zeros(whole(rng, 1, 3)), -rng.uniform(0.1, 1, whole(rng, 1, 3)), (
        rng.uniform(0.1, 2, whole(rng, 1, 3)))
    heights, logits = [*equal, *lower, *higher], _sure(rng)
    *cells, last = (divmod(cell, 8) for cell in rng.permutation(64)[:len(heights) + 1])
    for cell, height in zip(cells, heights):
        plant(maps[0], 0, 0, *cell, (0, 0, 0, 0), height, logits)
    # One is a pixel high, one lies out of the image: neither the size nor the place counts.
    size, away = float(np.log(1 / 16)), 8.0 * rng.choice([-1, 1], 2)
    plant(maps[1], 0, 0, *rng.integers(0, 4, 2), (0, 0, size, size), 1.0, logits)
    plant(maps[1], 0, 1, *rng.integers(0, 4, 2), (*away, 0, 0), 1.5, logits)
    plant(maps[0], 0, 0, *last, (0, 0, 0, 0), 2.0, (0.0, 0.0, 0.0))  # .88, but of no class
    for cell, other in enumerate(np.roll(logits, turn) for turn in (1, 2)):  # no class is missing
        plant(maps[2], 0, 0, cell, cell, (0, 0, 0, 0), 1.2 + 0.5 * cell, tuple(other))
    return call1(DECODE, maps, anchors, score_threshold=0.5)


@check("1.9.8", "P1.decode.threshold", _thresholded)
def test_score_threshold(answer, expected):
    """A score equal to the threshold is kept, a lower one is not."""
    for (name,), (got,), (want,) in _detections(answer, expected, "scores"):
        close(np.sort(got), np.sort(want), f"{name}, sorted", atol=1e-3)


def _many(rng):
    maps, anchors = _decode_scene(rng)
    for image in range(2):
        others = list(rng.permutation(16))  # cells of the second map
        for index, height in enumerate(rng.permutation(20)):
            cell, logits = (index // 8 * 2, index % 8), _sure(rng)
            if height % 3 == 1 and height < 16:
                plant(maps[1], image, 0, *divmod(others.pop(), 4), (0, 0, 0, 0), height / 8, logits)
                continue
            plant(maps[0], image, 0, *cell, (0, 0, 0, 0), height / 8, logits)
            if height >= 16:  # the same box from the next anchor: NMS makes room for a lower one
                size = float(np.log(8 / 12))
                plant(maps[0], image, 1, *cell, (0, 0, size, size), height / 8 - 1 / 16, logits)
    return maps, anchors


def _hundreds(rng):
    """An image with more than a hundred detections, in which the defaults of all limits show.

    Each cell of the finest map has a box of 8 x 8 of one class and one of 12 x 12 of another. Of
    the former, some are there twice, and two pairs overlap by just more and just less than .5; all
    these have the highest scores, but for a single box of the third class.
    """
    maps, anchors = _decode_scene(rng, images=1)
    small, large, third = (tuple(logits) for logits in 200 * rng.permutation(np.eye(3)))
    plant(maps[1], 0, 0, *rng.integers(0, 4, 2), (0, 0, 0, 0), 5.0, third)
    best, pulled = [], []
    for row, iou in zip(rng.permutation(8), (0.54, 0.46)):
        left, apart = 8 * row + rng.integers(0, 7), (1 - iou) / (1 + iou)  # of boxes of width 1
        pulled += [left, left + 1]
        best += [(0, left, ((1 - apart) / 2, 0, 0, 0), small),
                 (0, left + 1, ((apart - 1) / 2, 0, 0, 0), small)]
    others = [cell for cell in rng.permutation(64) if cell not in pulled]
    for cell in others[:10]:
        best += [(0, cell, (0, 0, 0, 0), small), (2, cell, (0, 0, *np.log([0.5, 0.5])), small)]
    rest = [*((0, cell, (0, 0, 0, 0), small) for cell in others[10:]),
            *((1, cell, (0, 0, 0, 0), large) for cell in range(64))]
    found = [*best, *(rest[i] for i in rng.permutation(len(rest)))]
    for (anchor, cell, moved, logits), height in zip(found, np.linspace(4, -2, len(found))):
        plant(maps[0], 0, anchor, *divmod(cell, 8), moved, height, logits)
    return maps, anchors


def _limited(rng):
    asked = [[*_many(rng), 0.05, 0.5, whole(rng, 5, 8)], [*_hundreds(rng)]]
    return calls("problem1", DECODE, *(asked[i] for i in rng.permutation(2)))


@check("1.9.9", "P1.decode.best", _limited)
def test_best_detections(answer, expected, question):
    """Detections come sorted by score, at most max_detections of an image."""
    for result, right, (_, _, *limits) in zip(sequence(answer, 2, "the results"), expected,
                                              question.inputs["argument_lists"]):
        limited = f"with {limits[-1]} detections at most" if limits else "with the default limits"
        for (name,), (got,), (want,) in _detections(result, right, "boxes"):
            close(got, want, f"{name}, {limited},", atol=1e-3,
                  where=lambda p: f"detection {p[0]}")


def _some_empty(rng):
    # scores just above the default threshold, 1 / (1 + e^2.8) = .057, and one just below it, .043
    found = rng.permutation([0, 0, 1, 2, 3, *rng.integers(0, 4, whole(rng, 0, 2))])
    maps, anchors = _decode_scene(rng, len(found))
    for image, count in enumerate(found):
        below, *cells = rng.permutation(64)[:count + 1]
        for cell, height in [(below, -3.1), *((cell, -2.8) for cell in cells)]:
            plant(maps[0], image, 0, *divmod(cell, 8), (0, 0, 0, 0), height, _sure(rng))
    return call1(DECODE, maps, anchors)


@check("1.9.10", "P1.decode.empty", _some_empty)
def test_images_without_detections(answer, expected):
    """An image in which nothing is found has boxes [0, 4] and empty scores, labels and maps."""
    for _ in _detections(answer, expected, *expected[0]):
        pass  # the shapes are right


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
        at_hits, recall = precision[hits], hits.sum() / (hits.sum() + unfound)
        if (at_hits[-1] < 1 and (at_hits < highest[hits]).any() == rises
                # no mean of the last precision and recall
                and abs(highest[hits].mean() * recall - (precision[-1] + recall) / 2) > 0.01):
            return _ap(rng, _hits(rng, hits, unfound))


def _value(answer, expected):
    close(answer, np.asarray(expected), "AP", atol=1e-4)


def _values(answer, expected, question):
    """AP has its extreme value where it should, and lies between 0 and 1 in all other calls."""
    for got, want, (predictions, truths) in zip(
            sequence(answer, len(expected), "the results"), expected,
            question.inputs["argument_lists"]):
        name = (f"AP with {sum(map(len, truths))} objects and "
                f"{sum(len(found['scores']) for found in predictions)} detections")
        if 0 < want < 1:
            if not 0 < float(array(got, name, ())) < 1:
                raise Wrong(f"{name} should lie between 0 and 1, but is {number(got)}.")
        else:
            close(got, np.asarray(want), name, rtol=0, atol=5e-7)


def _among_others(rng, *scenes):
    """Several calls in random order: these scenes, and some in which a part is found."""
    for _ in range(whole(rng, 4, 7)):
        scenes += _hits(rng, [True] * whole(rng, 2, 4), whole(rng, 1, 4)),
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
    return _ap(rng, [([*ranked[:-1], (seen[-1], 0.03)], truth)])  # however low, a score counts


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
    seen = [FAR if i < 0 else np.array([60 * i, 0, 60 * i + 16, 16])
            + PLACES[i][1][second] * np.array([1, 0, 1, 0]) for i, second in zip(order, again)]
    objects = [(60 * i + left, 0, 60 * i + left + 16, 16)
               for i, place in enumerate(PLACES) for left in place[0]]
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
    in which nothing is found, one without objects, with the highest score, and one whose object is
    found last, after more than a hundred misses."""
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
        images += (([], OBJECTS[:1]), ([(FAR, 0.97)], []),
                   ([*late, (OBJECTS[0], 0.08)], OBJECTS[:1]))
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
    # The upper h of 16 rows of every object: IoU h / 16, once exactly the threshold, which is not
    # the default.
    limit = whole(rng, 9, 14)
    heights = rng.permutation([limit, limit - 1, *rng.integers(4, 17, whole(rng, 4, 8))])
    seen = [(*box[:3], box[1] + height) for box, height in zip(OBJECTS, heights)]
    return _ap(rng, _ranking(rng, seen, OBJECTS[:len(seen)]), iou_threshold=limit / 16)


@check("1.10.9", "P1.ap.threshold", _cut)
def test_threshold(answer, expected):
    """An IoU equal to iou_threshold counts as found."""
    _value(answer, expected)


def _all_equal(rng):
    """An image with nine objects, found in random order between nine misses, all with score .5."""
    found = rng.permutation([*range(9), *[-1] * 9])
    return [(OBJECTS[i] if i >= 0 else FAR, 0.5) for i in found], OBJECTS[:9]


@check("1.10.10", "P1.ap.ties", lambda rng: _ap(rng, [_all_equal(rng), _all_equal(rng)]))
def test_equal_scores(answer, expected):
    """Equal scores are taken in image order, then in list order."""
    with first_of_equals():
        _value(answer, expected)


def _scale_scene(rng):
    """A few images, each with four detections that count and some that do not."""
    images = whole(rng, 5, 7)
    counts = np.zeros((3, 3), np.int64)
    while (counts == counts.T).all():  # rows and columns shall not be the same
        labels, orders = rng.integers(0, 3, images), [rng.permutation(3) for _ in range(images)]
        counts[:] = 0
        for label, (first, second, _) in zip(labels, orders):
            counts[first, label] += 2
            counts[second, label] += 1
            counts[0, label] += 1
    sides, scales = (14, 7, 4), ([16, 24, 32], [48, 64, 80], [96, 128, 160])
    maps = [quiet_map(images, 3, side) for side in sides]
    anchors = [square_grid(s, k, IMAGE_SIZE) for s, k in zip(sides, scales)]
    targets = []
    for image, (label, (first, second, third)) in enumerate(zip(labels, orders)):
        other = (label + whole(rng, 1, 2)) % 3
        cells = [list(rng.permutation(side**2)) for side in sides]
        # An anchor of 16 x 16 between the tiles, and an object twice as high.
        between = 14 * whole(rng, 0, 12) + int(rng.choice([3, 10]))
        cells[0].remove(between)
        tall = anchors[0][3 * between] + rows((0, 0, 0, 16))[0]
        tiles = [rows((x, y, x + 40, y + 40))[0] for x, y in
                 8 + 56 * np.stack(np.divmod(rng.permutation(16)[:6], 4), axis=1)]

        def detect(index, tile, objectness, left=0.0, right=1.0, logit=6.0, label=label,
                   image=image, cells=cells):
            box = tile + rows((40 * left, 0, 40 * right - 40, 0))[0]
            (row, column), anchor = divmod(cells[index].pop(), sides[index]), rng.integers(3)
            own = anchors[index][(row * sides[index] + column) * 3 + anchor]
            logits = [0.0, 0.0, 0.0]
            logits[label] = logit
            plant(maps[index], image, anchor, row, column, tuple(offsets(box, own)), objectness,
                  tuple(logits))

        detect(first, tiles[0], 3.0, right=0.7)  # IoU .7: counts
        detect(first, tiles[1], 3.0, right=0.48)  # IoU .48
        detect(second, tiles[2], 0.0, logit=200.0)  # a score of exactly .5 * 1: counts
        detect(third, tiles[3], -0.1)  # a score of .47
        detect(first, tiles[4], 4.0, right=0.6)  # IoU .6 with the object: counts
        detect(third, tiles[4], 3.0, left=0.3)  # .7, but the object has been found
        detect(first, tiles[5], 3.0, label=other)  # another class, of which there is no object
        plant(maps[0], image, 0, *divmod(between, 14), (0, 0, 0, 0), 3.0,
              tuple(np.where(np.arange(3) == label, 6.0, 0.0)))  # IoU exactly .5: counts
        targets.append({"boxes": np.stack([*tiles, tall]), "labels": np.full(7, label)})
    return Question("problem1", "scale_performance", {
        "maps": maps, "anchors": anchors, "targets": targets, "batch_size": 4})


@check("1.12.1", "P1.scale.counts", _scale_scene)
def test_scale_counts(answer, expected):
    """True positives (score and IoU at least .5, right class) are counted by map and class."""
    names = [f"{side}x{side}" for side in MAP_SIZES], CLASSES
    equal(answer["counts"], expected["counts"], "the counts", "integer",
          where=lambda p: f"map {names[0][p[0]]}, {names[1][p[1]]}s")


def _counted(rng, counts):
    """A scene with so many objects of each class (columns), found by each map (rows)."""
    sides, scales = (7, 4, 3), ([16, 24, 32], [48, 64, 80], [96, 128, 160])
    anchors = [square_grid(s, k, IMAGE_SIZE) for s, k in zip(sides, scales)]
    found = rng.permutation(np.argwhere(np.ones(counts.shape, bool)).repeat(counts.ravel(), axis=0))
    images = -(-len(found) // 9)  # tiles of 3 x 3
    maps = [quiet_map(images, 3, side) for side in sides]
    targets = []
    for image in range(images):
        own = found[9 * image:9 * image + 9]
        corners = 4 + 72 * np.stack(np.divmod(rng.permutation(9)[:len(own)], 3), axis=1)
        tiles = np.concatenate([corners, corners + rng.integers(40, 64, (len(own), 2))], axis=1)
        cells = [list(rng.permutation(side**2)) for side in sides]
        for (index, label), tile in zip(own, tiles):
            (row, column), anchor = divmod(cells[index].pop(), sides[index]), rng.integers(3)
            box = anchors[index][(row * sides[index] + column) * 3 + anchor]
            plant(maps[index], image, anchor, row, column, tuple(offsets(tile, box)),
                  rng.uniform(3, 6), tuple(np.where(np.arange(3) == label, 9.0, 0.0)))
        targets.append({"boxes": tiles.astype(np.float32), "labels": own[:, 1].astype(np.int64)})
    return {"maps": maps, "anchors": anchors, "targets": targets}


def _counted_scenes(rng):
    """Four scenes, of which two have the same counts, on other images. What each map finds in all,
    and how many objects each class has, is the same in a third one; in the fourth, all counts of
    the first two are doubled."""
    base = rng.permutation([1, 1, 1, 2, 2, 2, 3, 3, 3]).reshape(3, 3)
    kinds = [base]
    for sign in (1, -1):
        swap = np.zeros((3, 3), int)
        swap[np.ix_(rng.permutation(3)[:2], rng.permutation(3)[:2])] = [[sign, -sign],
                                                                        [-sign, sign]]
        kinds.append(base + swap)
    kinds.append(2 * base)
    which = rng.permutation([0, 0, whole(rng, 1, 2), 3])
    return Question("problem1", "scale_pictures", {
        "scenes": [_counted(rng, kinds[kind]) for kind in which], "batch_size": 2, "sides": SIDES})


def _true_counts(scene):
    """What a scene's detections count: all of them are right."""
    counts = np.zeros((3, 3), int)
    for index, prediction in enumerate(scene["maps"]):
        images, channels, side, _ = prediction.shape
        rows = prediction.reshape(images, 3, channels // 3, side, side).swapaxes(1, 2)
        np.add.at(counts[index], rows[:, 5:].argmax(axis=1)[rows[:, 4] > 0], 1)
    return counts


@check("1.12.2", "P1.scale.picture", _counted_scenes)
def test_scale_picture(answer, question):
    """The counts are drawn to results/visualizations/scale_performance.png."""
    scenes = question.inputs["scenes"]
    name = "results/visualizations/scale_performance.png"
    follow(drawn(answer, len(scenes), name), [_true_counts(scene) for scene in scenes], name)


NODES = IMAGE_SIZE // BLOCK


def _boxes_on_nodes(rng, count):
    """Corners (column, row, column, row) of boxes of 4 to 7 nodes a side."""
    sizes = rng.integers(3, 7, (count, 2))
    corners = rng.integers(1, NODES - 1 - sizes)
    return np.concatenate([corners, corners + sizes], axis=1)


def _detections_picture(rng):
    while True:  # until each of both has much of its outlines for itself
        found, truth = (nodes(_boxes_on_nodes(rng, int(rng.integers(2, 4)))) for _ in range(2))
        both = outlines(found, NODES), outlines(truth, NODES)
        if min((both[0] & ~both[1]).sum(), (both[1] & ~both[0]).sum()) > 20:
            break
    labels = rng.integers(0, 3, len(found))
    detections = {"boxes": found, "labels": labels, "maps": labels,
                  "scores": np.sort(rng.uniform(0.9, 0.99, len(found)))[::-1].astype(np.float32)}
    targets = {"boxes": truth, "labels": rng.integers(0, 3, len(truth))}
    images = blocks(rng, 3, NODES)
    return Question("problem1", "pictures", {
        "function": "evaluate.visualize_detections", "sides": SIDES,
        "argument_lists": [[image, detections, targets] for image in images]})


@check("1.12.3", "P1.scale.detections", _detections_picture)
def test_detections_picture(answer, question):
    """visualize_detections draws the image, the detections and the ground truth to save_path."""
    (image, found, truth), _ = question.inputs["argument_lists"]
    name = "visualize_detections"
    shows(drawn(answer, 2, f"what {name} writes to save_path"), image,
          {"detections": outlines(found["boxes"], NODES),
           "ground truth": outlines(truth["boxes"], NODES)},
          np.concatenate([found["boxes"], truth["boxes"]]), name)
