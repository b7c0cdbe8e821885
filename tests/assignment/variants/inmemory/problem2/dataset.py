import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import TensorDataset

KEYPOINT_NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "datasets" / "keypoints"


def split_paths(data, split):
    return Path(data) / split, Path(data) / f"{split}_annotations.json"


class Scale:
    def __init__(self, size, onto=1.0):
        self.factor = onto / np.asarray(size, dtype=np.float64)

    def __call__(self, keypoints):
        return np.asarray(keypoints, dtype=np.float64) * self.factor


class Gaussians:
    def __init__(self, sigma):
        self.sigma = sigma

    def __call__(self, keypoints, height, width):
        keypoints = np.asarray(keypoints, dtype=np.float64)
        x, y = keypoints[:, 0, None, None], keypoints[:, 1, None, None]
        grid = np.indices((height, width))
        maps = np.exp(-((grid[1] - x) ** 2 + (grid[0] - y) ** 2) / (2 * self.sigma**2))
        inside = (0 <= x) & (x < width) & (0 <= y) & (y < height)
        return torch.from_numpy((maps * inside).astype(np.float32))


class KeypointDataset(TensorDataset):
    def __init__(self, image_dir, annotation_file, output_type="heatmap", heatmap_size=64, sigma=2.0):
        makers = {"heatmap": self._heatmap, "regression": self._coordinates}
        try:
            make = makers[output_type]
        except KeyError:
            raise ValueError(f"unknown output_type {output_type!r}") from None
        self.sigma, self.heatmap_size, self.output_type = sigma, heatmap_size, output_type
        columns = defaultdict(list)
        for entry in json.load(Path(annotation_file).open())["images"]:
            picture = Image.open(Path(image_dir) / entry["file_name"]).convert("L")
            columns["image"].append(torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)[None])
            columns["target"].append(make(entry["keypoints"], picture.size))
        super().__init__(torch.stack(columns["image"]), torch.stack(columns["target"]))

    def _heatmap(self, keypoints, size):
        return self.generate_heatmap(Scale(size, self.heatmap_size)(keypoints), self.heatmap_size, self.heatmap_size)

    def _coordinates(self, keypoints, size):
        return torch.from_numpy(Scale(size)(keypoints).astype(np.float32).flatten())

    def generate_heatmap(self, keypoints, height, width):
        return Gaussians(self.sigma)(keypoints, height, width)
