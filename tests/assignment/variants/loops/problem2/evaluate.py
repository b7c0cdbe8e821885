import math

import matplotlib.pyplot as plt
import torch


def extract_keypoints_from_heatmaps(heatmaps):
    B, K, H, W = heatmaps.shape
    points = torch.zeros(B, K, 2)
    for b in range(B):
        for k in range(K):
            best = -math.inf
            for i in range(H):
                for j, value in enumerate(heatmaps[b, k, i].tolist()):
                    if value > best:
                        best = value
                        points[b, k, 0], points[b, k, 1] = j, i
    return points


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox"):
    if normalize_by not in ("bbox", "torso"):
        raise ValueError("normalize_by")
    result = {}
    for t in thresholds:
        right = total = 0
        for pred, gt in zip(predictions, ground_truths):
            xs, ys = [float(p[0]) for p in gt], [float(p[1]) for p in gt]
            if normalize_by == "bbox":
                length = math.hypot(max(xs) - min(xs), max(ys) - min(ys))
            else:
                length = math.hypot(xs[0] - (xs[3] + xs[4]) / 2, ys[0] - (ys[3] + ys[4]) / 2)
            for k in range(len(gt)):
                distance = math.hypot(float(pred[k][0]) - xs[k], float(pred[k][1]) - ys[k])
                right += distance <= t * length
                total += 1
        result[t] = right / total if total else float("nan")
    return result


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    for pck in (pck_heatmap, pck_regression):
        plt.plot(list(pck.keys()), list(pck.values()))
    plt.savefig(save_path)
    plt.close()


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    plt.clf()
    plt.imshow(image[0], cmap="gray")
    for k in range(len(gt_keypoints)):
        plt.plot(gt_keypoints[k][0], gt_keypoints[k][1], "go")
        plt.plot(pred_keypoints[k][0], pred_keypoints[k][1], "rx")
    plt.savefig(save_path)


def decode_subpixel(heatmaps):
    """A quarter of a pixel towards the higher neighbour, where both lie in the map."""
    b, k, h, w = heatmaps.shape
    out = torch.zeros(b, k, 2, dtype=torch.float64)
    for i in range(b):
        for j in range(k):
            m = heatmaps[i, j]
            x, y = (int(v) for v in extract_keypoints_from_heatmaps(heatmaps[i:i + 1, j:j + 1])[0, 0])
            out[i, j, 0], out[i, j, 1] = x, y
            if 0 < x < w - 1:
                out[i, j, 0] += 0.25 * float(torch.sign(m[y, x + 1] - m[y, x - 1]))
            if 0 < y < h - 1:
                out[i, j, 1] += 0.25 * float(torch.sign(m[y + 1, x] - m[y - 1, x]))
    return out
