from pathlib import Path

import numpy as np
import torch

from metrics import LENGTHS
from plotting import canvas, store

PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE_THRESHOLDS = tuple(percent / 100 for percent in range(51))


def extract_keypoints_from_heatmaps(heatmaps):
    b, k, h, w = heatmaps.shape
    flat = heatmaps.detach().cpu().numpy().reshape(b * k, h * w)
    rows, columns = np.unravel_index(indices=flat.argmax(axis=1), shape=(h, w))
    return torch.tensor(data=np.stack(arrays=(columns, rows), axis=1).reshape(b, k, 2), dtype=torch.float32)


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox"):
    if normalize_by not in LENGTHS:
        raise ValueError(f"normalize_by is {normalize_by!r}, not one of {sorted(LENGTHS)}")
    predictions, ground_truths = (np.asarray(a=x, dtype=np.float64) for x in (predictions, ground_truths))
    if len(predictions) == 0:
        return dict.fromkeys(thresholds, float("nan"))
    distance = np.linalg.norm(x=predictions - ground_truths, axis=2)
    length = LENGTHS[normalize_by](points=ground_truths)[:, None]
    return {t: float(np.mean(a=distance <= t * length)) for t in thresholds}


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    figure, axes = canvas(width=5, height=4)
    for name, pck in (("HeatmapNet", pck_heatmap), ("RegressionNet", pck_regression)):
        axes.plot(list(pck.keys()), list(pck.values()), label=name)
    axes.set_xlabel(xlabel="threshold")
    axes.set_ylabel(ylabel="PCK")
    axes.set_ylim(bottom=0, top=1)
    axes.legend()
    store(figure=figure, path=save_path)


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    figure, axes = canvas(width=4, height=4)
    axes.imshow(X=np.asarray(a=image).squeeze(), cmap="gray", vmin=0, vmax=1)
    for name, points, marker in (("truth", gt_keypoints, "o"), ("prediction", pred_keypoints, "x")):
        axes.scatter(x=np.asarray(a=points)[:, 0], y=np.asarray(a=points)[:, 1], marker=marker, label=name)
    axes.legend()
    store(figure=figure, path=save_path)
