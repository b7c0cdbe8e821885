"""Problem 2, measured: errors, failures, collapse, calibration, and what pixels can tell of hands.

From the committed weights, from the predictions that the trainings have stored, and from validation
figures drawn in memory. Points are (x, y) in image pixels, `[N, 5, 2]`.
"""

from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import datasets
from datasets import audit

from ... import problems
from ...figures.keypoints import heatmaps
from ...problems import KIT
from ..training import SIDE, THRESHOLDS, decoders
from .stored import Study, of_reference

RESULTS = KIT / "solution" / "problem2" / "results"
# The published model report of the assignment: PCK in percent at .05, .10, .15, .20. Its figures
# were drawn anew, with hands that stay on their own side; see the text.
PUBLISHED = {"heatmap": (98.9, 100.0, 100.0, 100.0), "regression": (3.9, 14.6, 29.1, 43.4)}
STRICT = THRESHOLDS[0]  # where a pixel of a heatmap shows
CURVE = tuple(percent / 100 for percent in range(31))
CASES = {"both right": (True, True), "only HeatmapNet": (True, False),
         "only RegressionNet": (False, True), "both wrong": (False, False)}
HANDS = [1, 2]
SHIFT = 16  # pixels: the encoder's stride, so that its last map moves by one whole cell
VARIANTS = {  # group of trainings -> side of the heatmaps, sigma, what it is called
    "keypoints-heatmap": (64, 2.0, "reference: 64 x 64, sigma 2, skips"),
    "keypoints-size-32": (32, 2.0, "32 x 32"),
    "keypoints-size-128": (128, 2.0, "128 x 128"),
    "keypoints-sigma-1": (64, 1.0, "sigma 1"),
    "keypoints-sigma-3": (64, 3.0, "sigma 3"),
    "keypoints-sigma-4": (64, 4.0, "sigma 4"),
    "keypoints-no-skip": (64, 2.0, "no skip connections"),
}
HEADS = {  # group of trainings -> what follows the encoder
    "keypoints-pooling": "pooling (RegressionNet)",
    "keypoints-pooling-no-dropout": "pooling, no dropout",
    "keypoints-flatten": "flatten",
    "keypoints-flatten-no-dropout": "flatten, no dropout",
    "keypoints-soft-argmax": "soft-argmax",
    "keypoints-heatmap": "decoder, heatmaps (HeatmapNet)",
}


class Predicted(NamedTuple):
    """Points `[N, 5, 2]` that a network names, and the height of its peaks `[N, 5]` if it has."""

    points: np.ndarray
    peaks: np.ndarray | None = None


class Calibration(NamedTuple):
    """How well the height of a peak tells whether it is right.

    Args:
        right: whether each keypoint is within the threshold, `[M]`.
        peak: height of its peak, `[M]`.
        bins: per tenth of height: mean height, share right, keypoints.
        gap: mean of |share right - mean height| over keypoints, by these bins.
    """

    right: np.ndarray
    peak: np.ndarray
    bins: list[tuple[float, float, int]]
    gap: float

    def height(self, right: bool) -> str:
        """The mean peak of the keypoints that are right, or wrong; "none" where there is none."""
        peak = self.peak[self.right == right]
        return f"{peak.mean():.2f}" if len(peak) else "none"


class Keypoints:
    """Measurements of problem 2 on so many validation images, each made when it is first asked for.
    """

    def __init__(self, study: Study, images: int = 200):
        self.study = study
        self.metrics = of_reference(2)["metrics"]
        data = self.metrics["heatmap"]["data"]
        self.problem = problems.solution(2)
        self.names = [name.replace("_", " ") for name in self.problem.dataset.KEYPOINT_NAMES]
        self.images, self.truth = _figures(data["profile"], "val", data["seed"], images)
        self.mean_pose = _figures(data["profile"], "train", data["seed"], data["train"])[1].mean(0)
        self.classic_images, self.classic_truth = _figures("classic", "val", data["seed"], images)

    # --- answers -------------------------------------------------------------------------------

    @cached_property
    def heatmap(self) -> Predicted:
        """The reference HeatmapNet."""
        maps = self._run("heatmap", self.images)
        return Predicted(self.argmax(maps), maps.flatten(2).amax(dim=2).numpy())

    @cached_property
    def first_heatmaps(self) -> np.ndarray:
        """The reference's maps of the first image, `[5, 64, 64]`."""
        return self._run("heatmap", self.images[:1])[0].numpy()

    @cached_property
    def regression(self) -> Predicted:
        """The reference RegressionNet."""
        return Predicted(self._points("regression", self.images))

    def _points(self, name: str, images: np.ndarray, ring: bool = False) -> np.ndarray:
        output = self._run(name, images, ring)
        return (self.argmax(output) if output.dim() == 4
                else output.unflatten(1, (-1, 2)).numpy() * SIDE)

    def _run(self, name: str, images: np.ndarray, ring: bool = False) -> torch.Tensor:
        model = {"heatmap": self.problem.model.HeatmapNet,
                 "regression": self.problem.model.RegressionNet}[name]()
        model.load_state_dict(torch.load(RESULTS / f"{name}_model.pth", map_location="cpu",
                                         weights_only=True))
        for layer in model.eval().modules():
            if ring and isinstance(layer, nn.Conv2d):
                layer.padding_mode = "circular"
        batches = (torch.from_numpy(images)[:, None].float() / 255).split(32)
        with torch.no_grad():
            return torch.cat([model(batch) for batch in tqdm(
                batches, desc=name, unit="batch", leave=False, disable=None)])

    def argmax(self, maps: torch.Tensor) -> np.ndarray:
        """Points of the image where heatmaps `[N, 5, S, S]` are highest."""
        points = self.problem.evaluate.extract_keypoints_from_heatmaps(maps).numpy()
        return points * SIDE / maps.shape[-1]

    def stored_answers(self, group: str) -> list[Predicted]:
        """What each training of a group has answered, by seed."""
        count = len(self.images)
        return [Predicted(np.array(result["predicted"][:count]),
                       np.array(result["peaks"][:count]) if "peaks" in result else None)
                for result in self.study[group]]

    @property
    def everywhere_the_mean(self) -> np.ndarray:
        """The mean training pose as an answer to every image."""
        return np.broadcast_to(self.mean_pose, self.truth.shape)

    # --- errors --------------------------------------------------------------------------------

    def pck(self, points: np.ndarray, truth: np.ndarray | None = None,
            thresholds: tuple[float, ...] = THRESHOLDS) -> dict[float, float]:
        """PCK of some answer, on the standard figures unless told otherwise.

        Args:
            points, truth: `[N, 5, 2]` in pixels; thresholds: parts of the diagonal of each box.
        """
        truth = self.truth if truth is None else truth
        return self.problem.evaluate.compute_pck(np.array(points), truth, thresholds)

    def cases(self, threshold: float) -> dict[str, np.ndarray]:
        """Which keypoints fall in each of the four CASES, `[N, 5]`."""
        heatmap = correct(self.heatmap.points, self.truth, threshold)
        regression = correct(self.regression.points, self.truth, threshold)
        return {name: (heatmap == first) & (regression == second)
                for name, (first, second) in CASES.items()}

    @property
    def errors(self) -> list[tuple[str, float, float, float, float]]:
        """Of each keypoint: name; mean error in pixels and PCK at .05, first of HeatmapNet."""
        columns = [column for answer in (self.heatmap, self.regression) for column in (
            np.linalg.norm(answer.points - self.truth, axis=2).mean(axis=0),
            correct(answer.points, self.truth, 0.05).mean(axis=0))]
        return list(zip(self.names, *columns))

    @cached_property
    def decoders(self) -> dict[str, dict[str, float]]:
        """The reference's heatmaps read in three ways, see `training.decoders`."""
        return decoders(self.problem.evaluate, self._run("heatmap", self.images),
                        torch.from_numpy(self.truth))

    def miss(self, answer: Predicted, threshold: float) -> float:
        """Median distance, in pixels, of what lies outside the threshold."""
        distance = np.linalg.norm(answer.points - self.truth, axis=2)
        return float(np.median(distance[~correct(answer.points, self.truth, threshold)]))

    @cached_property
    def collapse(self) -> dict[str, dict[str, np.ndarray]]:
        """Standard deviation over the images of where the figure is (mean of its keypoints) and of
        its pose (keypoints about that mean): "place" and "pose" -> truth or network -> `[x, y]`."""
        found: dict[str, dict[str, np.ndarray]] = {"place": {}, "pose": {}}
        for name, points in (("truth", self.truth), ("HeatmapNet", self.heatmap.points),
                             ("RegressionNet", self.regression.points)):
            place = points.mean(axis=1, keepdims=True)
            found["place"][name] = place.std(axis=0)[0]
            found["pose"][name] = (points - place).std(axis=0).mean(axis=0)
        return found

    @cached_property
    def follows(self) -> dict[str, tuple[float, float]]:
        """How far answers move, in pixels, when figures move by SHIFT to the right, or down.

        "ring" is RegressionNet with its image closed to a ring, so that it has no border.
        """
        # Figures that stay inside the image with all their strokes.
        stay = np.flatnonzero(self.truth.max(axis=(1, 2)) < SIDE - SHIFT - 2)
        moved = {}
        for key, name in (("heatmap", "heatmap"), ("regression", "regression"),
                          ("ring", "regression")):
            here, right, down = (
                self._points(name, np.roll(self.images[stay], shift, axis=(1, 2)), key == "ring")
                for shift in ((0, 0), (0, SHIFT), (SHIFT, 0)))
            moved[key] = (float((right - here)[..., 0].mean()), float((down - here)[..., 1].mean()))
        return moved

    # --- targets -------------------------------------------------------------------------------

    def targets(self, size: int, sigma: float) -> torch.Tensor:
        """True heatmaps `[N, 5, S, S]`, as the solution draws them."""
        points = torch.from_numpy(self.truth) * size / SIDE
        return torch.stack([heatmaps(figure, size, sigma) for figure in points])

    @cached_property
    def loss_of_zeros(self) -> dict[str, float]:
        """Mean squared error of answering 0 everywhere, per variant."""
        return {group: float(self.targets(size, sigma).square().mean())
                for group, (size, sigma, _) in VARIANTS.items()}

    @cached_property
    def ceiling(self) -> dict[int, dict[float, float]]:
        """PCK of perfect heatmaps of each size: what argmax leaves of them."""
        return {size: self.pck(self.argmax(self.targets(size, 2.0))) for size in (32, 64, 128)}

    def loss(self, group: str) -> float:
        """Mean of the last validation losses of a group of trainings."""
        return float(np.mean([result["log"]["val_loss"][-1] for result in self.study[group]]))

    def strict_pck(self, group: str) -> list[float]:
        """PCK at the strict threshold of each training of a group."""
        return [result["pck"][f"{STRICT:.2f}"] for result in self.study[group]]

    @property
    def disordered(self) -> tuple[int, int]:
        """Pairs of variants of which the one with the lower loss has the lower PCK; all pairs."""
        pairs = list(combinations(
            [(self.loss(group), float(np.mean(self.strict_pck(group)))) for group in VARIANTS], 2))
        return sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in pairs), len(pairs)

    @property
    def largest_spread(self) -> float:
        """The most that two seeds of one variant differ in strict PCK."""
        return max(np.ptp(self.strict_pck(group)) for group in VARIANTS)

    # --- hands, peaks --------------------------------------------------------------------------

    @cached_property
    def oracle(self) -> np.ndarray:
        """Classic figures with every keypoint found and the two hands named by their x."""
        return audit.sort_hands(self.classic_truth)

    @cached_property
    def classic(self) -> np.ndarray:
        """What the net trained on classic data answers to classic figures."""
        return self.stored_answers("keypoints-classic")[0].points

    def on_classic(self, points: np.ndarray) -> list[float]:
        """PCK of some answer to classic figures, from .05 on; then, at .05, of hands and others."""
        right = [correct(points, self.classic_truth, threshold) for threshold in THRESHOLDS[1:]]
        return [*(found.mean() for found in right), right[0][:, HANDS].mean(),
                np.delete(right[0], HANDS, axis=1).mean()]

    @cached_property
    def wrong_hands(self) -> np.ndarray:
        """Which hands (.05) the net trained on classic data gets wrong, `[N, 2]`."""
        return ~correct(self.classic, self.classic_truth, 0.05)[:, HANDS]

    @cached_property
    def swapped(self) -> tuple[int, int]:
        """How many these are; how many of them are the other hand."""
        exchanged = self.classic_truth[:, [0, 2, 1, 3, 4]]
        other = correct(self.classic, exchanged, 0.05)[:, HANDS]
        return int(self.wrong_hands.sum()), int((self.wrong_hands & other).sum())

    def calibration(self, name: str, threshold: float) -> Calibration:
        """Peaks of "reference", "classic" or a group of trainings (all seeds), at a threshold."""
        classic = name == "keypoints-classic"
        answers = [self.heatmap] if name == "reference" else self.stored_answers(name)
        truth = self.classic_truth if classic else self.truth
        chosen = HANDS if classic else list(range(5))
        right = np.concatenate([correct(a.points, truth, threshold)[:, chosen] for a in answers])
        peak = np.concatenate([a.peaks[:, chosen] for a in answers if a.peaks is not None])
        return calibrate(right.ravel(), peak.ravel())


def _figures(profile: str, split: str, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    samples = datasets.draw(profile, "keypoints", split, seed, count)
    return (np.stack([sample.image for sample in samples]),
            np.stack([sample.keypoints for sample in samples]))


def correct(points: np.ndarray, truth: np.ndarray, threshold: float) -> np.ndarray:
    """Which keypoints `[N, 5, 2]` lie within the threshold, a part of the diagonal of each box:
    `[N, 5]`."""
    diagonal = np.linalg.norm(truth.max(axis=1) - truth.min(axis=1), axis=1)
    return np.linalg.norm(points - truth, axis=2) / diagonal[:, None] <= threshold


def calibrate(right: np.ndarray, peak: np.ndarray) -> Calibration:
    """Compare heights of peaks with what became of them; both `[M]`."""
    tenth = np.clip((peak * 10).astype(int), 0, 9)
    bins = [(float(peak[tenth == b].mean()), float(right[tenth == b].mean()),
             int((tenth == b).sum())) for b in range(10) if (tenth == b).any()]
    gap = sum(abs(share - height) * count for height, share, count in bins) / len(peak)
    return Calibration(right, peak, bins, gap)
