"""Tasks 2.6 and 2.7: PCK against loops and by its properties, and the two figures."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

THRESHOLDS = (0.0, 0.0625, 0.25, 0.5, 1.0)

# Box of 30 x 40: diagonal 50. Head (15, 0) to mid-feet (15, 40): torso 40.
FIGURE = [[15, 0], [0, 20], [30, 20], [0, 40], [30, 40]]


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


def moved(keypoint, dx, dy):
    """FIGURE as a batch of one, with one keypoint moved."""
    points = torch.tensor([FIGURE], dtype=torch.float32)
    points[0, keypoint] += torch.tensor([dx, dy])
    return points


@st.composite
def batches(draw):
    """(predictions, truths) [N,5,2]; whole and half pixels, so that ties with a threshold occur."""
    count = draw(st.integers(1, 4))
    coordinate = st.integers(0, 256).map(lambda value: value / 2)
    offset = st.sampled_from([0, 0, 0.5, -1, 3, -4, 12, 40])
    numbers = st.lists(coordinate, min_size=10 * count, max_size=10 * count)
    offsets = st.lists(offset, min_size=10 * count, max_size=10 * count)
    truths = torch.tensor(draw(numbers)).reshape(count, 5, 2)
    return truths + torch.tensor(draw(offsets)).reshape(count, 5, 2), truths


@given(batch=batches(), normalize_by=st.sampled_from(["bbox", "torso"]))
@settings(deadline=None, max_examples=80)
def test_pck_agrees_with_loops(problem2, batch, normalize_by):
    predictions, truths = batch
    result = problem2.evaluate.compute_pck(predictions, truths, THRESHOLDS, normalize_by)
    assert result == pytest.approx(
        pck_by_loops(predictions.tolist(), truths.tolist(), THRESHOLDS, normalize_by))


@given(batch=batches(), thresholds=st.lists(st.floats(0, 2), min_size=2, max_size=6))
@settings(deadline=None, max_examples=40)
def test_pck_grows_with_the_threshold_and_stays_in_range(problem2, batch, thresholds):
    result = problem2.evaluate.compute_pck(*batch, sorted(thresholds))
    values = list(result.values())
    assert values == sorted(values)
    assert all(0 <= value <= 1 for value in values)


@given(batch=batches(), power=st.integers(-3, 6), shift=st.integers(-100, 100),
       normalize_by=st.sampled_from(["bbox", "torso"]))
@settings(deadline=None, max_examples=40)
def test_pck_ignores_scale_and_position(problem2, batch, power, shift, normalize_by):
    """Powers of two, so that no rounding moves a distance over its threshold."""
    pck = problem2.evaluate.compute_pck
    predictions, truths = batch
    changed = (predictions * 2.0**power + shift, truths * 2.0**power + shift)
    assert pck(*changed, THRESHOLDS, normalize_by) == pck(*batch, THRESHOLDS, normalize_by)


@given(batch=batches(), data=st.data())
@settings(deadline=None, max_examples=30)
def test_pck_ignores_the_order_of_images(problem2, batch, data):
    order = data.draw(st.permutations(range(len(batch[0]))))
    shuffled = [points[list(order)] for points in batch]
    pck = problem2.evaluate.compute_pck
    assert pck(*shuffled, THRESHOLDS) == pytest.approx(pck(*batch, THRESHOLDS))


@given(batch=batches())
@settings(deadline=None, max_examples=20)
def test_pck_of_the_truth_is_one_at_every_threshold(problem2, batch):
    truths = batch[1]
    assert set(problem2.evaluate.compute_pck(truths, truths, THRESHOLDS).values()) == {1.0}


def test_distance_equal_to_the_threshold_is_correct(problem2):
    truth = moved(0, 0, 0)
    pck = problem2.evaluate.compute_pck
    # bbox: .25 * 50 = 12.5, and (7.5, 10) is 12.5 long. torso: .25 * 40 = 10 = |(6, 8)|.
    assert pck(moved(2, 7.5, 10), truth, [0.25])[0.25] == 1.0
    assert pck(moved(2, 7.5, 10.01), truth, [0.25])[0.25] == pytest.approx(0.8)
    assert pck(moved(2, 6, 8), truth, [0.25], "torso")[0.25] == 1.0
    assert pck(moved(2, 6, 8.01), truth, [0.25], normalize_by="torso")[0.25] == pytest.approx(0.8)


def test_each_image_has_its_own_length(problem2):
    truths = torch.cat([moved(0, 0, 0), moved(0, 0, 0) / 10])  # diagonals 50 and 5
    predictions = truths + torch.tensor([10.0, 0.0])
    assert problem2.evaluate.compute_pck(predictions, truths, [0.5]) == {0.5: 0.5}


def test_nan_and_infinity_are_wrong(problem2):
    predictions = moved(0, math.nan, 0)
    predictions[0, 1, 1] = math.inf
    result = problem2.evaluate.compute_pck(predictions, moved(0, 0, 0), [0.5, 100.0])
    assert result == pytest.approx({0.5: 0.6, 100.0: 0.6})


@pytest.mark.parametrize("normalize_by", ["bbox", "torso"])
def test_length_zero_counts_exact_hits(problem2, normalize_by):
    truths = torch.full((1, 5, 2), 7.0)
    predictions = truths.clone()
    predictions[0, 0, 0] += 0.001
    result = problem2.evaluate.compute_pck(predictions, truths, [0.0, 0.5], normalize_by)
    assert result == pytest.approx({0.0: 0.8, 0.5: 0.8})


@pytest.mark.parametrize("normalize_by", ["bbox", "torso"])
def test_no_images_give_nan(problem2, normalize_by):
    empty = torch.zeros(0, 5, 2)
    result = problem2.evaluate.compute_pck(empty, empty, [0.1, 0.2], normalize_by)
    assert list(result) == [0.1, 0.2] and all(math.isnan(value) for value in result.values())


@pytest.mark.parametrize("word", ["box", "BBOX", "", None])
@pytest.mark.parametrize("count", [0, 1])
def test_unknown_normaliser_is_refused(problem2, word, count):
    points = moved(0, 0, 0)[:count]
    with pytest.raises(ValueError, match="normalize_by"):
        problem2.evaluate.compute_pck(points, points, [0.1], normalize_by=word)


def test_pck_of_arrays_integers_and_mixed_types(problem2):
    truth = np.array([FIGURE])
    for predictions in (truth, truth.astype(np.float32), torch.tensor(truth), [FIGURE]):
        result = problem2.evaluate.compute_pck(predictions, truth, np.array([0.25, 0.5]))
        assert result == {0.25: 1.0, 0.5: 1.0}
        assert all(type(value) is float for value in result.values())


# --- figures -------------------------------------------------------------------------------


def test_curves_are_saved_in_a_new_folder(problem2, tmp_path):
    path = tmp_path / "new" / "deep" / "curves.png"
    problem2.evaluate.plot_pck_curves({0.2: 1.0, 0.05: 0.9}, {0.05: 0.1, 0.2: math.nan}, path)
    with Image.open(path) as picture:
        assert picture.width > 300


@pytest.mark.parametrize("shape", [(1, 128, 128), (128, 128)])
def test_prediction_picture(problem2, tmp_path, shape):
    path = tmp_path / "new" / "prediction.png"
    image = torch.ones(shape)
    problem2.evaluate.visualize_predictions(image, moved(1, 9, 9)[0], moved(0, 0, 0)[0], str(path))
    with Image.open(path) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(maxcolors=100_000)}
    assert len(colours) > 2  # more than white and black: markers were drawn


def test_figures_leave_pyplot_alone(problem2, tmp_path):
    import matplotlib.pyplot as plt

    problem2.evaluate.plot_pck_curves({0.1: 1.0}, {0.1: 0.5}, tmp_path / "curves.png")
    assert plt.get_fignums() == []
