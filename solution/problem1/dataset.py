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
        # BEGIN SOLUTION Task 1.1 ShapeDetectionDataset P1.dataset
        # mutants: free (without Path; without encoding="utf-8"), paths can be texts; text is UTF-8
        self.image_dir = Path(image_dir)
        self.transform = transform
        content = json.loads(Path(annotation_file).read_text(encoding="utf-8"))
        self.images = content["images"]
        # A list for every image, filled or not: an image without objects is an item as well.
        self.annotations = {image["id"]: [] for image in self.images}
        for annotation in content["annotations"]:
            self.annotations[annotation["image_id"]].append(annotation)
        # END SOLUTION

    def __len__(self) -> int:
        # BEGIN SOLUTION Task 1.1 ShapeDetectionDataset.__len__ P1.dataset
        return len(self.images)
        # END SOLUTION

    def __getitem__(self, index):
        # BEGIN SOLUTION Task 1.1 ShapeDetectionDataset.__getitem__ P1.dataset
        # mutants: equivalent (without .contiguous()), the layout in memory shows in no value
        # mutants: equivalent (without dtype=torch.int64), whole numbers become int64
        entry = self.images[index]
        with Image.open(self.image_dir / entry["file_name"]) as file:
            image = file.convert("RGB")
        if self.transform is not None:
            image = self.transform(image)
        else:
            pixels = np.array(image, dtype=np.float32) / 255  # [H, W, 3]
            image = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()  # [3, H, W]
        annotations = self.annotations[entry["id"]]
        # reshape gives an image without objects its shape [0, 4]; torch.tensor([]) alone is [0].
        boxes = torch.tensor([a["bbox"] for a in annotations], dtype=torch.float32).reshape(-1, 4)
        labels = torch.tensor([a["category_id"] for a in annotations], dtype=torch.int64)
        return image, {"boxes": boxes, "labels": labels}
        # END SOLUTION


def collate_fn(batch):
    """Batch items whose numbers of objects differ.

    Args:
        batch: list of B items `(image [3, H, W], target dict)`.

    Returns:
        `(images [B, 3, H, W], list of the B target dicts)`, in the order of the batch.
    """
    # BEGIN SOLUTION Task 1.1 collate_fn P1.collate
    images, targets = zip(*batch)
    return torch.stack(images), list(targets)  # mutants: free (without list), a tuple will do
    # END SOLUTION
