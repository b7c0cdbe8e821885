"""Tasks 1.9, 1.10 and 1.12: NMS, decoding, average precision, which map finds which class."""

import math

import numpy as np

from datasets.constants import CLASSES, IMAGE_SIZE, MAP_SIZES

from ...engine.check import Question, calls, check, pure
from ...engine.compare import Wrong, array, close, entries, equal, kind, sequence
from .asking import call1
from .inputs import boxes, offsets, pictures, plant, quiet_map, rows, shift, square_grid

NMS, DECODE, AP = "utils.nms", "evaluate.decode_predictions", "evaluate.compute_ap"


def _scores(rng, *values):
    """Scores in the given order of rank, at random heights."""
    heights = np.sort(rng.uniform(0.1, 0.9, max(values) + 1))[::-1]
    return np.array([heights[v] for v in values], dtype=np.float32)


def _kept(answer, expected):
    if isinstance(answer, list) and not answer:  # an empty list has no dtype to be wrong
        answer = np.zeros(0, np.int64)
    got = array(answer, "the kept indices", None, "int64")
    if got.shape != expected.shape or not np.array_equal(got, expected):
        shown = got.tolist() if got.size <= 2 * expected.size + 8 else kind(got)
        raise Wrong(f"the kept indices should be {expected.tolist()}, best first, but are {shown}.")


def _chain(rng):
    # IoU 10x16 / (2 * 256 - 160) = .45 between neighbours of the chain, 64 / 448 = .14 beyond.
    # Best first: the middle one (index 2) removes both neighbours, the ends stay.
    chain = rows((0, 0, 16, 16), (6, 0, 22, 16), (12, 0, 28, 16), (18, 0, 34, 16), (24, 0, 40, 16))
    return pure(call1(NMS, shift(chain, rng), _scores(rng, 3, 2, 0, 1, 4), 0.4))


@check("1.9.1", "P1.nms.greedy", _chain)
def test_nms(answer, expected):
    """The best box removes those that overlap it too much; a removed box removes nothing."""
    _kept(answer, expected)


@check("1.9.2", "P1.nms.threshold", lambda rng: call1(
    # IoU exactly 1/2 and exactly 3/4 with the best
    NMS, shift(rows((0, 0, 16, 8), (0, 0, 16, 16), (0, 0, 16, 12)), rng), _scores(rng, 1, 0, 2),
    0.5))
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
    _kept(answer, expected)


@check("1.9.4", "P1.nms.empty", lambda rng: calls(
    "problem1", NMS, [boxes(rng, 0), np.zeros(0, np.float32), 0.5],
    [boxes(rng, 1), _scores(rng, 0), 0.5],
    [boxes(rng, 1)[:, [0, 1, 0, 1]], _scores(rng, 0), 0.5]))  # without area, IoU 0 with itself
def test_nms_of_none_or_one(answer, expected):
    """No boxes give no indices, one box gives [0]."""
    for got, want in zip(answer, expected):
        _kept(got, want)


def _decode_scene(rng, images=2):
    """Three quiet maps of a 64-pixel image and their anchors."""
    sides, scales = (8, 4, 2), ([8, 12, 16], [16, 24, 32], [32, 40, 48])
    maps = [quiet_map(images, 3, side) for side in sides]
    return maps, [square_grid(s, k, 64) for s, k in zip(sides, scales)]


def _planted(rng):
    """One object per map of image 0, far apart, and one in image 1."""
    maps, anchors = _decode_scene(rng)
    offsets = rng.normal(0, 0.3, (4, 4)).astype(np.float32)
    for index, (image, row, column) in enumerate(((0, 1, 6), (0, 3, 0), (0, 0, 0), (1, 5, 2))):
        logits = tuple(rng.permutation([3.0, 0.5, -1.0]))
        plant(maps[index % 3], image, int(rng.integers(0, 3)), row, column,
              tuple(offsets[index]), 2.0 - 0.5 * index, logits)
    return call1(DECODE, maps, anchors)


def _detections(answer, expected, *names, atol=1e-3):
    for image, (got, want) in enumerate(
            zip(sequence(answer, len(expected), "the list of images"), expected)):
        fields = entries(got, names, f"the detections of image {image}")
        for name, value in zip(names, fields):
            label = f"{name} of image {image}"
            if name in ("labels", "maps"):
                equal(value, want[name], label)
            else:
                close(value, want[name], label, atol=atol, where=lambda p: f"detection {p[0]}")


@check("1.9.5", "P1.decode.score", _planted)
def test_decoded_scores_and_boxes(answer, expected):
    """The score is sigmoid(objectness) * max softmax(class logits); boxes decode their anchor."""
    _detections(answer, expected, "scores", "labels", "boxes")


@check("1.9.6", "P1.decode.maps", _planted)
def test_decoded_maps(answer, expected):
    """`maps` names the feature map (0, 1, 2) that each detection came from."""
    _detections(answer, expected, "maps")


def _crowded(rng):
    """The same place claimed by two maps, two cells of one map, and two classes."""
    maps, anchors = _decode_scene(rng, images=1)
    # 16x16 around (28, 28) on map 0, and moved onto it from map 1, whose cell centre is (24, 24)
    plant(maps[0], 0, 2, 3, 3, (0, 0, 0, 0), 3.0, (5.0, 0.0, 0.0))
    plant(maps[1], 0, 0, 1, 1, (0.25, 0.25, 0, 0), float(rng.uniform(1, 2)), (5.0, 0.0, 0.0))
    plant(maps[0], 0, 2, 3, 4, (-0.5, 0, 0, 0), 0.8, (5.0, 0.0, 0.0))
    plant(maps[0], 0, 1, 3, 3, (0, 0, 0.3, 0.3), 0.5, (0.0, 5.0, 0.0))
    plant(maps[2], 0, 0, 1, 1, (0, 0, 0, 0), float(rng.uniform(-1, 0)), (0.0, 0.0, 5.0))
    return call1(DECODE, maps, anchors)


@check("1.9.7", "P1.decode.nms", _crowded)
def test_nms_per_class_over_all_maps(answer, expected):
    """NMS runs within a class, and over all maps together."""
    _detections(answer, expected, "scores", "labels")


def _thresholded(rng):
    # objectness 0 and one dominant class: a score of exactly .5 * 1
    maps, anchors = _decode_scene(rng, images=1)
    column = int(rng.integers(0, 8))
    plant(maps[0], 0, 0, 0, column, (0, 0, 0, 0), 0.0, (200.0, 0.0, 0.0))
    plant(maps[0], 0, 0, 4, column, (0, 0, 0, 0), -0.1, (200.0, 0.0, 0.0))
    plant(maps[0], 0, 0, 7, column, (0, 0, 0, 0), 0.1, (200.0, 0.0, 0.0))
    plant(maps[0], 0, 0, 2, column, (0, 0, 0, 0), 2.0, (0.0, 0.0, 0.0))  # .88, but of no class
    return call1(DECODE, maps, anchors, score_threshold=0.5)


@check("1.9.8", "P1.decode.threshold", _thresholded)
def test_score_threshold(answer, expected):
    """A score equal to the threshold is kept, a lower one is not."""
    _detections(answer, expected, "scores")


def _many(rng):
    maps, anchors = _decode_scene(rng, images=1)
    for index, height in enumerate(rng.permutation(20)):
        cell = index // 8 * 2, index % 8
        plant(maps[0], 0, 0, *cell, (0, 0, 0, 0), float(height) / 8, (200.0, 0.0, 0.0))
        if height >= 16:  # the same box from the next anchor: NMS makes room for one that is lower
            size = float(np.log(8 / 12))
            plant(maps[0], 0, 1, *cell, (0, 0, size, size), height / 8 - 1 / 16, (200.0, 0.0, 0.0))
    return call1(DECODE, maps, anchors, max_detections=7)


@check("1.9.9", "P1.decode.best", _many)
def test_best_detections(answer, expected):
    """Detections come sorted by score, at most max_detections of an image."""
    _detections(answer, expected, "scores", "boxes")


@check("1.9.10", "P1.decode.empty", lambda rng: call1(DECODE, *_decode_scene(rng, 3)))
def test_images_without_detections(answer, expected):
    """An image in which nothing is found has boxes [0, 4] and empty scores, labels and maps."""
    _detections(answer, expected, "boxes", "scores", "labels", "maps")


def _ap(rng, images, **options):
    """`images`: per image (detections, ground truths), a detection being (box, score)."""
    predictions, truths = [], []
    for detections, truth in images:
        predictions.append({
            "boxes": rows(*(box for box, _ in detections)).reshape(-1, 4),
            "scores": np.array([score for _, score in detections], np.float32)})
        truths.append(rows(*truth).reshape(-1, 4))
    move = rng.integers(0, 60, 2)
    offset = np.array([*move, *move], np.float32)
    return call1(AP, [{**p, "boxes": p["boxes"] + offset} for p in predictions],
                 [t + offset for t in truths], arrays_too=True, **options)


A, B, C, FAR = (0, 0, 16, 16), (40, 0, 56, 16), (80, 0, 96, 16), (0, 90, 16, 106)


def _value(answer, expected):
    close(answer, np.asarray(expected), "AP", atol=1e-4)


@check("1.10.1", "P1.ap.area", lambda rng: _ap(rng, [
    # hit, miss, hit: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: AP = 1/2 + 1/2 * 2/3 = 5/6
    ([(A, 0.9), (FAR, 0.8), (B, 0.7)], [A, B])]))
def test_area(answer, expected):
    """AP is the whole area under the interpolated curve: hit, miss, hit gives 5/6."""
    _value(answer, expected)


@check("1.10.2", "P1.ap.interpolation", lambda rng: _ap(rng, [
    # miss, hit, hit, miss, hit: precision at the hits 1/2, 2/3, 3/5, from the right 2/3, 2/3, 3/5
    ([(FAR, 0.9), (A, 0.8), (B, 0.7), (FAR, 0.6), (C, 0.5)], [A, B, C])]))
def test_interpolation(answer, expected):
    """Precision at a recall is the highest precision at that recall or beyond."""
    _value(answer, expected)


@check("1.10.3", "P1.ap.perfect", lambda rng: _ap(
    rng, [([(A, float(rng.uniform(0.2, 0.9)))], [A])]))
def test_one_perfect_box(answer, expected):
    """One object found by one box has AP 1: no epsilon, and the curve starts at recall 0."""
    _value(answer, expected)


@check("1.10.4", "P1.ap.once", lambda rng: _ap(rng, [
    ([(A, 0.9), ((0, 0, 16, 15), 0.8), (B, 0.6)], [A, B])]))
def test_found_once(answer, expected):
    """An object counts once: a second detection of it is a false positive."""
    _value(answer, expected)


@check("1.10.5", "P1.ap.unmatched", lambda rng: _ap(rng, [
    # The second detection overlaps X with 7/9 and Y with 3/5; X is taken, so that it gets Y.
    ([((0, 0, 16, 16), 0.9), ((2, 0, 18, 16), 0.8)], [(0, 0, 16, 16), (6, 0, 22, 16)])]))
def test_still_unmatched(answer, expected):
    """A detection goes to the unmatched object with the highest IoU, even if a taken one fits it
    better."""
    _value(answer, expected)


@check("1.10.6", "P1.ap.images", lambda rng: _ap(rng, [
    ([(B, 0.9), (A, 0.5)], [A]), ([(A, 0.8)], [B]), ([], [C]), ([(C, 0.7)], [])]))
def test_own_image(answer, expected):
    """A detection can find only objects of its own image, and all images are ranked together."""
    _value(answer, expected)


@check("1.10.7", "P1.ap.none", lambda rng: _ap(rng, [([], [A]), ([], [B, C])]))
def test_without_predictions(answer, expected):
    """Ground truth without any prediction gives 0.0."""
    _value(answer, expected)


@check("1.10.8", "P1.ap.nan", lambda rng: _ap(
    rng, [([(A, float(rng.uniform(0.2, 0.9)))], []), ([], [])]))
def test_without_ground_truth(answer, expected):
    """Without any ground truth AP is nan."""
    value = array(answer, "AP")
    if value.size != 1 or not math.isnan(float(value.reshape(()))):
        shown = value.item() if value.size == 1 else kind(value)
        raise Wrong(f"AP should be nan without ground truth, but is {shown}.")


@check("1.10.9", "P1.ap.threshold", lambda rng: _ap(rng, [
    # IoU exactly 3/4 and exactly 1/2
    ([((0, 0, 16, 12), 0.9), ((40, 0, 56, 8), 0.8)], [A, B])], iou_threshold=0.75))
def test_threshold(answer, expected):
    """An IoU equal to iou_threshold counts as found."""
    _value(answer, expected)


def _all_equal(rng):
    """An image with nine objects, found in random order between nine misses, all with score .5."""
    objects = [(40 * (i % 3), 40 * (i // 3), 40 * (i % 3) + 16, 40 * (i // 3) + 16)
               for i in range(9)]
    found = rng.permutation([*range(9), *[-1] * 9])
    return [(objects[i] if i >= 0 else (0, 130, 16, 146), 0.5) for i in found], objects


@check("1.10.10", "P1.ap.ties", lambda rng: _ap(rng, [_all_equal(rng), _all_equal(rng)]))
def test_equal_scores(answer, expected):
    """Equal scores are taken in image order, then in list order."""
    _value(answer, expected)


def _scale_scene(rng):
    """Five images, each with three detections that count and some that do not."""
    sides, scales = (14, 7, 4), ([16, 24, 32], [48, 64, 80], [96, 128, 160])
    maps = [quiet_map(5, 3, side) for side in sides]
    anchors = [square_grid(s, k, IMAGE_SIZE) for s, k in zip(sides, scales)]
    a, b, c = (int(label) for label in rng.permutation(3))
    targets = []
    # counts of the classes a, b, c: map 0 has 3, 1, 2; map 1 has 1, 2, 1; map 2 has 2, 3, 0
    for image, (label, other) in enumerate(((a, b), (b, c), (b, a), (c, a), (a, c))):
        cells = [list(rng.permutation(side**2)) for side in sides]
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

        first, second, third = np.roll(range(3), image)
        detect(first, tiles[0], 3.0, right=0.7)  # IoU .7: counts
        detect(first, tiles[1], 3.0, right=0.4)  # IoU .4
        detect(second, tiles[2], 0.0, logit=200.0)  # a score of exactly .5 * 1: counts
        detect(third, tiles[3], -0.5)  # a score of .38
        detect(first, tiles[4], 4.0, right=0.6)  # IoU .6 with the object: counts
        detect(third, tiles[4], 3.0, left=0.4)  # .6 as well, but the object has been found
        detect(first, tiles[5], 3.0, label=other)  # another class, of which there is no object
        targets.append({"boxes": np.stack(tiles), "labels": np.full(6, label)})
    return Question("problem1", "scale_performance", {
        "maps": maps, "anchors": anchors, "targets": targets, "batch_size": 4})


@check("1.12.1", "P1.scale.counts", _scale_scene)
def test_scale_counts(answer, expected):
    """True positives (score and IoU at least .5, right class) are counted by map and class."""
    names = [f"{side}x{side}" for side in MAP_SIZES], CLASSES
    equal(answer["counts"], expected["counts"], "the counts", "integer",
          where=lambda p: f"map {names[0][p[0]]}, {names[1][p[1]]}s")


@check("1.12.2", "P1.scale.picture", _scale_scene)
def test_scale_picture(answer, expected):
    """The counts are drawn to results/visualizations/scale_performance.png."""
    if answer["picture"] is not True:
        raise Wrong("results/visualizations/scale_performance.png was not written as a picture.")


def _detections_picture(rng):
    detection = {"boxes": boxes(rng, 2), "scores": _scores(rng, 0, 1),
                 "labels": np.array([0, 2]), "maps": np.array([0, 1])}
    return Question("problem1", "picture", {"function": "evaluate.visualize_detections", "args": [
        pictures(rng, 1, 3, IMAGE_SIZE)[0], detection,
        {"boxes": boxes(rng, 2), "labels": np.array([0, 2])}]})


@check("1.12.3", "P1.scale.detections", _detections_picture)
def test_detections_picture(answer, expected):
    """visualize_detections writes a picture to save_path."""
    if answer is not True:
        raise Wrong("visualize_detections wrote no picture to save_path.")
