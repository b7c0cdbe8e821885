"""What the choices of HeatmapNet are worth, and where the two networks fail.

    python baseline.py     after train.py, whose weights the failure analysis takes

Variants are compared by PCK in image pixels. Their MSE says nothing here: a wider Gaussian or a
larger map is another target, with another mean square, so that a lower loss need not mean a
better network (predicting zero everywhere has a loss four times lower at half the sigma).
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch.utils.data import DataLoader

import evaluate
import train
from dataset import DEFAULT_DATA, KEYPOINT_NAMES, KeypointDataset, split_paths
from model import HeatmapNet, RegressionNet
from runtime import seed_everything, write_json

# One factor at a time around the assignment's choice, so that a difference has one cause.
DEFAULT_VARIANT = {"heatmap_size": 64, "sigma": 2.0, "skip": True}
ABLATION = (
    {},
    {"heatmap_size": 32},
    {"heatmap_size": 128},
    {"sigma": 1.0},
    {"sigma": 3.0},
    {"sigma": 4.0},
    {"skip": False},
)
# .02 of the box diagonal is about 1.4 image pixels: there the size of a heatmap pixel shows.
ABLATION_THRESHOLDS = (0.02, 0.05, 0.10, 0.20)


def ablation_study(data_dir, save_path=None, epochs=10, seeds=(0,), batch_size=32) -> list[dict]:
    """Train HeatmapNet once per variant and seed, and measure each by PCK.

    Args:
        data_dir: folder with the splits `train` and `val`.
        save_path: optional JSON file for the rows, rewritten after each variant; its
            folder is made if it is missing.
        epochs, seeds, batch_size: of each training, by `train.train_heatmap_model`. Every variant
            sees the same seeds.

    Returns:
        one row per entry of ABLATION, in its order: `heatmap_size`, `sigma` (heatmap pixels),
        `skip`, `seconds` (mean per training), `epochs`, `seeds`, and for each of
        ABLATION_THRESHOLDS `pck` (threshold as text -> mean over the seeds) and `pck_per_seed`
        (threshold as text -> list). Predictions are compared with the true keypoints in image
        pixels, on the validation images.
    """
    raise NotImplementedError("Task 2.9 ablation_study: see handout, rule P2.ablation")


def analyze_failure_cases(heatmap_model, regression_model, dataset, save_dir, threshold=0.1,
                          max_images=3) -> dict[str, dict]:
    """Sort the keypoints of a dataset by which network finds them, and picture typical images.

    A network finds a keypoint when it lies within `threshold` times the diagonal of the true
    keypoints' bounding box, as in `compute_pck`. Each keypoint of each image falls in one of
    four cases: `both_right`, `only_heatmap` (HeatmapNet right, RegressionNet wrong),
    `only_regression` and `both_wrong`.

    Args:
        heatmap_model, regression_model: trained networks.
        dataset: a KeypointDataset with `output_type="regression"`.
        save_dir: folder for the pictures `failure_<case>_<index>.png`, made if it is missing; they
            show both predictions side by side.
        max_images: pictures per case, those with the most keypoints of that case first (equal:
            the lower index).

    Returns:
        case -> `{"keypoints": {name: count, ...}, "images": [index, ...]}`: how often the case
        occurs for each name of KEYPOINT_NAMES, and the images pictured.
    """
    raise NotImplementedError("Task 2.9 analyze_failure_cases: see handout, rule P2.failures")


def main(argv=None) -> int:
    """Run the ablation and the failure analysis; write `results/ablation.json`,
    `results/failure_cases.json` and the pictures in `results/visualizations/`, beside this file.

    The failure analysis takes the weights that train.py wrote. Returns the exit code.
    """
    raise NotImplementedError("Task 2.9 main: see handout, rule P2.ablation")


if __name__ == "__main__":
    sys.exit(main())
