"""Training of both networks: Adam and mean squared error, whatever the target.

    python train.py        trains both on datasets/keypoints and writes to results/

The two networks see the same images, with other targets of the same loss: heatmaps
`[B,K,64,64]`, or coordinates `[B,2K]`. Their losses are means over different numbers, so a
heatmap MSE and a regression MSE cannot be compared; PCK can.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional
from torch.utils.data import DataLoader
from tqdm import tqdm

import evaluate
from dataset import DEFAULT_DATA, KeypointDataset, split_paths
from model import HeatmapNet, RegressionNet
from runtime import (
    Precision,
    choose_device,
    choose_precision,
    describe_machine,
    save_atomically,
    seed_everything,
    write_json,
)

DEFAULT_RESULTS = Path(__file__).resolve().parent / "results"


def train_heatmap_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None,
                        run=None) -> dict[str, list[float]]:
    """Train `model` in place to draw heatmaps: Adam, learning rate 1e-3, mean squared error.

    Args:
        model: `[B,1,128,128]` -> `[B,K,S,S]`. It is moved to `choose_device()` and stays there.
        train_loader, val_loader: batches `(images, heatmaps)`, in several passes. The weights
            see the training loader alone; the validation loader is only measured, in eval mode.
        num_epochs: passes over the training loader. The learning rate may fall during them.
        checkpoint: a file to keep the training in after each epoch. Where it exists already,
            the training continues from it and ends as if it had never stopped.
        run: a dict of plain values saying which training the checkpoint belongs to (seed, data,
            ...). A checkpoint with another `run` is not continued.

    `checkpoint` and `run` are a convenience that no check uses; they may be left without effect.

    Returns:
        `{"train_loss": [...], "val_loss": [...]}`, one mean per epoch each: the squared error
        averaged over channels, pixels and images. Whether batches count equally or by their size
        is yours to choose.
    """
    raise NotImplementedError("Task 2.8 train_heatmap_model: see handout, rule P2.train")


def train_regression_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None,
                           run=None) -> dict[str, list[float]]:
    """Train `model` in place to name coordinates: Adam, learning rate 1e-3, mean squared error.

    As `train_heatmap_model`, with a model `[B,1,128,128]` -> `[B,2K]` and batches
    `(images, coordinates)`.
    """
    raise NotImplementedError("Task 2.8 train_regression_model: see handout, rule P2.train")


def main(argv=None) -> int:
    """Train both networks on `datasets/keypoints` and write to `results/` beside this file:

    - `heatmap_model.pth` and `regression_model.pth`, plain state dicts
      (`torch.save(model.state_dict(), path)`);
    - `training_log.json`, `{"heatmap": log, "regression": log}` with the dicts that the two
      training functions return;
    - `visualizations/pck_curves.png` and a few predictions as pictures.

    Options of the command line, and what else is recorded, are yours. Returns the exit code.
    """
    raise NotImplementedError("Task 2.8 main: see handout, rule P2.train")


if __name__ == "__main__":
    sys.exit(main())
