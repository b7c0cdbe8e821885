"""Task 1.12: which map finds which class."""

import numpy as np

from datasets.constants import CLASSES, IMAGE_SIZE, MAP_SIZES

from ...engine.check import Question, check, pure
from ...engine.compare import equal
from .inputs import offsets, plant, quiet_map, rows, square_grid, whole
from .pictures import BLOCK, SIDES, blocks, drawn, follow, interiors, nodes, outlines, shows


def _scale_scene(rng):
    """A few images, each with seven detections that count and some that do not."""
    images = whole(rng, 5, 7)
    counts = np.zeros((3, 3), np.int64)
    while (counts == counts.T).all():  # rows and columns shall not be the same
        labels, orders = rng.integers(0, 3, images), [rng.permutation(3) for _ in range(images)]
        counts[:] = 0
        for label, (first, second, third) in zip(labels, orders):
            counts[first, label] += 2
            counts[second, label] += 2
            counts[third, label] += 2
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
                 8 + 56 * np.stack(np.divmod(rng.permutation(16)[:7], 4), axis=1)]

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
        detect(first, tiles[1], 3.0, right=0.48)  # IoU .48: the object stays free
        detect(third, tiles[1], 2.5, left=0.35)  # .65: counts
        detect(second, tiles[2], 0.0, logit=200.0)  # a score of exactly .5 * 1: counts
        detect(second, tiles[3], -0.1)  # a score of .47
        detect(first, tiles[4], 4.0, right=0.6)  # IoU .6 with the object: counts
        detect(third, tiles[4], 3.0, left=0.3)  # .7, but the object has been found
        detect(first, tiles[5], 3.0, label=other)  # another class, of which there is no object
        # Two objects that overlap: the second detection fits the first one better, which is taken,
        # and finds the other one (.7 and .63).
        *tiles, last = tiles
        tiles += [last + rows((0, 0, -10, 0))[0], last + rows((10.5, 0, 0.5, 0))[0]]
        detect(second, last, 4.0, right=0.45)
        detect(third, last, 3.0, left=0.206, right=0.769)
        # Within the image its detection is an object at the border; its IoU is 7 / 15.
        top = 8 + 56 * whole(rng, 0, 3)
        border = rows((0, top, 7, top + 40), (-8, top, 7, top + 40))
        detect(first, border[1], 3.0)
        plant(maps[0], image, 0, *divmod(between, 14), (0, 0, 0, 0), 3.0,
              tuple(np.where(np.arange(3) == label, 6.0, 0.0)))  # IoU exactly .5: counts
        targets.append({"boxes": np.stack([*tiles, tall, border[0]]), "labels": np.full(10, label)})
    return pure(Question("problem1", "scale_performance", {
        "maps": maps, "anchors": anchors, "targets": targets, "batch_size": 4}))


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
    # Equal counts are never drawn one after the other: what is drawn over another picture shows.
    first, second = rng.permutation([whole(rng, 1, 2), 3])
    which = [0, first, 0, second] if whole(rng, 0, 1) else [0, first, second, 0]
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


NODES = IMAGE_SIZE // BLOCK + 1  # not those of the course: sizes come from the image


def _boxes_on_nodes(rng, count):
    """Corners (column, row, column, row) of boxes of 4 to 7 nodes a side."""
    sizes = rng.integers(3, 7, (count, 2))
    corners = rng.integers(1, NODES - 1 - sizes)
    return np.concatenate([corners, corners + sizes], axis=1)


def _detections_picture(rng):
    while True:  # until each has much of its outlines, and both of their insides, for itself
        found, truth, other = (nodes(_boxes_on_nodes(rng, int(rng.integers(2, 4))))
                               for _ in range(3))
        both = outlines(found, NODES), outlines(truth, NODES)
        within = [interiors(some, NODES) & ~(both[0] | both[1]) for some in (found, truth)]
        if (min((both[0] & ~both[1]).sum(), (both[1] & ~both[0]).sum(),
                (outlines(other, NODES) & ~(both[0] | both[1])).sum()) > 20
                and min((within[0] & ~within[1]).sum(), (within[1] & ~within[0]).sum()) > 4):
            break
    detections = [{"boxes": some, "labels": np.arange(len(some)), "maps": np.arange(len(some)),
                   "scores": np.linspace(0.9, 0.1, len(some), dtype=np.float32)}
                  for some in (other, found)]
    targets = [{"boxes": some, "labels": np.arange(len(some))} for some in (other, truth)]
    first, second = blocks(rng, 3, NODES)
    return Question("problem1", "pictures", {
        "function": "evaluate.visualize_detections", "sides": SIDES, "argument_lists": [
            [image, detections[i], targets[i]] for image, i in (
                (second, 0), (first, 1), (second, 1))]})


@check("1.12.3", "P1.scale.detections", _detections_picture)
def test_detections_picture(answer, question):
    """visualize_detections draws the image, the detections and the ground truth to save_path."""
    (_, before, _), (image, found, truth), _ = question.inputs["argument_lists"]
    shows(answer, "visualize_detections", image,
          {"detections": found["boxes"], "ground truth": truth["boxes"]}, before["boxes"])
