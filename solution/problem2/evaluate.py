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
    # BEGIN SOLUTION Task 2.5 extract_keypoints_from_heatmaps P2.extract
    # mutants: equivalent (without torch.as_tensor), heatmaps are tensors already
    heatmaps = torch.as_tensor(heatmaps)
    width = heatmaps.shape[-1]
    index = heatmaps.flatten(start_dim=2).argmax(dim=2)  # [B,K], position in reading order
    return torch.stack([index % width, index // width], dim=2).float()  # [B,K,2]
    # END SOLUTION


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
    # BEGIN SOLUTION Task 2.12 decode_subpixel P2.subpixel
    # mutants: free, whatever is precise enough is right
    height, width = heatmaps.shape[2:]
    x, y = extract_keypoints_from_heatmaps(heatmaps).long().unbind(dim=2)  # [B,K]
    # The logarithm of a Gaussian is a parabola. Three of its values tell where its maximum is.
    flat = heatmaps.float().clamp(min=1e-20).log().flatten(start_dim=2)
    finer = []
    for peak, size, stride in ((x, width, 1), (y, height, width)):
        middle = peak.clamp(1, size - 2)  # at the border, the parabola through the three next to it
        index = y * width + x + (middle - peak) * stride
        before, here, after = (
            flat.gather(2, (index + step * stride)[..., None])[..., 0] for step in (-1, 0, 1))
        bend = before - 2 * here + after
        step = ((before - after) / (2 * bend)).clamp(-1, 1)
        finer.append(torch.where(bend < 0, middle + step, peak.float()))
    return torch.stack(finer, dim=2)
    # END SOLUTION


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
    # BEGIN SOLUTION Task 2.6 compute_pck P2.pck
    # mutants: equivalent (without dtype=torch.float64), limits are exact in float32 as well
    # mutants: free (without .item()), a tensor of one number is accepted as the number
    predictions = torch.as_tensor(predictions, dtype=torch.float64)
    truths = torch.as_tensor(ground_truths, dtype=torch.float64)
    if normalize_by == "bbox":
        lengths = (truths.amax(dim=1) - truths.amin(dim=1)).norm(dim=1)  # [N]
    elif normalize_by == "torso":
        head = truths[:, 0]
        feet = truths[:, 3:5].mean(dim=1)  # mutants: equivalent (5 -> 6), there are 5 keypoints
        lengths = (head - feet).norm(dim=1)
    else:
        raise ValueError(f'normalize_by must be "bbox" or "torso", got {normalize_by!r}')

    distances = (predictions - truths).norm(dim=2)  # [N,K]
    # Multiplied, not divided: no division by a length of 0, and nan compares as False.
    return {
        threshold: (distances <= threshold * lengths[:, None]).double().mean().item()
        for threshold in thresholds
    }
    # END SOLUTION


# BEGIN SOLUTION for Task 2.9
@torch.no_grad()
def predict_keypoints(model: torch.nn.Module, loader) -> tuple[torch.Tensor, torch.Tensor]:
    """Predicted and true keypoints of all images, float32 `[N,K,2]` each, in image pixels.

    Takes either network. The loader carries regression targets in both cases, because true
    coordinates cannot be read back from a heatmap without rounding them to its pixels.
    """
    device = next(model.parameters()).device
    model.eval()
    predictions, truths = [], []  # mutants: equivalent (swap predictions, truths), both are empty
    for images, targets in loader:
        # mutants: equivalent (-1 -> -2; -1 -> 1; -1 -> -0), squares; PCK does not depend on scale
        image_size = images.shape[-1]
        # mutants: equivalent (without .float(); without .cpu()), float32 on the CPU already
        output = model(images.to(device)).float().cpu()
        if output.dim() == 4:
            # mutants: equivalent (-1 -> -2), heatmaps are square
            scale = image_size / output.shape[-1]
            predictions.append(extract_keypoints_from_heatmaps(output) * scale)
        else:
            predictions.append(output.unflatten(1, (-1, 2)) * image_size)  # [B,2K] -> [B,K,2]
        truths.append(targets.unflatten(1, (-1, 2)) * image_size)
    return torch.cat(predictions), torch.cat(truths)


# mutants: free, what a picture shows
def draw_keypoints(axes, image, pred_keypoints, gt_keypoints) -> None:
    """Truth as circles, prediction as crosses, and a line from each truth to its prediction."""
    pixels = torch.as_tensor(image).detach().cpu().squeeze().float().numpy()
    predicted = torch.as_tensor(pred_keypoints).detach().cpu().float().numpy()
    truth = torch.as_tensor(gt_keypoints).detach().cpu().float().numpy()
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1)
    for start, end in zip(truth, predicted, strict=True):
        axes.plot(*zip(start, end, strict=True), color="tab:red", linewidth=1)
    axes.plot(*truth.T, "o", color="tab:green", fillstyle="none", markersize=9, label="truth")
    axes.plot(*predicted.T, "x", color="tab:red", markersize=6, label="prediction")
    axes.set_axis_off()


# END SOLUTION
def plot_pck_curves(pck_heatmap, pck_regression, save_path) -> None:
    """Save one figure with PCK over the threshold for both networks.

    Args:
        pck_heatmap, pck_regression: dicts threshold -> fraction, from `compute_pck`.
        save_path: image file to write; missing folders are made.

    Axes are labelled, the curves are told apart by a legend, and the fraction axis spans 0..1,
    so that two figures can be compared.
    """
    # BEGIN SOLUTION Task 2.7 plot_pck_curves P2.plots
    # mutants: free, what a picture shows
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    for label, pck in (("HeatmapNet", pck_heatmap), ("RegressionNet", pck_regression)):
        axes.plot(*zip(*sorted(pck.items()), strict=True), marker=".", label=label)
    axes.set(xlabel="threshold (fraction of the box diagonal)",
             ylabel="keypoints within the threshold", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    Path(save_path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(save_path, dpi=150)
    # END SOLUTION


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path) -> None:
    """Save the image with its true and predicted keypoints.

    Args:
        image: `[1,H,W]` or `[H,W]`, 0..1.
        pred_keypoints, gt_keypoints: `[K,2]`, (x, y) in image pixels.
        save_path: image file to write; missing folders are made.

    Truth and prediction have different markers, named in a legend.
    """
    # BEGIN SOLUTION Task 2.7 visualize_predictions P2.plots
    # mutants: free, what a picture shows
    figure = Figure(figsize=(4, 4.2), layout="constrained")
    axes = figure.subplots()
    draw_keypoints(axes, image, pred_keypoints, gt_keypoints)
    figure.legend(loc="outside lower center", ncols=2)
    Path(save_path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(save_path, dpi=120)
    # END SOLUTION
