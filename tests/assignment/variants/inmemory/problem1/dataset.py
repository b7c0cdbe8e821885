"""Everything is read once, in __init__."""
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image


class ToFloat:
    """PIL -> float32 [3, H, W]"""

    def __call__(self, picture):
        bands = [torch.from_numpy(np.array(band)) for band in picture.split()]
        return torch.stack(bands).to(torch.float32).mul_(1 / 255)


class Item(NamedTuple):
    image: object
    target: dict


class ShapeDetectionDataset:
    def __init__(self, image_dir, annotation_file, transform=None):
        content = json.loads(Path(annotation_file).read_bytes())
        by_image = defaultdict(list)
        for annotation in content["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        self.transform = transform or ToFloat()
        self.pictures, self.targets = [], []
        for entry in content["images"]:
            data = (Path(image_dir) / entry["file_name"]).read_bytes()
            with Image.open(io.BytesIO(data)) as picture:
                self.pictures.append(picture.convert("RGB"))
            found = by_image[entry["id"]]
            self.targets.append({
                "boxes": torch.from_numpy(np.array([a["bbox"] for a in found], dtype=np.float32).reshape(-1, 4)),
                "labels": torch.from_numpy(np.array([a["category_id"] for a in found], dtype=np.int64)),
                "image_id": torch.tensor(entry["id"]),
            })

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        target = {name: value.clone() for name, value in self.targets[index].items()}
        return Item(self.transform(self.pictures[index]), target)


class Collate:
    def __call__(self, batch):
        images, targets = zip(*batch)
        return torch.utils.data.default_collate(list(images)), list(targets)


collate_fn = Collate()
