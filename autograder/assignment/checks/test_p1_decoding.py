"""Task 1.19: decoding."""

import numpy as np

from ...engine.check import calls, check, pure
from ...engine.compare import Wrong, array, close, entries, equal, in_order, number, sequence
from .asking import call1
from .inputs import offsets, plant, quiet_map, rows, square_grid, whole

DECODE = "evaluate.decode_predictions"


def _decode_scene(rng, images=2, per_cell=3, classes=3):
    """Three quiet maps of a 64-pixel image and their anchors."""
    sides, scales = (8, 4, 2), ([8, 12, 16, 20], [16, 24, 32, 40], [32, 40, 48, 56])
    maps = [quiet_map(images, per_cell, side, classes) for side in sides]
    return maps, [square_grid(s, k[:per_cell], 64) for s, k in zip(sides, scales)]


def _planted(rng, per_cell=3, classes=3):
    """Two images with one object in some of their quarters; the first has some on every map. The
    first object of an image is of the last class. Other anchors of these objects' cells find the
    classes that are missing, in small boxes, which no NMS removes: what happens without one is
    asked by 1.9.4 and 1.19.6."""
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
            if quarter == 0:  # the largest anchor, moved out of the image, long and thin
                size = rng.permutation([-1, 1]) * rng.uniform(2.2, 2.5)
                anchor, moved = per_cell - 1, np.concatenate([-np.abs(moved[:2]), size])
                logits = np.sort(logits)
            plant(maps[index], image, anchor, row, column, tuple(moved),
                  2.5 - 0.5 * rank - float(rng.uniform(0, 0.4)), tuple(logits))
            missing = [c for c in missing if c != np.argmax(logits)]
            cells += [(index, (anchor + further) % per_cell, row, column) for further in (1, 2)]
        for rank, (c, (index, anchor, row, column)) in enumerate(zip(missing, cells)):
            plant(maps[index], image, anchor, row, column,
                  tuple(rng.normal((0, 0, -2, -2), 0.15)),
                  0.4 - 0.5 * rank - float(rng.uniform(0, 0.4)), tuple(3.0 * np.eye(classes)[c]))
    return call1(DECODE, maps, anchors)


BEST = 4  # scores that a message shows


def _detections(answer, expected, *names):
    """Name, what was found, and what should be, of every image; the latter two as lists."""
    for image, (got, want) in enumerate(
            zip(sequence(answer, len(expected), "the list of images"), expected)):
        fields = entries(got, names, f"the detections of image {image}")
        scores, right = got.get("scores"), want["scores"]
        if isinstance(scores, np.ndarray) and scores.ndim == 1 and len(scores) != len(right):
            scores, right = (np.sort(each)[::-1] for each in (scores, right))
            first = next((i for i, pair in enumerate(zip(scores, right))
                          if not np.isclose(*pair, atol=1e-3)), min(len(scores), len(right)))
            best = f"behind the best {first}, which are right, the scores" if first else (
                "the best scores")
            raise Wrong(f"image {image} should have {len(right)} detections, but has "
                        f"{len(scores)}; {best} should be {number(right[first:first + BEST])} and "
                        f"are {number(scores[first:first + BEST])}.")
        labels = [f"{name} of image {image}" for name in names]
        yield labels, [array(value, label, want[name].shape).astype(np.float64)
                       for name, label, value in zip(names, labels, fields)], [
                           want[name] for name in names]


@check("1.19.1", "P1.decode.score", lambda rng: pure(_planted(rng)))
def test_decoded_scores_and_boxes(answer, expected):
    """The score is sigmoid(objectness) * max softmax(class logits); boxes decode their anchor."""
    for names, got, want in _detections(answer, expected, "scores", "labels", "boxes"):
        best = np.argsort(-got[0], kind="stable")  # P1.decode.best asks for their order
        for name, value, right in zip(names, got, want):
            close(value[best], right, name, atol=1e-3, where=lambda p: f"detection {p[0]}")


@check("1.19.2", "P1.decode.maps", lambda rng: _planted(
    rng, 4, whole(rng, 4, 5)))
def test_decoded_maps(answer, expected):
    """`maps` names the feature map (0, 1, 2) that each detection came from."""
    for (name, _), got, want in _detections(answer, expected, "maps", "boxes"):
        ends, right_ends = (in_order(boxes[:, 2:]) for _, boxes in (got, want))
        if not np.allclose(ends, right_ends, atol=0.1):  # 1.19.1 asks for boxes: go by the order
            equal(got[0], want[0], name, where=lambda p: f"detection {p[0]}")
            continue
        found, right = (in_order(np.c_[boxes[:, 2:], maps]) for maps, boxes in (got, want))
        for place in np.flatnonzero(found[:, 2] != right[:, 2])[:1]:
            raise Wrong(f"{name} should be {number(right[place, 2])} for the detection whose box "
                        f"ends at x2 = {number(found[place, 0])}, but is "
                        f"{number(found[place, 2])}.")


def _crowded(rng, moved, limit):
    """In two images, the same place claimed by two maps, two cells of one map, and two classes; and
    two boxes, `moved` pixels apart, whose IoU lies between the threshold and .5. At the border are
    two that are one box within the image, and overlap little.

    Of what two maps claim, the worse detection is surer of an object and less sure of its class.
    """
    maps, anchors = _decode_scene(rng)
    i, j = rng.integers(0, 3, 2)
    row, column = 2 * i + 1, 2 * j + 1
    a, b, c = (tuple(logits) for logits in rng.permutation(5 * np.eye(3)))
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
        edge = whole(rng, 0, 7)
        for anchor, begin in enumerate((-40, -2)):  # of 48 x 8 and 10 x 8: IoU .21
            box, own = rows((begin, 8 * edge, 8, 8 * edge + 8))[0], anchors[0][24 * edge + anchor]
            plant(maps[0], image, anchor, edge, 0, tuple(offsets(box, own)),
                  float(rng.uniform(1, 2)), c)
        # Two of two classes are one box where a class is moved by the size of the image, or by the
        # largest coordinate and a pixel.
        first = whole(rng, 0, 1)
        for cell, begin in enumerate((207, -17)):
            box, own = rows((begin, begin, begin + 16, begin + 16))[0], anchors[2][3 * cell + 1]
            plant(maps[2], image, 1, 0, cell, tuple(offsets(box, own)), float(rng.uniform(1, 2)),
                  tuple(5 * np.eye(3)[first + cell]))
    return [maps, anchors, 0.05, limit]


def _two_limits(rng):
    # 16x16 moved by 4: IoU 12 / 20 = .6; by 6: 10 / 22 = .45. No other limit is right for both.
    asked = (4, 0.7), (6, 0.3)
    first, (maps, anchors, *limits) = (_crowded(rng, *asked[i]) for i in rng.permutation(2))
    # Anchors of the same numbers lie elsewhere: whoever has kept the first ones answers them.
    return calls("problem1", DECODE, first, [maps, [a + 1 for a in anchors], *limits])


@check("1.19.3", "P1.decode.nms", _two_limits)
def test_nms_per_class_over_all_maps(answer, expected):
    """NMS with `nms_threshold` runs within a class, over all maps of an image together."""
    for result, right in zip(sequence(answer, 2, "the results"), expected):
        for (name,), (got,), (want,) in _detections(result, right, "boxes"):
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
    # One is half a pixel high, one lies out of the image: neither the size nor the place counts.
    size, away = float(np.log(1 / 32)), 8.0 * rng.choice([-1, 1], 2)
    plant(maps[1], 0, 0, *rng.integers(0, 4, 2), (0, 0, size, size), 1.0, logits)
    plant(maps[1], 0, 1, *rng.integers(0, 4, 2), (*away, 0, 0), 1.5, logits)
    plant(maps[0], 0, 0, *last, (0, 0, 0, 0), 2.0, (0.0, 0.0, 0.0))  # .88, but of no class
    for cell, other in enumerate(np.roll(logits, turn) for turn in (1, 2)):  # no class is missing
        plant(maps[2], 0, 0, cell, cell, (0, 0, 0, 0), 1.2 + 0.5 * cell, tuple(other))
    # All likewise with a lower threshold, below which none of the three equal ones falls.
    lower = [of_map.copy() for of_map in maps]
    for of_map in lower:
        of_map[:, 4::8] -= 4
    asked = [maps, anchors, 0.5], [lower, anchors, float(1 / (1 + np.exp(4.05)))]
    return calls("problem1", DECODE, *(asked[i] for i in rng.permutation(2)))


@check("1.19.4", "P1.decode.threshold", _thresholded)
def test_score_threshold(answer, expected):
    """A score equal to the threshold is kept, a lower one is not."""
    for result, right in zip(sequence(answer, 2, "the results"), expected):
        for (name,), (got,), (want,) in _detections(result, right, "scores"):
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
    hundreds = _hundreds(rng)
    asked = [[*_many(rng), 0.05, 0.5, whole(rng, 5, 8)], [*hundreds],
             [*hundreds, 0.05, 0.5, whole(rng, 110, 120)]]
    return calls("problem1", DECODE, *(asked[i] for i in rng.permutation(3)))


@check("1.19.5", "P1.decode.best", _limited)
def test_best_detections(answer, expected, question):
    """Detections come sorted by score, at most max_detections of an image."""
    for result, right, (_, _, *limits) in zip(sequence(answer, 3, "the results"), expected,
                                              question.inputs["argument_lists"]):
        limited = f"with {limits[-1]} detections at most" if limits else "with the default limits"
        for (name,), (got,), (want,) in _detections(result, right, "boxes"):
            close(got, want, f"{name}, {limited}", atol=1e-3,
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


@check("1.19.6", "P1.decode.empty", _some_empty)
def test_images_without_detections(answer, expected):
    """An image in which nothing is found has boxes [0, 4] and empty scores, labels and maps."""
    for _ in _detections(answer, expected, *expected[0]):
        pass  # the shapes are right
