import math
import os

import matplotlib.pyplot as plt
import torch

PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE_THRESHOLDS = tuple(percent / 100 for percent in range(51))


def extract_keypoints_from_heatmaps(heatmaps):
    B, K, H, W = heatmaps.shape
    result = torch.zeros((B, K, 2))
    for b in range(B):
        for k in range(K):
            best = None
            for i in range(H):
                for j in range(W):
                    value = heatmaps[b, k, i, j].item()
                    if best is None or value > best:
                        best = value
                        result[b, k, 0] = j
                        result[b, k, 1] = i
    return result


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox"):
    if normalize_by not in ["bbox", "torso"]:
        raise ValueError("unknown normalize_by " + str(normalize_by))
    result = {}
    for t in thresholds:
        right = 0
        total = 0
        for n in range(len(predictions)):
            gt = ground_truths[n]
            if normalize_by == "bbox":
                xs = [float(p[0]) for p in gt]
                ys = [float(p[1]) for p in gt]
                length = math.sqrt((max(xs) - min(xs)) ** 2 + (max(ys) - min(ys)) ** 2)
            else:
                fx = (float(gt[3][0]) + float(gt[4][0])) / 2
                fy = (float(gt[3][1]) + float(gt[4][1])) / 2
                length = math.dist((float(gt[0][0]), float(gt[0][1])), (fx, fy))
            for k in range(len(gt)):
                dx = float(predictions[n][k][0]) - float(gt[k][0])
                dy = float(predictions[n][k][1]) - float(gt[k][1])
                total += 1
                if math.sqrt(dx * dx + dy * dy) <= t * length:
                    right += 1
        if total == 0:
            result[t] = float("nan")
        else:
            result[t] = right / total
    return result


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    folder = os.path.dirname(save_path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    plt.figure()
    plt.plot(list(pck_heatmap.keys()), list(pck_heatmap.values()), "o-", label="heatmap")
    plt.plot(list(pck_regression.keys()), list(pck_regression.values()), "s-", label="regression")
    plt.xlabel("threshold")
    plt.ylabel("PCK")
    plt.ylim(0, 1)
    plt.legend()
    plt.savefig(save_path)
    plt.close()


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    folder = os.path.dirname(save_path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    plt.figure()
    plt.imshow(image[0], cmap="gray")
    for x, y in gt_keypoints:
        plt.plot(float(x), float(y), "go")
    for x, y in pred_keypoints:
        plt.plot(float(x), float(y), "rx")
    plt.title("green: truth, red: prediction")
    plt.savefig(save_path)
    plt.close()
