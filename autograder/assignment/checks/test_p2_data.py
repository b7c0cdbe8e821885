"""Tasks 2.1 and 2.2: KeypointDataset and heatmap encoding."""

import numpy as np

from datasets.constants import FIGURE_SIZE, KEYPOINT_NAMES

from ...engine.check import Question, check, pure
from ...engine.compare import Wrong, array, close, sequence
from .inputs import whole

NAMES = [*KEYPOINT_NAMES, "neck", "left_knee", "right_knee"]
KEYPOINTS = len(KEYPOINT_NAMES)


def _files(rng, count, side=FIGURE_SIZE, keypoints=KEYPOINTS, step=1.0, renamed=False,
           outside=False):
    """Stand-ins of the data: grey blocks, which compress well; only the first image is white
    somewhere.

    Args:
        count: of images, which are not in the order of their ids.
        step: keypoints lie at multiples of it.
        renamed: file names do not follow from ids.
        outside: a keypoint of every image lies beyond the left or upper border, and one beyond the
            others.
    """
    ids = _unsorted(rng, count)
    images, listed = {}, []
    for image_id, file in zip(ids, _unsorted(rng, count) if renamed else ids):
        name = f"{file:06d}.png"
        pixels = rng.integers(20, 200, (side // 4, side // 4)).astype(np.uint8)
        pixels = pixels.repeat(4, axis=0).repeat(4, axis=1)
        if not listed:
            pixels[0, :2] = 0, 255
        images[name] = pixels
        points = step * rng.integers(4 / step, (side - 4) / step, (keypoints, 2))
        if outside:
            first, second = rng.permutation(keypoints)[:2]
            points[first, whole(rng, 0, 1)] = -step * whole(rng, 5, 9)
            points[second, whole(rng, 0, 1)] = side + step * whole(rng, 5, 9)
        listed.append({"id": image_id, "file_name": name, "keypoints": points.tolist()})
    return images, {"images": listed, "keypoint_names": NAMES[:keypoints],
                    "num_keypoints": keypoints}


def _unsorted(rng, count):
    """Different whole numbers, not in order if there are several."""
    while True:
        numbers = rng.permutation(900)[:count].tolist()
        if count == 1 or numbers != sorted(numbers):
            return numbers


def _items(rng, options, **files):
    images, annotations = _files(rng, whole(rng, 2, 3), **files)
    return Question("problem2", "keypoint_items", {
        "images": images, "annotations": annotations, "options": options})


def _pairs(answer, expected):
    """`(index, item, right item)`."""
    if answer["length"] != expected["length"]:
        raise Wrong(f"len(dataset) should be {expected['length']}, but is {answer['length']}.")
    items = sequence(answer["items"], expected["length"], "the dataset")
    for index, (got, want) in enumerate(zip(items, expected["items"])):
        yield index, sequence(got, 2, f"item {index}"), want


def _targets(answer, expected):
    """`(name, target, right target)` of the items, found by their images: another check asks for
    the order, and for pixels from 0 to 1."""
    pairs = list(_pairs(answer, expected))
    for index, item, (image, want) in pairs:
        shown = [other for _, other, _ in pairs if isinstance(other[0], np.ndarray)
                 and other[0].size == image.size and _same_picture(other[0], image)]
        yield f"the target of item {index}", (shown or [item])[0][1], want


def _same_picture(got, want):
    """Whether two images are the same but for brightness and contrast."""
    with np.errstate(all="ignore"):
        return got.dtype.kind in "biuf" and np.corrcoef(got.flat, want.flat)[0, 1] > 0.999


@check("2.1.1", "P2.dataset.image", lambda rng: _items(
    rng, {"output_type": "regression"}, renamed=True))
def test_images(answer, expected):
    """An image is float32 [1, 128, 128] with 255 as 1.0, in the order of the JSON's images."""
    for index, (image, _), (want, _) in _pairs(answer, expected):
        close(image, want, f"the image of item {index}", dtype="float32")


@check("2.1.2", "P2.dataset.regression", lambda rng: _items(
    rng, {"output_type": "regression"}, side=8 * whole(rng, 4, 6),
    keypoints=KEYPOINTS + whole(rng, 1, 3), step=0.25, outside=True))
def test_regression_targets(answer, expected, question):
    """With "regression" the target is [2K]: x0, y0, x1, y1, ... divided by the image size."""
    names = question.inputs["annotations"]["keypoint_names"]
    for name, target, want in _targets(answer, expected):
        close(target, want, name, dtype="float32",
              where=lambda p: f"{names[p[0] // 2]} {'xy'[p[0] % 2]}")


@check("2.1.3", "P2.dataset.heatmap", lambda rng: _items(rng, {}, outside=True))
def test_heatmap_targets(answer, expected):
    """The default target is [5, 64, 64]: the heatmaps of the keypoints scaled to the map."""
    for name, target, want in _targets(answer, expected):
        _maps(target, want, name)


@check("2.1.4", "P2.dataset.options", lambda rng: _items(
    rng, {"heatmap_size": int(rng.choice([12, 14, 16])), "sigma": float(rng.choice([1.0, 1.5]))},
    side=8 * whole(rng, 4, 6)))
def test_other_map_sizes(answer, expected):
    """heatmap_size and sigma set the size of the map and the width of the peaks."""
    for name, target, want in _targets(answer, expected):
        _maps(target, want, name)


def _output_types(rng):
    images, annotations = _files(rng, 1)
    words = ["regression", "regression", "regression", "heat", "coordinates", "Regression"]
    asked = rng.permutation([0, 3, 4, 5, *rng.integers(0, 6, whole(rng, 3, 6))])
    return Question("problem2", "output_types", {
        "images": images, "annotations": annotations, "words": [words[i] for i in asked]})


@check("2.1.5", "P2.dataset.output-type", _output_types)
def test_unknown_output_type(answer, expected, question):
    """An unknown output_type is a ValueError."""
    for word, got, want in zip(question.inputs["words"],
                               sequence(answer, len(expected), "the results"), expected):
        if got != want:
            raise Wrong(f"output_type={word!r} should raise {want or 'no exception'}, but raised "
                        f"{got if isinstance(got, str) else 'no exception'}.")


def _heatmap(rng, keypoints, height, width, sigma=2.0):
    images, annotations = _files(rng, 1)
    return Question("problem2", "heatmaps", {
        "images": images, "annotations": annotations, "options": {"sigma": sigma},
        "keypoints": np.array(keypoints, np.float32), "height": height, "width": width})


def _maps(got, expected, name):
    """Compare heatmaps; if only the peaks are elsewhere, say where they are."""
    close(_peaks(got, expected, name), expected, name, rtol=1e-3, atol=1e-4, where=_place)


def _place(position):
    channel, row, column = position
    return f"channel {channel}, x = {column}, y = {row}"


def _peaks(got, expected, name):
    """The heatmaps, if those that are not empty peak at the right places."""
    got = array(got, name, expected.shape, "float")
    for channel, maps in enumerate(zip(got, expected)):
        highest = maps[1].max()
        at = np.unravel_index(np.argmax(maps[0]), maps[0].shape)
        # In the middle of two pixels, rounding decides which of them is the higher one.
        if highest > 0 and maps[0].max() > 0 and maps[1][at] < highest * (1 - 1e-4):
            # Of equal pixels the middle: there a map lies that is shifted by half a pixel.
            (row, column), (want_row, want_column) = (
                np.argwhere(m >= m.max() - 1e-6).mean(axis=0) for m in maps)
            raise Wrong(f"{name}: channel {channel} should peak at x = {want_column:g}, y = "
                        f"{want_row:g}, but peaks at x = {column:g}, y = {row:g}.")
    return got


def _upright(answer, expected):
    """Square maps; with rows and columns exchanged where these fit: another check asks for that."""
    got = array(answer, "the heatmaps", expected.shape, "float")
    turned = got.swapaxes(1, 2)
    places = [maps.reshape(len(expected), -1).argmax(axis=1) for maps in (turned, expected)]
    return turned if np.array_equal(*places) else got


def _near_peaks(answer, expected):
    """Compare heatmaps around their peaks, which may have another height and width, the same in
    all: what these are, other checks ask. Some keypoint lies at whole pixels."""
    got = _peaks(answer, expected, "the heatmaps").astype(np.float64)
    whole_pixels = expected.max(axis=(1, 2), keepdims=True) == 1
    near = expected > 0.02
    slope = whole_pixels & near & (expected < 0.9)
    with np.errstate(all="ignore"):
        height = got[expected == 1].max()
        # A power of a Gaussian is a narrower or wider one.
        power = np.median(np.log(got[slope] / height) / np.log(expected[slope]))
        changed = (got / height) ** (1 / power)
    upright = height > 0 and power > 0 and np.isfinite(changed[near]).all()
    shown = changed if upright else got
    close(np.where(near, shown, expected), expected, "the heatmaps", rtol=1e-3, atol=1e-4,
          where=_place)


@check("2.2.1", "P2.heatmap.peak", lambda rng: _heatmap(
    rng, rng.integers(8, 40, (whole(rng, 3, 6), 2)), 48, 48))
def test_peak(answer, expected):
    """A keypoint at whole pixels has a peak of exactly 1 there, float32 [K, H, W]."""
    array(answer, "the heatmaps", expected.shape, "float32")
    highest = _peaks(answer, expected, "the heatmaps").max(axis=(1, 2))
    close(highest, expected.max(axis=(1, 2)), "the highest value of each channel")


@check("2.2.2", "P2.heatmap.gaussian", lambda rng: _heatmap(
    rng, rng.integers(4, 20, (whole(rng, 2, 4), 2)), 24, 24,
    sigma=float(rng.choice([1.5, 2.5, 3.5]))))
def test_gaussian(answer, expected):
    """Around the peak the map falls like exp(-d^2 / (2 sigma^2)), for any sigma."""
    _maps(_upright(answer, expected), expected, "the heatmaps")


def _between(rng):
    """Three keypoints between pixels, and one that is not."""
    away = rng.choice([-1, 1], (4, 2)) * rng.uniform(0.2, 0.45, (4, 2))
    away[whole(rng, 0, 3)] = 0
    return _heatmap(rng, rng.integers(7, 25, (4, 2)) + away, 32, 32)


@check("2.2.3", "P2.heatmap.subpixel", _between)
def test_between_pixels(answer, expected):
    """A keypoint between pixels keeps its place: nothing is rounded or scaled up to 1."""
    _near_peaks(_upright(answer, expected), expected)


@check("2.2.4", "P2.heatmap.shape", lambda rng: _heatmap(
    rng, np.stack([rng.integers(22, 38, 4), rng.integers(2, 18, 4)], axis=1), whole(rng, 19, 21),
    whole(rng, 39, 42)))
def test_maps_that_are_not_square(answer, expected):
    """On a map of H rows and W columns, x counts columns and y rows."""
    _near_peaks(answer, expected)


def _edges(rng):
    height, width, (x, y) = whole(rng, 16, 28), whole(rng, 20, 36), rng.integers(1, 15, 2)
    below = height + whole(rng, 1, 40)
    # outside: left, right (x = W), above, below (y = H), far below; inside: at 0, and up to W and H
    places = [(-1, y), (-0.25, y), (width, y), (x, -0.5), (x, height), (x, below), (0, y), (x, 0),
              (0, 0), (width - 0.25, y), (x, height - 0.25)]
    return pure(_heatmap(rng, rng.permutation(places), height, width))


@check("2.2.5", "P2.heatmap.outside", _edges)
def test_keypoints_outside(answer, expected, question):
    """A keypoint outside the map gives a channel of zeros; the edge itself is inside."""
    got = _peaks(answer, expected, "the heatmaps")
    x, y = question.inputs["keypoints"].T
    inside = (x >= 0) & (x < expected.shape[2]) & (y >= 0) & (y < expected.shape[1])
    beyond, zeros = (np.where(inside[:, None, None], 0, maps) for maps in (got, expected))
    close(beyond, zeros, "the heatmaps", where=_place)
    empty = np.flatnonzero(inside & expected.any(axis=(1, 2)) & ~(got.max(axis=(1, 2)) > 0))
    if len(empty):
        raise Wrong("keypoints that are on the map have empty channels: "
                    f"{', '.join(map(str, empty))}.")
