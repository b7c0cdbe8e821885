"""Tasks 2.1 and 2.2: KeypointDataset and heatmap encoding."""

import numpy as np

from datasets.constants import KEYPOINT_NAMES

from ...engine.check import Question, check
from ...engine.compare import Wrong, array, close, sequence
from .inputs import whole


def _files(rng, count):
    """Small stand-ins of the data: 128x128 grey noise with five keypoints each."""
    ids = [int(i) for i in rng.permutation(900)[:count]]
    images, listed = {}, []
    for image_id in ids:
        name = f"{image_id:06d}.png"
        pixels = rng.integers(0, 256, (128, 128)).astype(np.uint8)
        pixels[0, :2] = 0, 255
        images[name] = pixels
        listed.append({"id": image_id, "file_name": name,
                       "keypoints": rng.integers(4, 124, (5, 2)).tolist()})
    return images, {"images": listed, "keypoint_names": list(KEYPOINT_NAMES), "num_keypoints": 5}


def _items(rng, **options):
    images, annotations = _files(rng, whole(rng, 2, 4))
    return Question("problem2", "keypoint_items", {
        "images": images, "annotations": annotations, "options": options})


def _pairs(answer, expected):
    if answer["length"] != expected["length"]:
        raise Wrong(f"len(dataset) should be {expected['length']}, but is {answer['length']}.")
    items = sequence(answer["items"], expected["length"], "the dataset")
    for index, (got, want) in enumerate(zip(items, expected["items"])):
        yield index, sequence(got, 2, f"item {index}"), want


@check("2.1.1", "P2.dataset.image", lambda rng: _items(rng, output_type="regression"))
def test_images(answer, expected):
    """An image is float32 [1, 128, 128] with 255 as 1.0, in the order of the JSON's images."""
    for index, (image, _), (want, _) in _pairs(answer, expected):
        close(image, want, f"the image of item {index}", dtype="float32")


@check("2.1.2", "P2.dataset.regression", lambda rng: _items(rng, output_type="regression"))
def test_regression_targets(answer, expected):
    """With "regression" the target is [10]: x0, y0, x1, y1, ... divided by the image size."""
    for index, (_, target), (_, want) in _pairs(answer, expected):
        close(target, want, f"the target of item {index}", dtype="float32",
              where=lambda p: f"{list(KEYPOINT_NAMES)[p[0] // 2]} {'xy'[p[0] % 2]}")


@check("2.1.3", "P2.dataset.heatmap", lambda rng: _items(rng))
def test_heatmap_targets(answer, expected):
    """The default target is [5, 64, 64]: the heatmaps of the keypoints scaled to the map."""
    for index, (_, target), (_, want) in _pairs(answer, expected):
        _maps(target, want, f"the target of item {index}")


@check("2.1.4", "P2.dataset.options", lambda rng: _items(
    rng, heatmap_size=int(rng.choice([32, 40, 48])), sigma=float(rng.choice([1.0, 1.5]))))
def test_other_map_sizes(answer, expected):
    """heatmap_size and sigma set the size of the map and the width of the peaks."""
    for index, (_, target), (_, want) in _pairs(answer, expected):
        _maps(target, want, f"the target of item {index}")


def _output_types(rng):
    images, annotations = _files(rng, 1)
    words = ["regression", "regression", "regression", "heat", "coordinates", "offsets"]
    asked = rng.permutation([0, 3, *rng.integers(0, 6, whole(rng, 5, 8))])
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
    got = array(got, name, expected.shape, "float")
    for channel, (map_got, map_want) in enumerate(zip(got, expected)):
        peaks = [np.unravel_index(np.argmax(m), m.shape) for m in (map_got, map_want)]
        if map_want.max() > 0 and map_got.max() > 0 and peaks[0] != peaks[1]:
            (row, column), (want_row, want_column) = peaks
            raise Wrong(f"{name}: channel {channel} should peak at x = {want_column}, y = "
                        f"{want_row}, but peaks at x = {column}, y = {row}.")
    close(got, expected, name, rtol=1e-3, atol=1e-4,
          where=lambda p: f"channel {p[0]}, x = {p[2]}, y = {p[1]}")


def _compare(answer, expected):
    _maps(answer, expected, "the heatmaps")


@check("2.2.1", "P2.heatmap.peak", lambda rng: _heatmap(
    rng, rng.integers(8, 40, (whole(rng, 3, 6), 2)), 48, 48))
def test_peak(answer, expected):
    """A keypoint at whole pixels has a peak of exactly 1 there, float32 [K, H, W]."""
    array(answer, "the heatmaps", expected.shape, "float32")
    _compare(answer, expected)


@check("2.2.2", "P2.heatmap.gaussian", lambda rng: _heatmap(
    rng, rng.integers(4, 20, (whole(rng, 2, 4), 2)), 24, 24,
    sigma=float(rng.choice([1.0, 1.5, 3.0, 4.0]))))
def test_gaussian(answer, expected):
    """Around the peak the map falls like exp(-d^2 / (2 sigma^2)), for any sigma."""
    _compare(answer, expected)


@check("2.2.3", "P2.heatmap.subpixel", lambda rng: _heatmap(
    rng, rng.integers(6, 26, (4, 2)) + rng.uniform(0.2, 0.45, (4, 2)), 32, 32))
def test_between_pixels(answer, expected):
    """A keypoint between pixels keeps its place: nothing is rounded or scaled up to 1."""
    _compare(answer, expected)


@check("2.2.4", "P2.heatmap.shape", lambda rng: _heatmap(
    rng, np.stack([rng.integers(22, 38, 4), rng.integers(2, 18, 4)], axis=1), whole(rng, 19, 21),
    whole(rng, 39, 42)))
def test_maps_that_are_not_square(answer, expected):
    """On a map of H rows and W columns, x counts columns and y rows."""
    _compare(answer, expected)


def _edges(rng):
    height, width, (x, y) = whole(rng, 16, 28), whole(rng, 20, 36), rng.integers(1, 15, 2)
    below = height + whole(rng, 1, 40)
    # outside: left, right (x = W), above, below (y = H), far below; inside: at 0 and W - .75
    places = [(-1, y), (width, y), (x, -0.5), (x, height), (x, below), (0, y), (x, 0), (0, 0),
              (width - 0.75, height - 1)]
    return _heatmap(rng, rng.permutation(places), height, width)


@check("2.2.5", "P2.heatmap.outside", _edges)
def test_keypoints_outside(answer, expected):
    """A keypoint outside the map gives a channel of zeros; the edge itself is inside."""
    _compare(answer, expected)
