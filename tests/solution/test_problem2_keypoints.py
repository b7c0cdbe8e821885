"""Tasks 2.1, 2.2, 2.5 and 2.6 against loops: items, Gaussians, the way back, and PCK."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

SIZES = st.integers(1, 20)
SIGMAS = st.floats(0.5, 6.0)

# --- heatmaps ------------------------------------------------------------------------------


def write_split(folder, images):
    """`images`: list of (pixels, keypoints). Returns the arguments of KeypointDataset."""
    entries = []
    for index, (pixels, keypoints) in enumerate(images):
        name = f"{index:06d}.png"
        Image.fromarray(pixels).save(folder / name)
        entries.append({"id": index, "file_name": name, "keypoints": keypoints})
    annotations = folder / "annotations.json"
    annotations.write_text(json.dumps(
        {"images": entries, "keypoint_names": ["p", "q"], "num_keypoints": 2}))
    return folder, annotations


@pytest.fixture(scope="session")
def heatmap_of(problem2, tmp_path_factory):
    """generate_heatmap of a dataset without images: (keypoints, height, width, sigma)."""
    folder, annotations = write_split(tmp_path_factory.mktemp("empty"), [])

    def generate(keypoints, height, width, sigma=2.0):
        dataset = problem2.dataset.KeypointDataset(folder, annotations, sigma=sigma)
        return dataset.generate_heatmap(torch.as_tensor(keypoints), height, width)

    return generate


def heatmap_by_loops(keypoints, height, width, sigma):
    maps = np.zeros((len(keypoints), height, width))
    for k, (x, y) in enumerate(keypoints):
        if not (0 <= x < width and 0 <= y < height):
            continue
        for row in range(height):
            for column in range(width):
                squared = (column - x) ** 2 + (row - y) ** 2
                maps[k, row, column] = math.exp(-squared / (2 * sigma * sigma))
    return maps


@given(height=SIZES, width=SIZES, sigma=SIGMAS, points=st.lists(
    st.tuples(st.floats(-3, 22, width=32), st.floats(-3, 22, width=32)), min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_heatmaps(heatmap_of, height, width, sigma, points):
    result = heatmap_of(points, height, width, sigma).numpy()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, heatmap_by_loops(points, height, width, sigma), atol=1e-5)


@given(height=SIZES, width=SIZES, sigma=SIGMAS, data=st.data())
@settings(deadline=None, max_examples=40)
def test_extraction_undoes_encoding_at_whole_pixels(problem2, heatmap_of, height, width, sigma,
                                                    data):
    points = data.draw(st.lists(st.tuples(st.integers(0, width - 1), st.integers(0, height - 1)),
                                min_size=1, max_size=5))
    heatmaps = heatmap_of(points, height, width, sigma)[None]
    assert heatmaps.amax(dim=(2, 3)).tolist() == [[1.0] * len(points)]  # a peak of exactly 1
    found = problem2.evaluate.extract_keypoints_from_heatmaps(heatmaps)
    assert found[0].tolist() == [list(point) for point in points]


def test_items(problem2, tmp_path):
    """An image 256 wide and 64 high: nothing depends on the size of the assignment's images."""
    pixels = np.full((64, 256), 255, np.uint8)
    pixels[3, 7] = 51  # row 3, column 7
    arguments = write_split(tmp_path, [(pixels, [[128, 16], [0, 62]])])
    image, target = problem2.dataset.KeypointDataset(*arguments, output_type="regression")[0]
    assert image[0, 0, 0] == 1.0 and image[0, 3, 7] == pytest.approx(0.2)
    assert target.tolist() == [0.5, 0.25, 0.0, 62 / 64]
    _, heatmaps = problem2.dataset.KeypointDataset(*arguments, heatmap_size=32, sigma=1.5)[0]
    expected = heatmap_by_loops([(16, 8), (0, 31)], 32, 32, 1.5)
    np.testing.assert_allclose(heatmaps.numpy(), expected, atol=1e-6)


@given(height=st.integers(3, 20), width=st.integers(3, 20), sigma=st.floats(1.5, 3),
       place=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@settings(deadline=None, max_examples=60)
def test_fractions_of_a_pixel_are_exact_without_noise(problem2, heatmap_of, height, width, sigma,
                                                      place):
    """The check of task 2.12 takes them for the truth."""
    point = [place[0] * (width - 1), place[1] * (height - 1)]
    found = problem2.evaluate.decode_subpixel(heatmap_of([point], height, width, sigma)[None])
    assert found[0, 0].tolist() == pytest.approx(point, abs=2e-3)


# --- PCK -----------------------------------------------------------------------------------

THRESHOLDS = (0.0, 0.0625, 0.25, 0.5, 1.0)


def pck_by_loops(predictions, truths, thresholds, normalize_by):
    result = {}
    for threshold in thresholds:
        right = total = 0
        for predicted, truth in zip(predictions, truths, strict=True):
            xs, ys = [p[0] for p in truth], [p[1] for p in truth]
            if normalize_by == "bbox":
                length = math.hypot(max(xs) - min(xs), max(ys) - min(ys))
            else:
                length = math.hypot(xs[0] - (xs[3] + xs[4]) / 2, ys[0] - (ys[3] + ys[4]) / 2)
            for p, t in zip(predicted, truth, strict=True):
                total += 1
                if math.hypot(p[0] - t[0], p[1] - t[1]) <= threshold * length:
                    right += 1
        result[threshold] = right / total
    return result


@st.composite
def batches(draw):
    """(predictions, truths) [N,5,2]; whole and half pixels, so that ties with a threshold occur."""
    count = draw(st.integers(1, 4))
    coordinate = st.integers(0, 256).map(lambda value: value / 2)
    offset = st.sampled_from([0, 0, 0.5, -1, 3, -4, 12, 40, math.nan, math.inf])
    numbers = st.lists(coordinate, min_size=10 * count, max_size=10 * count)
    offsets = st.lists(offset, min_size=10 * count, max_size=10 * count)
    truths = torch.tensor(draw(numbers)).reshape(count, 5, 2)
    return truths + torch.tensor(draw(offsets)).reshape(count, 5, 2), truths


@given(batch=batches(), normalize_by=st.sampled_from(["bbox", "torso"]))
@settings(deadline=None, max_examples=80)
def test_pck(problem2, batch, normalize_by):
    predictions, truths = batch
    result = problem2.evaluate.compute_pck(predictions, truths, THRESHOLDS, normalize_by)
    assert result == pytest.approx(
        pck_by_loops(predictions.tolist(), truths.tolist(), THRESHOLDS, normalize_by))
