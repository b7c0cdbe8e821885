"""Tasks 1.15, 1.16 and 1.17: anchor coverage, feature maps, which map finds which size."""

import numpy as np

from datasets.constants import IMAGE_SIZE, MAP_SIZES

from ...engine.check import Question, calls, check, pure
from ...engine.compare import Wrong, array, close, entries, equal, sequence
from ..measure import iou_matrix
from .asking import call1
from .inputs import beside, boxes, rows, shift, whole
from .pictures import BLOCK, SIDES, blocks, nodes, outlines, shows

COVERAGE, SIZES = "analysis.anchor_coverage", "analysis.size_breakdown"
ROWS = 16  # an object has so many; of an anchor or a detection that has h of them the IoU is h / 16
BELOW = 1 / 8  # of a row


def _coverage(answer, expected):
    array(answer, "the coverage", expected.shape, "float")
    close(answer, expected, "the coverage", where=lambda p: f"map {p[0]}, class {p[1]}")


def _heights(rng, limit):
    """Ten objects, of which an anchor of each map has h rows: IoU h / 16, also exactly the limit
    and just below it. Some objects have two anchors on a map, some none."""
    maps, count = whole(rng, 2, 4), 10
    corners = np.stack([20 + 44 * np.arange(count) % 200, 50 * (np.arange(count) // 5)], axis=1)
    objects = np.concatenate([corners, corners + [(whole(rng, 17, 40), ROWS)] * count], axis=1)
    anchors = []
    for _ in range(maps):
        heights = rng.permutation([limit, limit, *[limit - BELOW] * 2, limit + 1, 16, 0, 0,
                                   *rng.integers(limit - 4, 17, 2)])
        seen = [(*o[:3], o[1] + h) for o, h in zip(objects, heights) if h]
        again = [(*o[:3], o[1] + h - 1) for o, h in zip(objects, heights) if h > limit]
        anchors.append(rng.permutation(np.array(seen + again, np.float32)))
    labels = rng.permutation([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
    targets = _images(rng, objects.astype(np.float32), labels, whole(rng, 2, 3))
    # In one image all objects are there twice: an anchor fits as many as overlap it.
    most = max(range(len(targets)), key=lambda image: len(targets[image]["labels"]))
    targets[most] = {key: np.concatenate([part, part]) for key, part in targets[most].items()}
    return [anchors, targets]


def _limits(rng):
    """The default threshold, a lower and a higher one."""
    asked = [_heights(rng, ROWS // 2), *([*_heights(rng, limit), limit / ROWS]
                                         for limit in (whole(rng, 5, 7), whole(rng, 9, 12)))]
    return calls("problem1", COVERAGE, *(asked[i] for i in rng.permutation(3)))


def _images(rng, objects, labels, count):
    """The objects in so many images at random, between which there is one that has none."""
    image = rng.integers(0, count, len(objects))
    image += image >= whole(rng, 1, count - 1)
    return [{"boxes": objects[image == i], "labels": labels[image == i].astype(np.int64)}
            for i in range(count + 1)]


@check("1.15.1", "P1.coverage.share", _limits)
def test_coverage_share(answer, expected):
    """An entry is the share of a class's objects that an anchor of a map overlaps enough."""
    for got, want in zip(sequence(answer, 3, "the results"), expected):
        _coverage(got, want)


def _unequal_images(rng):
    """Of one image all objects fit, of another one few, and they have other numbers of objects."""
    objects, count = boxes(rng, 24, 30, 90), whole(rng, 4, 6)
    targets = _images(rng, objects, rng.permutation(np.arange(24) % 3), count)
    easy = max(targets, key=lambda target: -len(target["boxes"]) or -99)["boxes"]
    anchors = [np.concatenate([beside(rng, objects, whole(rng, 4, 9)), some])
               for some in (easy + np.float32(1), boxes(rng, whole(rng, 5, 9)))]
    return pure(call1(COVERAGE, anchors, targets))


@check("1.15.2", "P1.coverage.images", _unequal_images)
def test_coverage_of_images(answer, expected):
    """The objects of all images count alike, and images may be without objects."""
    _coverage(answer, expected)


def _other_classes(rng):
    classes = whole(rng, 4, 6)
    objects = boxes(rng, 12, 30, 90)
    some = rng.permutation(classes - 1)[:classes - 2]  # the last class is missing, and another one
    return call1(COVERAGE, [beside(rng, objects, count) for count in (9, 7, 5)],
                 _images(rng, objects, rng.permutation(some[np.arange(12) % len(some)]), 3),
                 num_classes=classes)


@check("1.15.3", "P1.coverage.classes", _other_classes)
def test_coverage_of_classes(answer, expected):
    """num_classes sets the number of columns, and a class without objects has nan."""
    _coverage(answer, expected)


NODES = IMAGE_SIZE // BLOCK + 1  # not those of the course: sizes come from the image


def _coverage_picture(rng):
    """Two objects and two maps of anchors, of which one fits each best; on one map it has an IoU of
    .2 to .3. Others, small ones, lie everywhere, and two are larger than the best."""
    while True:  # until each has much of its outlines for itself
        corners = np.array([rng.integers(0, 3, 2), rng.integers(6, 8, 2)])[:, ::whole(rng, 0, 1)
                                                                           or -1]
        objects = np.concatenate([corners, corners + rng.integers(4, 6, (2, 2))], axis=1)
        best = [objects + rng.integers(-1, 2, objects.shape),
                objects + np.tile(rng.choice([-2, -1, 1, 2], (2, 2)), 2)]
        best = [np.clip(some, 0, NODES - 1) for some in best]
        poor = np.diagonal(iou_matrix(nodes(best[1]), nodes(objects)))
        if poor.min() < 0.2 or poor.max() > 0.3:
            continue
        marks = [outlines(nodes(some), NODES) for some in (objects, *best)]
        alone = [mark & ~np.logical_or.reduce(marks[:i] + marks[i + 1:])
                 for i, mark in enumerate(marks)]
        corners = rng.integers(0, NODES - 5, (2, 2))
        other = nodes(np.concatenate([corners, corners + rng.integers(4, 6, (2, 2))], axis=1))
        alone.append(outlines(other, NODES) & ~np.logical_or.reduce(marks))
        if min(map(np.sum, alone)) > 5:
            break
    best = best[::whole(rng, 0, 1) or -1]
    small = nodes([(x, y, x + 1, y + 1) for x in range(NODES - 1) for y in range(NODES - 1)])
    large = nodes([(0, 0, NODES - 1, NODES - 1), (0, 1, NODES - 1, NODES - 2)])
    anchors = [rng.permutation(np.concatenate([nodes(some), small[i::2], large]))
               for i, some in enumerate(best)]
    first, second = blocks(rng, 3, NODES)
    return Question("problem1", "pictures", {
        "function": "analysis.draw_anchor_coverage", "sides": SIDES, "argument_lists": [
            [image, anchors, {"boxes": some, "labels": np.array([1, 0])}] for image, some in (
                (second, other), (first, nodes(objects)), (second, nodes(objects)))]})


@check("1.15.4", "P1.coverage.picture", _coverage_picture)
def test_coverage_picture(answer, question):
    """draw_anchor_coverage draws the objects, and of each map the anchor that fits each best."""
    (*_, before), (image, anchors, target), _ = question.inputs["argument_lists"]
    best = [some[iou_matrix(some, target["boxes"]).argmax(axis=0)] for some in anchors]
    shows(answer, "draw_anchor_coverage", image, {
        "objects": target["boxes"],
        **{f"best anchors of map {i}": some for i, some in enumerate(best)}}, before["boxes"])


def _feature_maps(*kinds, training=(False,), fewest=2):
    """Calls of capture_feature_maps on one small network: `right`, `unknown` (a name) or `raises`
    (the network, on images of another number of channels).

    Args:
        training: whether the network is in training mode, in turns.
        fewest: images of the first call.
    """
    def ask(rng):
        asked = []
        for i in rng.permutation(len(kinds)):
            kind = kinds[i]
            shape = (whole(rng, 2, 4) if i else fewest, 4 if kind == "raises" else 3, 12,
                     4 * whole(rng, 4, 6))
            # Those behind which a layer works in place come first; all lie before the last one.
            names = [f"trunk.{i}" for i in (1, 3, *rng.permutation([0, 2, 4, 5, 7, 10])[:3])]
            names.append(f"heads.{whole(rng, 0, 1)}.0")
            if kind == "unknown":
                names[whole(rng, 1, 5)] = str(rng.choice(["trunk.11", "head.0", "stem"]))
            asked.append({"images": rng.uniform(0, 1, shape).astype(np.float32), "layers": names,
                          "raises": kind != "right", "training": training[i % len(training)]})
        return Question("problem1", "feature_maps", {"seed": whole(rng, 0, 10**6), "asked": asked})
    return ask


def _alike(value, right):
    """Whether a map shows what the right one shows, however it was reduced."""
    if not isinstance(value, np.ndarray) or value.shape != right.shape:
        return False
    with np.errstate(invalid="ignore"):
        return np.corrcoef(value.ravel().astype(np.float64), right.ravel())[0, 1] > 0.5


def _features(answer, expected):
    for got, want in zip(sequence(answer, len(expected), "the answers"), expected):
        for name, value, right in zip(want["maps"], entries(got["maps"], list(want["maps"]),
                                                            "the result"), want["maps"].values()):
            close(value, right, f"the map of layer {name!r}", atol=1e-4,
                  where=lambda p: f"image {p[0]}, row {p[1]}, column {p[2]}")


@check("1.16.1", "P1.features.mean", _feature_maps("right", "right", fewest=1))
def test_feature_maps(answer, expected):
    """The map of a layer is the mean over its channels of the absolute values it returns."""
    _features(answer, expected)
    for got, want in zip(answer, expected):
        for name, right in want["maps"].items():
            array(got["maps"][name], f"the map of layer {name!r}", right.shape, "float32")


@check("1.16.2", "P1.features.mode", _feature_maps("right", "right", training=(True,)))
def test_feature_maps_in_evaluation_mode(answer, expected):
    """The model answers in evaluation mode, and the maps need no gradient."""
    _features(answer, expected)
    for got in answer:
        if got["gradients"]:
            raise Wrong("the maps need a gradient, so that they keep the whole pass in memory.")


@check("1.16.3", "P1.features.left", lambda rng: pure(_feature_maps(
    "right", "right", "raises", "unknown", "unknown", "raises", training=(True, False))(rng)))
def test_what_is_left_on_the_model(answer, expected):
    """The model keeps its mode and no hooks, also where the call raises."""
    answer = sequence(answer, len(expected), "the answers")
    if not any(_alike(got["maps"].get(name), right) for got, want in zip(answer, expected)
               if isinstance(got["maps"], dict) for name, right in (want["maps"] or {}).items()):
        raise Wrong("no map is like that of a layer, so that nothing is known of what the call "
                    "leaves.")
    # Those that went well first, and of these the one that changes the modes of most modules.
    for got in sorted(answer, key=lambda got: (bool(got["raised"]), -len(got["training"]))):
        when = f"after a call that {'raised' if got['raised'] else 'went well'}"
        if got["hooks"]:
            raise Wrong(f"{got['hooks']} hooks are left on the model {when}." if got["hooks"] > 0
                        else f"hooks that were on the model before are gone {when}.")
        for key, what, more in (("training", "the mode of the module", " ('' is the model itself)"),
                                ("trainable", "requires_grad of the parameter", "")):
            if got[key]:
                raise Wrong(f"{what} {got[key][0]!r} is another one than before {when}; so it is "
                            f"with {len(got[key])} in all{more}.")


@check("1.16.4", "P1.features.unknown", _feature_maps("right", "unknown", "unknown"))
def test_unknown_layer(answer, expected, question):
    """An unknown name is a ValueError that names it."""
    for got, asked in zip(sequence(answer, len(expected), "the answers"), question.inputs["asked"]):
        if not asked["raises"]:
            continue  # its maps 1.16.1 asks
        if got["raised"] != "ValueError":
            raise Wrong("an unknown name should raise ValueError, but raised "
                        f"{got['raised'] or 'no exception'}.")
        if not got["named"]:
            raise Wrong(f"the text of the ValueError should name what is unknown: layers were "
                        f"{asked['layers']}.")


def _sizes(answer, expected):
    got = sequence(answer, 2, "the result")
    for value, want, name in [*zip(got, expected, ("found", "objects"))][::-1]:  # simpler first
        equal(value, want, name, "integer", where=lambda p: (
            f"map {MAP_SIZES[p[0]]}x{MAP_SIZES[p[0]]}, " if len(p) > 1 else "") + f"bin {p[-1]}")


# Width and height of objects by the root of their product, in pixels. Those that are an edge are
# exact in the product of two roots as well.
SIDE_BY_SIDE = {16: [(16, 16), (32, 8)], 24: [(16, 36), (36, 16)], 30: [(25, 36), (36, 25)],
                39: [(38.75, 38.75), (39.75, 39.75)], 40: [(25, 64), (64, 25)]}
KINDS = ("found", "found", "twice", "again", "scored low", "off", "missed")


def _scene(rng, shapes, limit=8, least=0.5, maps=3, begin=4, kinds=KINDS):
    """Objects of these shapes in tiles of 64 pixels, with detections of these kinds: `limit` of the
    16 rows of an object and a score of `least` are enough. One image, whose tiles `begin` there."""
    corners = begin + 68 * np.stack(np.divmod(rng.permutation(9)[:len(shapes)], 3), axis=1)
    objects = np.concatenate([corners, corners + shapes], axis=1).astype(np.float32)
    labels = rng.integers(0, 3, len(shapes))
    seen = []

    def see(box, label, height, score):
        box = (*box[:3], box[1] + (box[3] - box[1]) * height / ROWS)
        seen.append((score, whole(rng, 0, maps - 1), label, *box))

    for box, label, kind in zip(objects, labels, rng.permutation(kinds + kinds)):
        high, low = rng.uniform(least + 0.02, 0.99, 2), rng.uniform(0.1, least - 0.02)
        if kind in ("found", "twice", "again"):
            see(box, label, whole(rng, limit + 1, 14), high.max())
        if kind in ("twice", "again"):  # a better box with a lower score
            see(box, label, 16, high.min())
        if kind == "again":
            see(box, label, limit + 1, least + 0.01)
        if kind == "scored low":
            see(box, label, 16, low)
        if kind == "off":
            see(box, label, limit - 2, high[0])
        if kind == "another class":
            see(box, (label + whole(rng, 1, 2)) % 3, 15, high[0])
    found = np.array(sorted(seen, reverse=True), np.float64).reshape(-1, 7)
    return ({"boxes": found[:, 3:].astype(np.float32), "scores": found[:, 0].astype(np.float32),
             "labels": found[:, 2].astype(np.int64), "maps": found[:, 1].astype(np.int64)},
            {"boxes": objects, "labels": labels.astype(np.int64)})


EMPTY = {"boxes": np.zeros((0, 4), np.float32), "labels": np.zeros(0, np.int64)}
NOTHING = {**EMPTY, "scores": np.zeros(0, np.float32), "maps": np.zeros(0, np.int64)}


def _shapes(rng, count, sides=tuple(SIDE_BY_SIDE)):
    return [SIDE_BY_SIDE[side][whole(rng, 0, 1)] for side in rng.choice(sides, count)]


def _shuffled(rng, scenes):
    """Detections and targets of the scenes, in another order."""
    return [list(part) for part in zip(*(scenes[i] for i in rng.permutation(len(scenes))))]


def _found_by_size(rng):
    scenes = [_scene(rng, _shapes(rng, whole(rng, 6, 9)), begin=begin,
                     kinds=(*KINDS, "another class"))
              for begin in (4, 4, -80, -80)]
    seen, objects = (_scene(rng, _shapes(rng, 4))[i] for i in (0, 1))
    labels, maps = rng.permutation(3), rng.permutation(3)
    boxes = shift(rows(
        # Two objects of two classes: the detection of the larger one is nearer to the smaller one.
        (0, 0, 16, 14), (0, 0, 16, 16), (0, 0, 16, 14.5),
        # Two of one class: the second detection is nearest to the object that the first one takes.
        (0, 0, 30, 30), (6, 0, 36, 30), (5, 0, 35, 30), (6, 0, 36, 30),
        # The first detection overlaps that object too little, which stays free for the second.
        (0, 0, 30, 10), (0, 0, 30, 28)), rng)
    both = ({"boxes": boxes[2:3], "scores": rows((0.9,))[0], "labels": labels[1:2],
             "maps": maps[:1]}, {"boxes": boxes[:2], "labels": labels[:2]})
    two, one = ({"boxes": boxes[3:last], "labels": labels[[0] * (last - 3)]} for last in (5, 4))
    twice, free = (({"boxes": boxes[begin:begin + 2], "scores": rows((0.9, 0.8))[0],
                     "labels": labels[[0, 0]], "maps": maps[:2]}, truth)
                   for begin, truth in ((5, two), (7, one)))
    nothing = (seen, EMPTY), (NOTHING, objects), (NOTHING, EMPTY)
    scenes += both, twice, free, *nothing
    return pure(call1(SIZES, *_shuffled(rng, scenes), [10, 16.5, 28, 60]))


@check("1.17.1", "P1.sizes.found", _found_by_size)
def test_sizes_found(answer, expected):
    """Objects found are counted by the map that found them and by their size."""
    _sizes(answer, expected)


def _edges(rng):
    """Objects on edges, below the first and above the last one. Within one that is too large for
    all bins lies one of its class that is not, and a detection of the larger one. Likewise two of
    different bins, of which a detection fits the second one better."""
    scenes = [_scene(rng, _shapes(rng, whole(rng, 7, 9))) for _ in range(3)]
    x, y = rng.integers(0, 100, 2)
    large, small = rows((x, y, x + 48, y + 48), (x, y, x + 48, y + 48 * 10 / 16))
    label = np.full(2, whole(rng, 0, 2))
    pair = ({"boxes": large[None], "scores": rows((0.9,))[0], "labels": label[:1],
             "maps": np.array([whole(rng, 0, 2)])},
            {"boxes": np.stack([small, large][::whole(rng, 0, 1) or -1]), "labels": label})
    fits = rows((x, y, x + 36, y + 36), (x, y, x + 36, y + 36 * 10 / 16))
    better = ({"boxes": fits[:1], "scores": rows((0.9,))[0], "labels": label[:1],
               "maps": np.array([whole(rng, 0, 2)])}, {"boxes": fits[::-1].copy(), "labels": label})
    return call1(SIZES, *_shuffled(rng, [*scenes, pair, better]),
                 [whole(rng, 17, 23), 24, 30, 38.5, 40])


@check("1.17.2", "P1.sizes.bins", _edges)
def test_size_bins(answer, expected):
    """A bin reaches from its lower edge, which belongs to it, to its upper edge."""
    _sizes(answer, expected)


def _at_limits(rng, limit, least, edges):
    """Some objects have exactly these IoUs and scores, and some just less. The coarsest map finds
    none. All are of the first bin, however their size is measured."""
    scenes = []
    for height, score in ((limit, 0.9), (limit - BELOW, 0.9), (14, least),
                          (14, least - BELOW / 64)):
        shapes = [(16, 16 * whole(rng, 1, 3)) for _ in range(whole(rng, 2, 5))]
        seen, target = _scene(rng, shapes, limit, least, maps=2)
        cut = target["boxes"].copy()
        cut[:, 3] -= (cut[:, 3] - cut[:, 1]) * (ROWS - height) / ROWS
        scenes += [(seen, target), ({
            "boxes": cut, "scores": np.full(len(cut), score, np.float32),
            "labels": target["labels"], "maps": rng.integers(0, 2, len(cut))}, target)]
    return [*_shuffled(rng, scenes), edges]


def _default_and_other_limits(rng):
    asked = [_at_limits(rng, ROWS // 2, 0.5, [1, 4000, 5000])]
    for limit, least in ((whole(rng, 10, 12), whole(rng, 2, 3) / 8),
                         (whole(rng, 6, 7), whole(rng, 5, 6) / 8)):
        asked.append([*_at_limits(rng, limit, least, [1, 4000]), limit / ROWS, least])
    return calls("problem1", SIZES, *(asked[i] for i in rng.permutation(3)))


@check("1.17.3", "P1.sizes.thresholds", _default_and_other_limits)
def test_size_thresholds(answer, expected):
    """An IoU equal to iou_threshold and a score equal to score_threshold suffice."""
    for got, want in zip(sequence(answer, 3, "the results"), expected):
        _sizes(got, want)
