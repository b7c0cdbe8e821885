"""Seeds outside, variants inside; thresholds as numbers; a copy of the trained network measured."""

import copy
import json
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from dataset import KEYPOINT_NAMES, KeypointDataset, split_paths
from PIL import Image
from torch.utils.data import DataLoader

import evaluate
import model as networks
import train

ABLATION_THRESHOLDS = (0.02, 0.05, 0.10, 0.20)
VARIANTS = [(64, 2.0, True), (64, 2.0, False), *((64, s, True) for s in (1.0, 3.0, 4.0)),
            (32, 2.0, True), (128, 2.0, True), (128, 4.0, True)]  # one more than asked for


@torch.no_grad()
def answers(net, dataset):
    out = net.eval()(torch.stack([image for image, _ in dataset]))
    if out.ndim == 2:
        return out.reshape(len(out), -1, 2) * 128
    return evaluate.extract_keypoints_from_heatmaps(out) * (128 / out.shape[3])


def truths(dataset):
    return torch.stack([target for _, target in dataset]).reshape(len(dataset), -1, 2) * 128


def ablation_study(data_dir, save_path=None, epochs=10, seeds=(0,), batch_size=32):
    data = {(split, size, sigma): KeypointDataset(
        *split_paths(data_dir, split), heatmap_size=size, sigma=sigma)
        for split in ("val", "train") for size, sigma, _ in VARIANTS}
    val = KeypointDataset(*split_paths(data_dir, "val"), output_type="regression")
    found = {}
    for seed in seeds:
        for size, sigma, skip in VARIANTS:
            torch.manual_seed(seed)
            np.random.seed(seed)
            net = networks.HeatmapNet(heatmap_size=size, skip=skip)
            train.train_heatmap_model(
                net, val_loader=DataLoader(data["val", size, sigma], batch_size),
                train_loader=DataLoader(data["train", size, sigma], batch_size, shuffle=True),
                num_epochs=epochs)
            best = networks.HeatmapNet(heatmap_size=size, skip=skip)
            best.load_state_dict(copy.deepcopy(net.state_dict()))
            found[seed, size, sigma, skip] = evaluate.compute_pck(
                answers(best, val), truths(val), list(ABLATION_THRESHOLDS))
    rows = []
    for size, sigma, skip in VARIANTS:
        own = {t: [float(found[s, size, sigma, skip][t]) for s in seeds]
               for t in ABLATION_THRESHOLDS}
        rows.append({"heatmap_size": size, "sigma": int(sigma), "skip": skip, "pck_per_seed": own,
                     "pck": {t: float(np.mean(v)) for t, v in own.items()},
                     "spread": {t: float(np.std(v)) for t, v in own.items()}})
    if save_path is not None:
        Path(save_path).parent.mkdir(parents=True, exist_ok=True)
        Path(save_path).write_text(json.dumps(rows, indent=2))
    return tuple(rows)


def analyze_failure_cases(heatmap_model, regression_model, dataset, save_dir, threshold=0.1,
                          max_images=3):
    true = truths(dataset)
    limit = threshold * (true.amax(1) - true.amin(1)).norm(dim=-1)[:, None]
    first, second = ((answers(net, dataset) - true).norm(dim=-1) <= limit
                     for net in (heatmap_model, regression_model))
    report = {}
    for name, where in {"both_right": first & second, "both_wrong": ~(first | second),
                        "only_heatmap": first > second, "only_regression": second > first}.items():
        images = [i for i, count in Counter(dict(enumerate(where.sum(1).tolist()))).most_common()
                  if count][:max_images]
        for i in images:
            Path(save_dir).mkdir(parents=True, exist_ok=True)
            pixels = (dataset[i][0][0].numpy() * 255).astype(np.uint8)
            Image.fromarray(np.concatenate([pixels, pixels], axis=1)).save(
                Path(save_dir) / f"failure_{name}_{i}.png")
        report[name] = {"keypoints": dict(zip(KEYPOINT_NAMES, where.sum(0))), "images": images}
    return report
