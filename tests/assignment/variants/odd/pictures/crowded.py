"""Large pictures, cut tight, full of labels, legends, dotted lines, skeletons, grids."""
import matplotlib.pyplot as plt
import numpy as np


def visualize_detections(image, predictions, ground_truths, save_path):
    plt.figure(figsize=(8, 8))
    plt.imshow(image.numpy().transpose(1, 2, 0))
    for name, found, options in (
            ("truth", ground_truths, {"fill": False, "alpha": 0.9, "color": "blue"}),
            ("found", predictions, {"fill": False, "ls": ":", "lw": 3, "color": "orange"})):
        for i, (x1, y1, x2, y2) in enumerate(found["boxes"].tolist()):
            plt.gca().add_patch(plt.Rectangle((x1, y1), x2 - x1, y2 - y1, label="" if i else name, **options))
            plt.annotate(f"{name} {int(found['labels'][i])}", (x1, y1), fontsize=12, color="yellow")
    plt.legend()
    plt.title("Detections")
    plt.savefig(save_path, bbox_inches="tight", dpi=300)


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    plt.figure(figsize=(6, 6))
    plt.imshow(image.squeeze(), cmap="gray_r", interpolation="bilinear")
    for points, colour in ((gt_keypoints.numpy(), "lime"), (pred_keypoints.numpy(), "red")):
        plt.scatter(*points.T, c=colour, s=60)
        for i in range(1, 5):
            plt.plot(*points[[0, i]].T, c=colour, lw=1)
        for name, (x, y) in zip("abcde", points):
            plt.text(x + 2, y - 2, name, color=colour)
    for one, other in zip(gt_keypoints, pred_keypoints):
        plt.plot([one[0], other[0]], [one[1], other[1]], "y--", lw=0.5)
    plt.legend(["truth", "found"])
    plt.savefig(save_path, bbox_inches="tight")


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    plt.figure(figsize=(8, 6))
    for name, pck, style in (("heatmap", pck_heatmap, "b:o"), ("regression", pck_regression, "r--s")):
        limits = np.array(sorted(pck))
        plt.plot(limits, [100 * pck[limit] for limit in limits], style, label=name)
        for limit in limits:
            plt.annotate(f"{pck[limit]:.2f}", (limit, 100 * pck[limit]))
    plt.legend()
    plt.grid(True, alpha=0.3)
    plt.savefig(save_path, bbox_inches="tight", dpi=150)
