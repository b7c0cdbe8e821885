"""Problem 2: heatmaps, keypoints, PCK."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autograder.assignment.checks.test_p2_subpixel import SIZE
from autograder.engine.check import Question, call, pure
from autograder.instructor.proof.audit import Audited
from datasets.constants import FIGURE_SIZE, KEYPOINT_NAMES

from .drawing import Draw, array


def _figures(draw: Draw, side: int) -> dict[str, Any]:
    """A black image of any side, with keypoints inside of it."""
    points = array(draw, st.integers(0, 4 * side - 1), len(KEYPOINT_NAMES), 2) / 4
    return {"images": {"0.png": np.zeros((side, side), np.uint8)}, "annotations": {
        "images": [{"id": 0, "file_name": "0.png", "keypoints": points.tolist()}],
        "keypoint_names": list(KEYPOINT_NAMES), "num_keypoints": len(points)}}


@st.composite
def _keypoint_items(draw: Draw) -> Question:
    options = draw(st.sampled_from([{}, {"output_type": "regression"}, {
        "heatmap_size": 24, "sigma": 1.0}, {"sigma": 3.0}]))
    return Question("problem2", "keypoint_items", {
        **_figures(draw, FIGURE_SIZE), "options": options})


@st.composite
def _heatmap(draw: Draw) -> Question:
    keypoints = array(draw, st.integers(-8, 60), draw(st.integers(1, 4)), 2) / 4
    return Question("problem2", "heatmaps", {
        **_figures(draw, FIGURE_SIZE), "options": {"sigma": draw(st.sampled_from([1.0, 2.0, 3.5]))},
        "keypoints": keypoints, "height": draw(st.integers(1, 12)),
        "width": draw(st.integers(1, 12))})


def _gaussians(keypoints: Any, height: int, width: int, options: Any, **_: Any) -> Any:
    return np.array([[[math.exp(-((j - x)**2 + (i - y)**2) / 2 / options["sigma"]**2)
                       if 0 <= x < width and 0 <= y < height else 0.0 for j in range(width)]
                      for i in range(height)] for x, y in keypoints.tolist()])


def _maps(draw: Draw, least: int) -> Any:
    shape = [draw(st.integers(1, 3)), draw(st.integers(1, 3)),
             *(draw(st.integers(least, 5)) for _ in range(2))]
    return array(draw, st.integers(-3, 3), *shape)


@st.composite
def _peaks(draw: Draw) -> Question:
    return pure(call("problem2", "evaluate.extract_keypoints_from_heatmaps", _maps(draw, 1)))


def _highest(heatmaps: Any) -> Any:
    return np.array([[[index % one.shape[1], index // one.shape[1]] for one in image
                      for index in [one.ravel().tolist().index(one.max())]] for image in heatmaps])


@st.composite
def _subpixel(draw: Draw) -> Question:
    rng, sigma = np.random.default_rng(draw(st.integers(0, 10**6))), draw(st.floats(1.5, 3))
    x, y = (np.exp(-(np.arange(size) - rng.uniform(4.01, size - 5.01, (60, 1)))**2 / 2 / sigma**2)
            for size in SIZE[::-1])
    maps = (y[:, :, None] * x[:, None]).astype(np.float32).reshape(12, 5, *SIZE)
    return call("problem2", "evaluate.decode_subpixel", maps)


@st.composite
def _distances(draw: Draw) -> Question:
    """Whole keypoints, and halves and quarters as thresholds, whose limits have no rounding."""
    images = draw(st.integers(0, 3))
    truth = array(draw, st.integers(0, 8), images, 5, 2)
    found = truth + array(draw, st.integers(-4, 4), images, 5, 2)
    found[array(draw, st.integers(0, 19), images, 5) == 0] = np.nan
    limits = draw(st.lists(st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0]), min_size=1, max_size=3,
                           unique=True))
    options = draw(st.sampled_from([{}, {"normalize_by": "torso"}]))
    return pure(call("problem2", "evaluate.compute_pck", found, truth, limits, **options))


def _shares(found: Any, truth: Any, limits: Any, normalize_by: str = "bbox") -> Any:
    def length(t: Any) -> float:
        if normalize_by == "torso":
            return math.dist(t[0], (t[3] + t[4]) / 2)
        return math.dist(t.max(axis=0), t.min(axis=0))

    off = [(math.dist(p, q), length(t)) for f, t in zip(found, truth) for p, q in zip(f, t)]
    return {limit: sum(d <= limit * own for d, own in off) / len(off) if off else math.nan
            for limit in limits}


FUNCTIONS = {
    "KeypointDataset": Audited("2.1.3", _keypoint_items(), share=0.05),
    "generate_heatmap": Audited("2.2.2", _heatmap(), _gaussians, share=0.2),
    "extract_keypoints_from_heatmaps": Audited("2.5.5", _peaks(), _highest),
    "compute_pck": Audited("2.6.3", _distances(), _shares),
    "decode_subpixel": Audited("2.12.1", _subpixel(), share=0.02, judged=True),
}
