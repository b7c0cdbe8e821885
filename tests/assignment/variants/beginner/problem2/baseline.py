import json
import os

import matplotlib.pyplot as plt
import torch
from dataset import KEYPOINT_NAMES, KeypointDataset, split_paths
from evaluate import compute_pck, extract_keypoints_from_heatmaps
from model import HeatmapNet
from runtime import seed_everything
from torch.utils.data import DataLoader
from train import train_heatmap_model

DEFAULT_VARIANT = {"heatmap_size": 64, "sigma": 2.0, "skip": True}
ABLATION = ({}, {"heatmap_size": 32}, {"heatmap_size": 128}, {"sigma": 1.0}, {"sigma": 3.0},
            {"sigma": 4.0}, {"skip": False})
ABLATION_THRESHOLDS = [0.02, 0.05, 0.1, 0.2]


def true_points(dataset, i):
    return dataset[i][1].reshape(-1, 2) * 128


def measure(model, dataset):
    model.eval()
    pred, true = [], []
    for i in range(len(dataset)):
        with torch.no_grad():
            out = model(dataset[i][0].unsqueeze(0))
        points = extract_keypoints_from_heatmaps(out)[0].float()
        pred.append(points * 128 / out.shape[-1])
        true.append(true_points(dataset, i))
    return compute_pck(torch.stack(pred), torch.stack(true), ABLATION_THRESHOLDS)


def ablation_study(data_dir, save_path=None, epochs=10, seeds=(0,), batch_size=32):
    rows = []
    val = KeypointDataset(*split_paths(data_dir, "val"), "regression")
    for change in ABLATION:
        v = dict(DEFAULT_VARIANT)
        v.update(change)
        row = {**v, "pck": {}, "pck_per_seed": {}}
        results = []
        for seed in seeds:
            seed_everything(seed)
            sets = [KeypointDataset(*split_paths(data_dir, s), heatmap_size=v["heatmap_size"],
                                    sigma=v["sigma"]) for s in ("train", "val")]
            net = HeatmapNet(5, v["skip"], v["heatmap_size"])
            train_heatmap_model(net, DataLoader(sets[0], batch_size, True, drop_last=True),
                                DataLoader(sets[1], batch_size), epochs)
            results.append(measure(net, val))
        for t in ABLATION_THRESHOLDS:
            row["pck_per_seed"][str(t)] = [float(r[t]) for r in results]
            row["pck"][str(t)] = sum(row["pck_per_seed"][str(t)]) / len(results)
        rows.append(row)
    if save_path:
        os.makedirs(os.path.dirname(save_path) or ".", exist_ok=True)
        with open(save_path, "w") as f:
            json.dump(rows, f)
    return rows


def analyze_failure_cases(heatmap_model, regression_model, dataset, save_dir, threshold=0.1,
                          max_images=3):
    os.makedirs(save_dir, exist_ok=True)
    heatmap_model.eval()
    regression_model.eval()
    cases = ["both_wrong", "only_regression", "only_heatmap", "both_right"]
    counts = {c: {name: 0 for name in KEYPOINT_NAMES} for c in cases}
    per_image = {c: [0] * len(dataset) for c in cases}
    for i in range(len(dataset)):
        true = true_points(dataset, i)
        with torch.no_grad():
            maps = heatmap_model(dataset[i][0][None])
            a = extract_keypoints_from_heatmaps(maps)[0] * 128 / maps.shape[-1]
            b = regression_model(dataset[i][0][None])[0].reshape(-1, 2) * 128
        diagonal = (true.max(0).values - true.min(0).values).norm()
        for k, name in enumerate(KEYPOINT_NAMES):
            good_a = (a[k] - true[k]).norm() <= threshold * diagonal
            good_b = (b[k] - true[k]).norm() <= threshold * diagonal
            case = cases[2 * int(good_a) + int(good_b)]
            counts[case][name] += 1
            per_image[case][i] += 1
    result = {}
    for c in cases:
        order = sorted(range(len(dataset)), key=lambda i, c=c: (-per_image[c][i], i))
        images = [i for i in order if per_image[c][i]][:max_images]
        for i in images:
            plt.figure(figsize=(2, 2))
            plt.imshow(dataset[i][0][0], cmap="gray")
            plt.savefig(os.path.join(save_dir, f"failure_{c}_{i}.png"))
            plt.close()
        result[c] = {"keypoints": counts[c], "images": images}
    return result
