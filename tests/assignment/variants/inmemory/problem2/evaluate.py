from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE_THRESHOLDS = tuple(percent / 100 for percent in range(51))


def extract_keypoints_from_heatmaps(heatmaps):
    best = heatmaps.amax(dim=(2, 3), keepdim=True)
    result = torch.empty(*heatmaps.shape[:2], 2)
    for b, k in np.ndindex(*heatmaps.shape[:2]):
        y, x = (heatmaps[b, k] == best[b, k]).nonzero()[0]
        result[b, k] = torch.stack([x, y])
    return result


class PCK(dict):
    def curve(self):
        return zip(*sorted(self.items()))


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox"):
    if normalize_by not in {"bbox", "torso"}:
        raise ValueError(normalize_by)
    p, g = np.array(predictions, dtype=float), np.array(ground_truths, dtype=float)
    with np.errstate(invalid="ignore"):
        d = np.hypot(*np.moveaxis(p - g, -1, 0))
    if len(g) == 0:
        return PCK((t, np.nan) for t in thresholds)
    if normalize_by == "bbox":
        length = np.hypot(np.ptp(g[..., 0], axis=1), np.ptp(g[..., 1], axis=1))
    else:
        length = np.sqrt(((g[:, 0] - (g[:, 3] + g[:, 4]) / 2) ** 2).sum(1))
    return PCK((t, np.count_nonzero(d <= t * length[:, None]) / d.size) for t in thresholds)


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    with plt.style.context("ggplot"):
        figure, axes = plt.subplots()
        for pck, name in ((pck_heatmap, "heatmap"), (pck_regression, "regression")):
            axes.step(*zip(*sorted(pck.items())), label=name, where="post")
        axes.set(xlabel="threshold", ylabel="PCK", ylim=(0, 1))
        axes.legend(loc="lower right")
        Path(save_path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(save_path)
        plt.close(figure)


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4))
    for axes, points, title in ((left, gt_keypoints, "truth"), (right, pred_keypoints, "prediction")):
        axes.imshow(torch.as_tensor(image).squeeze(), cmap="gray")
        axes.scatter(*np.asarray(points).T, marker="+" if title == "truth" else "x", c="red", label=title)
        axes.set_title(title)
        axes.legend()
    Path(save_path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(save_path)
    plt.close(figure)
