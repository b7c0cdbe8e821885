import json
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

KEYPOINT_NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "datasets" / "keypoints"


def split_paths(data, split):
    return Path(data) / split, Path(data) / f"{split}_annotations.json"


class KeypointDataset(Dataset):
    def __init__(self, image_dir, annotation_file, output_type="heatmap", heatmap_size=64, sigma=2.0):
        if output_type not in ("heatmap", "regression"):
            raise ValueError(f"output_type {output_type!r}")
        assert os.path.isdir(image_dir) and os.path.isfile(annotation_file)
        assert heatmap_size > 0 and sigma > 0
        self.image_dir, self.output_type = os.fspath(image_dir), output_type
        self.heatmap_size, self.sigma = int(heatmap_size), float(sigma)
        with open(annotation_file, encoding="utf-8") as f:
            content = json.load(f)
        assert len(content["keypoint_names"]) == content["num_keypoints"]
        self.entries = content["images"]
        assert all(len(e["keypoints"]) == content["num_keypoints"] for e in self.entries)

    def __len__(self):
        return len(self.entries)

    def __getitem__(self, index):
        if index >= len(self) or index < -len(self):
            raise IndexError(index)
        entry = self.entries[index]
        with Image.open(os.path.join(self.image_dir, entry["file_name"])) as file:
            grey = np.array(file.convert("L"), dtype=np.float64)
        image = torch.from_numpy(grey / 255.0).to(torch.float32).unsqueeze(0)
        height, width = grey.shape
        keypoints = torch.tensor(entry["keypoints"], dtype=torch.float64) / torch.tensor([width, height], dtype=torch.float64)
        assert torch.isfinite(keypoints).all()
        if self.output_type == "regression":
            return image, keypoints.reshape(-1).to(torch.float32)
        target = self.generate_heatmap(keypoints * self.heatmap_size, self.heatmap_size, self.heatmap_size)
        assert target.dtype == torch.float32
        return image, target

    def generate_heatmap(self, keypoints, height, width):
        keypoints = torch.as_tensor(keypoints, dtype=torch.float64)
        assert keypoints.dim() == 2 and keypoints.shape[1] == 2
        assert height > 0 and width > 0
        maps = torch.zeros(len(keypoints), height, width, dtype=torch.float64)
        columns = torch.arange(width, dtype=torch.float64)
        rows = torch.arange(height, dtype=torch.float64).unsqueeze(1)
        for k, (x, y) in enumerate(keypoints.tolist()):
            if not (0 <= x < width and 0 <= y < height):
                continue
            maps[k].sub_((columns - x) ** 2 + (rows - y) ** 2).div_(2 * self.sigma * self.sigma).exp_()
        return maps.to(torch.float32)
