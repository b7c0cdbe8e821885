"""Tasks 2.1, 2.2 and 2.5: items of the dataset, Gaussians, and the way back to coordinates."""

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


def write_split(folder, images, mode="L"):
    """`images`: list of (pixels, keypoints). Returns the arguments of KeypointDataset."""
    entries = []
    for index, (pixels, keypoints) in enumerate(images):
        name = f"{index:06d}.png"
        Image.fromarray(pixels).convert(mode).save(folder / name)
        entries.append({"id": index, "file_name": name, "keypoints": keypoints})
    annotations = folder / "annotations.json"
    annotations.write_text(json.dumps(
        {"images": entries, "keypoint_names": ["p", "q"], "num_keypoints": 2}))
    return folder, annotations


@pytest.fixture
def two_images(tmp_path):
    first = np.full((128, 128), 255, np.uint8)
    first[3, 7] = 51  # row 3, column 7
    second = np.zeros((128, 128), np.uint8)
    return write_split(tmp_path, [(first, [[64, 32], [0, 126]]), (second, [[1, 2], [127, 5]])])


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


# --- items ---------------------------------------------------------------------------------


def test_heatmap_item(problem2, two_images):
    dataset = problem2.dataset.KeypointDataset(*two_images, heatmap_size=32, sigma=1.5)
    assert len(dataset) == 2
    image, target = dataset[0]
    assert image.shape == (1, 128, 128) and image.dtype == torch.float32
    assert image[0, 0, 0] == 1.0
    assert image[0, 3, 7] == pytest.approx(0.2)
    assert target.shape == (2, 32, 32) and target.dtype == torch.float32
    # (64, 32) / 4 = (16, 8); (0, 126) / 4 = (0, 31.5), still on a map of 32 rows.
    expected = heatmap_by_loops([(16, 8), (0, 31.5)], 32, 32, 1.5)
    np.testing.assert_allclose(target.numpy(), expected, atol=1e-6)


def test_regression_item_interleaves_x_and_y(problem2, two_images):
    dataset = problem2.dataset.KeypointDataset(*two_images, output_type="regression")
    _, target = dataset[0]
    assert target.dtype == torch.float32
    assert target.tolist() == [0.5, 0.25, 0.0, 126 / 128]
    assert dataset[1][1].tolist() == [1 / 128, 2 / 128, 127 / 128, 5 / 128]


def test_sizes_come_from_the_image(problem2, tmp_path):
    pixels = np.zeros((64, 256), np.uint8)  # 256 wide, 64 high
    arguments = write_split(tmp_path, [(pixels, [[128, 16]])])
    _, target = problem2.dataset.KeypointDataset(*arguments, output_type="regression")[0]
    assert target.tolist() == [0.5, 0.25]
    _, heatmaps = problem2.dataset.KeypointDataset(*arguments, heatmap_size=8)[0]
    assert heatmaps[0, 2, 4] == 1.0


def test_colour_files_become_grey(problem2, tmp_path):
    arguments = write_split(tmp_path, [(np.full((128, 128), 255, np.uint8), [[1, 1]])], "RGB")
    image, _ = problem2.dataset.KeypointDataset(*arguments)[0]
    assert image.shape == (1, 128, 128) and image.min() == 1.0


@pytest.mark.parametrize("word", ["heatmaps", "Regression", "", None])
def test_unknown_output_type_is_refused_at_once(problem2, two_images, word):
    with pytest.raises(ValueError, match="output_type"):
        problem2.dataset.KeypointDataset(*two_images, output_type=word)


# --- Gaussians -----------------------------------------------------------------------------


def test_heatmap_example_of_the_docstring(heatmap_of):
    heatmap = heatmap_of([[3.0, 1.0]], 4, 6, sigma=2.0)[0]
    assert heatmap.shape == (4, 6) and heatmap.dtype == torch.float32
    assert heatmap[1, 3] == 1.0
    assert heatmap[1, 5] == pytest.approx(math.exp(-0.5))
    assert heatmap[0, 2] == pytest.approx(math.exp(-2 / 8))


@given(height=SIZES, width=SIZES, sigma=SIGMAS, points=st.lists(
    st.tuples(st.floats(-3, 22, width=32), st.floats(-3, 22, width=32)), min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_heatmap_agrees_with_loops(heatmap_of, height, width, sigma, points):
    result = heatmap_of(points, height, width, sigma).numpy()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, heatmap_by_loops(points, height, width, sigma), atol=1e-5)


@given(height=SIZES, width=SIZES, sigma=SIGMAS, data=st.data())
@settings(deadline=None, max_examples=40)
def test_peak_at_an_integer_centre_is_exactly_one(heatmap_of, height, width, sigma, data):
    x = data.draw(st.integers(0, width - 1))
    y = data.draw(st.integers(0, height - 1))
    heatmap = heatmap_of([[x, y]], height, width, sigma)[0]
    assert heatmap[y, x] == 1.0 and heatmap.max() == 1.0
    assert (heatmap >= 0).all()


@given(half=st.integers(1, 8), sigma=SIGMAS)
@settings(deadline=None, max_examples=20)
def test_heatmap_is_symmetric_about_its_centre(heatmap_of, half, sigma):
    heatmap = heatmap_of([[half, half]], 2 * half + 1, 2 * half + 1, sigma)[0]
    for other in (heatmap.flip(0), heatmap.flip(1), heatmap.T):
        torch.testing.assert_close(other, heatmap)


def test_centre_between_pixels_is_neither_rounded_nor_rescaled(heatmap_of):
    heatmap = heatmap_of([[2.5, 3.0]], 8, 8, sigma=1.0)[0]
    assert heatmap[3, 2] == heatmap[3, 3] == heatmap.max()
    assert heatmap.max() == pytest.approx(math.exp(-0.125))


@pytest.mark.parametrize("point", [(-0.01, 3), (6, 3), (3, -0.01), (3, 4), (-50, -50), (6.5, 4.5)])
def test_outside_keypoint_gives_zeros_and_leaves_the_others(heatmap_of, point):
    heatmaps = heatmap_of([point, (1, 1)], 4, 6)
    assert heatmaps[0].abs().max() == 0
    assert heatmaps[1, 1, 1] == 1.0


@pytest.mark.parametrize("point", [(0, 0), (5.99, 3.99), (0, 3.5), (5.5, 0)])
def test_border_is_inside(heatmap_of, point):
    assert heatmap_of([point], 4, 6).max() > 0.5


@pytest.mark.parametrize("convert", [torch.tensor, np.array, lambda points: points])
def test_integer_keypoints_of_any_container(problem2, two_images, convert):
    dataset = problem2.dataset.KeypointDataset(*two_images)
    heatmaps = dataset.generate_heatmap(convert([[2, 1]]), 4, 6)
    assert heatmaps.dtype == torch.float32 and heatmaps[0, 1, 2] == 1.0


def test_keypoints_are_not_changed(heatmap_of):
    keypoints = torch.tensor([[2.5, 1.0], [-1.0, 2.0]])
    before = keypoints.clone()
    heatmap_of(keypoints, 4, 6)
    assert torch.equal(keypoints, before)


# --- extraction ----------------------------------------------------------------------------


def test_extraction_gives_x_then_y(problem2):
    heatmaps = torch.zeros(2, 1, 3, 4)
    heatmaps[0, 0, 2, 1] = 1.0
    heatmaps[1, 0, 0, 3] = -1.0
    heatmaps[1, 0, 1, 2] = 0.25
    points = problem2.evaluate.extract_keypoints_from_heatmaps(heatmaps)
    assert points.dtype == torch.float32
    assert points.tolist() == [[[1.0, 2.0]], [[2.0, 1.0]]]


def test_extraction_takes_the_first_of_equals(problem2):
    heatmaps = torch.full((1, 3, 4, 5), -2.0)  # channel 0 is constant
    heatmaps[0, 1, 1, 4] = heatmaps[0, 1, 2, 0] = 0.5
    heatmaps[0, 2, 3, 1] = heatmaps[0, 2, 3, 3] = 7.0
    points = problem2.evaluate.extract_keypoints_from_heatmaps(heatmaps)
    assert points.tolist() == [[[0.0, 0.0], [4.0, 1.0], [1.0, 3.0]]]


@pytest.mark.parametrize("convert", [torch.Tensor.numpy, torch.Tensor.double, torch.Tensor.int,
                                     torch.Tensor.bfloat16, lambda t: t.requires_grad_()])
def test_extraction_of_other_types(problem2, convert):
    heatmaps = torch.zeros(1, 1, 3, 4)
    heatmaps[0, 0, 1, 3] = 2.0
    points = problem2.evaluate.extract_keypoints_from_heatmaps(convert(heatmaps))
    assert points.dtype == torch.float32 and points.tolist() == [[[3.0, 1.0]]]


def test_extraction_of_an_empty_batch(problem2):
    points = problem2.evaluate.extract_keypoints_from_heatmaps(torch.zeros(0, 5, 6, 4))
    assert points.shape == (0, 5, 2)


@given(height=SIZES, width=SIZES, sigma=SIGMAS, data=st.data())
@settings(deadline=None, max_examples=40)
def test_extraction_undoes_encoding_at_integer_centres(problem2, heatmap_of, height, width, sigma,
                                                       data):
    count = data.draw(st.integers(1, 5))
    points = [[data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))]
              for _ in range(count)]
    heatmaps = heatmap_of(points, height, width, sigma)[None]
    assert problem2.evaluate.extract_keypoints_from_heatmaps(heatmaps)[0].tolist() == points


@given(x=st.floats(0, 18.9), y=st.floats(0, 18.9))
@settings(deadline=None, max_examples=40)
def test_extraction_is_within_half_a_pixel_elsewhere(problem2, heatmap_of, x, y):
    heatmaps = heatmap_of([[x, y]], 20, 20)[None]
    point = problem2.evaluate.extract_keypoints_from_heatmaps(heatmaps)[0, 0]
    assert (point - torch.tensor([x, y])).abs().max() <= 0.5 + 1e-4
