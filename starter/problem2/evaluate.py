"""From network outputs to keypoints, from keypoints to a score, and pictures of both.

Letters and the (x, y) convention are those of dataset.py; N is a number of images. The functions
that measure take torch tensors or numpy arrays, of any float or integer type.
"""

from pathlib import Path

import torch
from matplotlib.figure import Figure

# Thresholds of the results table; curves are drawn over CURVE_THRESHOLDS.
PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE_THRESHOLDS = tuple(percent / 100 for percent in range(51))


def extract_keypoints_from_heatmaps(heatmaps: torch.Tensor) -> torch.Tensor:
    """The position of the highest value of each channel.

    Args:
        heatmaps: `[B,K,H,W]`; H and W may differ. Values need not lie in 0..1.

    Returns:
        float32 `[B,K,2]`, (x, y) in heatmap pixels, whole numbers. Where several places share
        the highest value, the first in reading order (row by row) is taken.

    A channel of shape (3, 4) with its maximum at row 2, column 1 gives (1.0, 2.0).
    """
    raise NotImplementedError(
        "Task 2.5 extract_keypoints_from_heatmaps: see handout, rule P2.extract"
    )


def decode_subpixel(heatmaps: torch.Tensor) -> torch.Tensor:
    """The position of the highest value of each channel, finer than whole pixels.

    Whole pixels of a 64 x 64 map are two pixels of the image wide. PCK at .05 hides what they cost;
    the mean distance to the truth shows it.

    Args:
        heatmaps: `[B,K,H,W]`, H and W at least 3.

    Returns:
        float32 `[B,K,2]`, (x, y) in heatmap pixels. On Gaussians without noise the mean distance to
        their centres is below .25 (whole pixels: .38), near the border it is not above that of
        whole pixels, and on any map it is finite.

    Sources: Newell et al. 2016 step a quarter of a pixel towards the higher neighbour; Zhang et al.
    2020 (DARK) step to the maximum of a parabola through the logarithms.
    """
    raise NotImplementedError("Task 2.12 decode_subpixel: see handout, rule P2.subpixel")


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox") -> dict[float, float]:
    """Percentage of correct keypoints, as a fraction: how many lie close enough to the truth.

    A predicted keypoint is correct when its distance to the true one is at most
    `threshold * length` (exactly that distance is still correct), where the length belongs to
    the image, so that a small figure is judged as strictly as a large one:

        normalize_by="bbox"   diagonal of the bounding box of the image's K true keypoints
        normalize_by="torso"  distance from the true head to the middle of the true feet

    Args:
        predictions, ground_truths: `[N,K,2]`, (x, y), both in the same unit; the order of
            keypoints is KEYPOINT_NAMES of dataset.py.
        thresholds: the fractions of the length to try.
        normalize_by: `"bbox"` or `"torso"`; any other word is a ValueError.

    Returns:
        threshold -> fraction in 0..1 of the N * K keypoints that are correct. A prediction that
        is nan is wrong. Where the length is 0, only exact hits are correct. With N = 0 each
        fraction is nan.

    A figure whose box is 30 wide and 40 high has a diagonal of 50: at threshold .25 a keypoint
    may be 12.5 away.

    Source: Yang and Ramanan 2013, "Articulated human detection with flexible mixtures of parts".
    """
    raise NotImplementedError("Task 2.6 compute_pck: see handout, rule P2.pck")


def plot_pck_curves(pck_heatmap, pck_regression, save_path) -> None:
    """Save one figure with PCK over the threshold for both networks.

    Args:
        pck_heatmap, pck_regression: dicts threshold -> fraction, from `compute_pck`.
        save_path: image file to write; missing folders are made.

    Axes are labelled, the curves are told apart by a legend, and the fraction axis spans 0..1,
    so that two figures can be compared.
    """
    raise NotImplementedError("Task 2.7 plot_pck_curves: see handout, rule P2.plots")


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path) -> None:
    """Save the image with its true and predicted keypoints.

    Args:
        image: `[1,H,W]` or `[H,W]`, 0..1.
        pred_keypoints, gt_keypoints: `[K,2]`, (x, y) in image pixels.
        save_path: image file to write; missing folders are made.

    Truth and prediction have different markers, named in a legend.
    """
    raise NotImplementedError("Task 2.7 visualize_predictions: see handout, rule P2.plots")
