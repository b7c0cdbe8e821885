"""Problem 1, task 1.11: training the detector.

    python train.py        trains on datasets/detection and writes to results/
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from dataset import DEFAULT_DATA, ShapeDetectionDataset, collate_fn, split_paths
from evaluate import (
    CLASS_NAMES,
    analyze_scale_performance,
    ap_per_class,
    detect,
    visualize_detections,
)
from loss import DetectionLoss
from model import MultiScaleDetector
from runtime import (
    Precision,
    choose_device,
    choose_precision,
    describe_machine,
    save_atomically,
    seed_everything,
    write_json,
)
from utils import ANCHOR_SCALES, MAP_SIZES, generate_anchors

HERE = Path(__file__).resolve().parent


def train_epoch(model, dataloader, criterion, optimizer, device, anchors):
    """One pass over the training images.

    Args:
        model: detector; it is put in training mode and updated.
        dataloader: yields `(images [B, 3, H, W], list of B target dicts)`.
        criterion: called as `criterion(predictions, targets, anchors)`, gives a dict of scalar
            losses; `loss_total` is the one to minimise.
        optimizer: steps once per batch.
        device: where the images go.
        anchors: list of `[S*S*A, 4]`, one per map.

    Returns:
        dict with the mean over the batches of every entry of the criterion's dict, as floats.
    """
    raise NotImplementedError("Task 1.11 train_epoch: see handout, rule P1.train")


@torch.no_grad()
def validate(model, dataloader, criterion, device, anchors):
    """One pass over the validation images: evaluation mode, no gradients, no updates.

    Returns:
        dict of mean losses, like `train_epoch`.
    """
    raise NotImplementedError("Task 1.11 validate: see handout, rule P1.train")


def main(argv=None):
    """Train on `DEFAULT_DATA` and write the deliverables beside this file.

    Writes `results/best_model.pth` (the state dict of the epoch with the lowest validation loss)
    and `results/training_log.json`: `{"train_loss": [...], "val_loss": [...]}`, one number per
    epoch.
    Options of the command line, and what else is recorded, are yours. Returns the exit code.
    """
    raise NotImplementedError("Task 1.11 main: see handout, rule P1.train")


if __name__ == "__main__":
    sys.exit(main())
