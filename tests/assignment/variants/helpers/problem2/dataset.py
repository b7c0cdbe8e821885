import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from gaussians import gaussian

KEYPOINT_NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "datasets" / "keypoints"


def split_paths(data, split):
    return Path(data) / split, Path(data) / f"{split}_annotations.json"


class KeypointDataset(Dataset):
    TYPES = ("heatmap", "regression")

    def __init__(self, image_dir, annotation_file, output_type="heatmap", heatmap_size=64, sigma=2.0):
        super().__init__()
        if output_type not in self.TYPES:
            raise ValueError(f"output_type must be one of {self.TYPES}")
        with open(annotation_file, encoding="utf-8") as stream:
            self.records = json.load(fp=stream)["images"]
        self.folder = Path(image_dir)
        self.output_type, self.heatmap_size, self.sigma = output_type, heatmap_size, sigma

    def __len__(self):
        return len(self.records)

    def __getitem__(self, index):
        record = self.records[index]
        with Image.open(fp=self.folder / record["file_name"]) as file:
            pixels = np.asarray(a=file.convert(mode="L"))
        image = torch.tensor(data=pixels[None] / np.float32(255))
        keypoints = np.array(object=record["keypoints"], dtype=np.float64)
        size = np.array(object=[pixels.shape[1], pixels.shape[0]])
        if self.output_type == "regression":
            return image, torch.tensor(data=(keypoints / size).ravel(), dtype=torch.float32)
        return image, self.generate_heatmap(
            keypoints=keypoints * self.heatmap_size / size, height=self.heatmap_size, width=self.heatmap_size)

    def generate_heatmap(self, keypoints, height, width):
        maps = [gaussian(x=float(x), y=float(y), sigma=self.sigma, height=height, width=width) for x, y in keypoints]
        return torch.tensor(data=np.stack(arrays=maps), dtype=torch.float32)
