"""Pixels alone: copies side by side with lines of one pixel, small discs; an area for each curve."""
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw


def visualize_detections(image, predictions, ground_truths, save_path):
    copies = []
    for found in (ground_truths, predictions):
        pixels = (image.permute(1, 2, 0).numpy() * 255).astype(np.uint8).copy()
        for x1, y1, x2, y2 in found["boxes"].numpy().astype(int):
            pixels[y1:y2 + 1, [x1, x2]] = pixels[[y1, y2], x1:x2 + 1] = (255, 0, 0)
        copies.append(pixels)
    Image.fromarray(np.concatenate(copies, axis=1)).save(save_path)


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    picture = Image.fromarray((image[0].numpy() * 255).astype(np.uint8)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for points, colour in ((gt_keypoints, "lime"), (pred_keypoints, "red")):
        for x, y in points.tolist():
            pen.ellipse([x - 2, y - 2, x + 2, y + 2], fill=colour)
    picture.save(save_path)


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for ax, pck in zip(axes, (pck_heatmap, pck_regression)):
        ax.fill_between(list(pck), list(pck.values()), alpha=0.3)
        ax.plot(list(pck), list(pck.values()))
        ax.set_ylim(0, 1.05)
    figure.savefig(save_path, dpi=200)
