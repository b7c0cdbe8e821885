"""Problem 1, task 1.1: the shape detection dataset.

Boxes are `(x1, y1, x2, y2)` in pixels, x to the right, y down. `N` objects in an image, `B` images
in a batch. Labels are 0 (circle), 1 (square), 2 (triangle).
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

# Where the course keeps its data: `datasets/detection`, two folders above this file.
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "datasets" / "detection"


def split_paths(data: Path, split: str) -> tuple[Path, Path]:
    """Given: image folder and annotation file of a split, `"train"` or `"val"`.

    `ShapeDetectionDataset(*split_paths(DEFAULT_DATA, "train"))`
    """
    return Path(data) / split, Path(data) / f"{split}_annotations.json"


class ShapeDetectionDataset(Dataset):
    """Images of circles, squares and triangles with their boxes.

    Args:
        image_dir: folder that holds the image files.
        annotation_file: JSON with `images` (`id`, `file_name`) and `annotations` (`image_id`,
            `category_id`, `bbox`, where `bbox` is already xyxy in pixels).
        transform: if given, it receives the RGB PIL image, and what it returns is the image of
            the item.

    Item `i` belongs to entry `i` of the JSON's `images`:
    `(image float32 [3, H, W] in 0..1, {"boxes": float32 [N, 4], "labels": int64 [N]})`.
    A pixel of 255 is 1.0, nothing is resized, grey and RGBA files become RGB. An image without
    annotations has boxes `[0, 4]` and labels `[0]`.
    """

    def __init__(self, image_dir, annotation_file, transform=None):
        raise NotImplementedError("Task 1.1 ShapeDetectionDataset: see handout, rule P1.dataset")

    def __len__(self) -> int:
        raise NotImplementedError(
            "Task 1.1 ShapeDetectionDataset.__len__: see handout, rule P1.dataset"
        )

    def __getitem__(self, index):
        raise NotImplementedError(
            "Task 1.1 ShapeDetectionDataset.__getitem__: see handout, rule P1.dataset"
        )


def collate_fn(batch):
    """Batch items whose numbers of objects differ.

    Args:
        batch: list of B items `(image [3, H, W], target dict)`.

    Returns:
        `(images [B, 3, H, W], list of the B target dicts)`, in the order of the batch.
    """
    raise NotImplementedError("Task 1.1 collate_fn: see handout, rule P1.collate")
