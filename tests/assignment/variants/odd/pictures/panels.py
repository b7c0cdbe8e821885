"""A panel for each, transparent images, hollow circles; bars on a dark ground, means in the legend."""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle


def visualize_detections(image, predictions, ground_truths, save_path):
    figure, axes = plt.subplots(1, 3, figsize=(12, 4))
    pixels = image.permute(1, 2, 0).numpy()
    axes[0].imshow(pixels)
    for ax, found, style in ((axes[1], ground_truths, "--"), (axes[2], predictions, "-")):
        ax.imshow(pixels, alpha=0.6)
        for x1, y1, x2, y2 in found["boxes"].tolist():
            ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec="r", ls=style))
        ax.set_title(f"{len(found['boxes'])} boxes")
    figure.savefig(save_path)


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    figure, axes = plt.subplots(1, 3, figsize=(12, 4))
    for ax, points in zip(axes, ([], [gt_keypoints], [pred_keypoints])):
        ax.imshow(image[0])
        ax.axis("off")
        for some in points:
            ax.scatter(some[:, 0], some[:, 1], s=100, facecolors="none", edgecolors="w")
    figure.savefig(save_path)


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    with plt.style.context("dark_background"):
        plt.figure()
        x = np.arange(len(pck_heatmap))
        for shift, name, pck in ((-0.2, "heatmap", pck_heatmap), (0.2, "regression", pck_regression)):
            values = list(pck.values())
            plt.bar(x + shift, values, 0.4, label=f"{name} {np.mean(values):.3f}")
        plt.xticks(x, [f"{limit:g}" for limit in pck_heatmap])
        plt.legend()
        plt.savefig(save_path)
