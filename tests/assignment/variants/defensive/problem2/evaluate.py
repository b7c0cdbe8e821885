import math
from pathlib import Path

import torch
from matplotlib.figure import Figure

PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE_THRESHOLDS = tuple(percent / 100 for percent in range(51))


def extract_keypoints_from_heatmaps(heatmaps):
    assert isinstance(heatmaps, torch.Tensor) and heatmaps.dim() == 4
    b, k, h, w = heatmaps.shape
    best_per_row, column = heatmaps.detach().max(dim=3)
    row = best_per_row.argmax(dim=2)
    x = column.gather(2, row.unsqueeze(2)).squeeze(2)
    result = torch.stack([x, row], dim=2).to(torch.float32)
    assert result.shape == (b, k, 2)
    return result


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox"):
    if normalize_by not in ("bbox", "torso"):
        raise ValueError(f"normalize_by {normalize_by!r} is neither bbox nor torso")
    p = torch.as_tensor(predictions).detach().cpu().double().clone()
    g = torch.as_tensor(ground_truths).detach().cpu().double().clone()
    assert p.shape == g.shape and p.dim() == 3 and p.shape[2] == 2
    assert torch.isfinite(g).all()
    thresholds = list(thresholds)
    assert all(t >= 0 for t in thresholds)
    if g.shape[0] == 0:
        return {t: math.nan for t in thresholds}
    if normalize_by == "bbox":
        spans = g.max(dim=1).values - g.min(dim=1).values
    else:
        assert g.shape[1] >= 5
        spans = g[:, 0] - g[:, [3, 4]].mean(dim=1)
    lengths = spans.pow(2).sum(dim=1).sqrt()
    distances = (p - g).pow_(2).sum(dim=2).sqrt_()
    result = {}
    for t in thresholds:
        right = distances <= lengths.unsqueeze(1) * t
        right &= ~torch.isnan(p).any(dim=2)
        result[t] = right.sum().item() / right.numel()
    return result


def _new(save_path, size):
    path = Path(save_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=size)
    return figure, figure.subplots(), path


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    assert pck_heatmap and pck_regression
    figure, axes, path = _new(save_path, (6, 4))
    axes.plot(*zip(*sorted(pck_heatmap.items())), label="HeatmapNet")
    axes.plot(*zip(*sorted(pck_regression.items())), "--", label="RegressionNet")
    axes.set(xlabel="threshold", ylabel="PCK", ylim=(0, 1))
    axes.grid(True)
    axes.legend()
    figure.savefig(path)


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    image = torch.as_tensor(image).detach().cpu().float()
    assert image.dim() in (2, 3)
    if image.dim() == 3:
        return visualize_predictions(image.squeeze(0), pred_keypoints, gt_keypoints, save_path)
    pred, truth = (torch.as_tensor(k).detach().cpu().double() for k in (pred_keypoints, gt_keypoints))
    assert pred.shape == truth.shape
    figure, axes, path = _new(save_path, (4, 4))
    axes.imshow(image.numpy(), cmap="gray", vmin=0, vmax=1)
    axes.plot(truth[:, 0], truth[:, 1], "o", mfc="none", label="truth")
    axes.plot(pred[:, 0], pred[:, 1], "x", label="prediction")
    axes.legend()
    figure.savefig(path)
