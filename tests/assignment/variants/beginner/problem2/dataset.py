import json
import math
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
        if output_type != "heatmap" and output_type != "regression":
            raise ValueError("output_type must be heatmap or regression")
        self.image_dir = image_dir
        self.output_type = output_type
        self.heatmap_size = heatmap_size
        self.sigma = sigma
        self.file_names = []
        for entry in json.load(open(annotation_file))["images"]:
            self.file_names.append(entry["file_name"])
        self.keypoints = []
        for entry in json.load(open(annotation_file))["images"]:
            self.keypoints.append(entry["keypoints"])

    def __len__(self):
        return len(self.file_names)

    def __getitem__(self, index):
        image = Image.open(os.path.join(self.image_dir, self.file_names[index])).convert("L")
        width, height = image.size
        image = np.array(image) / 255.0
        image = torch.tensor(image).float().unsqueeze(0)
        if self.output_type == "regression":
            numbers = []
            for x, y in self.keypoints[index]:
                numbers.append(x / width)
                numbers.append(y / height)
            return image, torch.tensor(numbers, dtype=torch.float32)
        scaled = []
        for x, y in self.keypoints[index]:
            scaled.append([x * self.heatmap_size / width, y * self.heatmap_size / height])
        return image, self.generate_heatmap(scaled, self.heatmap_size, self.heatmap_size)

    def generate_heatmap(self, keypoints, height, width):
        heatmaps = torch.zeros((len(keypoints), height, width))
        for k in range(len(keypoints)):
            x = float(keypoints[k][0])
            y = float(keypoints[k][1])
            if x < 0 or y < 0 or x >= width or y >= height:
                continue
            for i in range(height):
                for j in range(width):
                    d2 = (j - x) ** 2 + (i - y) ** 2
                    heatmaps[k, i, j] = math.exp(-d2 / (2 * self.sigma ** 2))
        return heatmaps
