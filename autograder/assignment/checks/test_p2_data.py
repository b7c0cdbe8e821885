"""Tasks 2.1 and 2.2: KeypointDataset and heatmap encoding."""

import numpy as np

from datasets.constants import KEYPOINT_NAMES

from ...engine.check import Question, check
from ...engine.compare import Wrong, array, close, sequence


def _files(rng, count=3):
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


def _items(rng, catch=False, **options):
    images, annotations = _files(rng)
    return Question("problem2", "keypoint_items", {
        "images": images, "annotations": annotations, "options": options, "catch": catch})


def _pairs(answer, expected):
    if answer["length"] != expected["length"]:
        raise Wrong(f"len(dataset) should be {expected['length']}, but is {answer['length']}.")
    for index, (got, want) in enumerate(zip(answer["items"], expected["items"])):
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
    rng, heatmap_size=int(rng.choice([32, 48])), sigma=1.0))
def test_other_map_sizes(answer, expected):
    """heatmap_size and sigma set the size of the map and the width of the peaks."""
    for index, (_, target), (_, want) in _pairs(answer, expected):
        _maps(target, want, f"the target of item {index}")


@check("2.1.5", "P2.dataset.output-type", lambda rng: _items(
    rng, catch=True, output_type=str(rng.choice(["heat", "coordinates", "offsets"]))))
def test_unknown_output_type(answer, expected):
    """An unknown output_type is a ValueError."""
    if answer != expected:
        found = answer if isinstance(answer, str) else "no exception"
        raise Wrong(f"an unknown output_type should raise a ValueError, but raised {found}.")


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


@check("2.2.1", "P2.heatmap.peak", lambda rng: _heatmap(rng, rng.integers(8, 40, (5, 2)), 48, 48))
def test_peak(answer, expected):
    """A keypoint at whole pixels has a peak of exactly 1 there, float32 [K, H, W]."""
    array(answer, "the heatmaps", expected.shape, "float32")
    _compare(answer, expected)


@check("2.2.2", "P2.heatmap.gaussian", lambda rng: _heatmap(
    rng, rng.integers(4, 20, (3, 2)), 24, 24, sigma=float(rng.choice([1.0, 1.5, 3.0, 4.0]))))
def test_gaussian(answer, expected):
    """Around the peak the map falls like exp(-d^2 / (2 sigma^2)), for any sigma."""
    _compare(answer, expected)


@check("2.2.3", "P2.heatmap.subpixel", lambda rng: _heatmap(
    rng, rng.integers(6, 26, (4, 2)) + rng.uniform(0.2, 0.45, (4, 2)), 32, 32))
def test_between_pixels(answer, expected):
    """A keypoint between pixels keeps its place: nothing is rounded or scaled up to 1."""
    _compare(answer, expected)


@check("2.2.4", "P2.heatmap.shape", lambda rng: _heatmap(
    rng, np.stack([rng.integers(22, 38, 4), rng.integers(2, 18, 4)], axis=1), 20, 40))
def test_maps_that_are_not_square(answer, expected):
    """On a map of H rows and W columns, x counts columns and y rows."""
    _compare(answer, expected)


@check("2.2.5", "P2.heatmap.outside", lambda rng: _heatmap(
    # outside: left, right (x = W), above, below (y = H), far below; inside: at 0 and W - .75
    rng, [(-1, 8), (32, 8), (8, -0.5), (8, 24), (8, 24 + int(rng.integers(1, 40))), (0, 0),
          (31.25, 23)],
    24, 32))
def test_keypoints_outside(answer, expected):
    """A keypoint outside the map gives a channel of zeros; the edge itself is inside."""
    _compare(answer, expected)
