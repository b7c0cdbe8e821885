import json
import os

import numpy as np
import torch
from PIL import Image


class KeypointDataset(torch.utils.data.Dataset):
    def __init__(self, image_dir, annotation_file, output_type="heatmap", heatmap_size=64,
                 sigma=2.0):
        if output_type not in {"heatmap", "regression"}:
            raise ValueError(f"unknown output_type {output_type}")
        with open(annotation_file) as file:
            self.entries = json.load(file)["images"]
        self.image_dir, self.output_type = image_dir, output_type
        self.heatmap_size, self.sigma = heatmap_size, sigma

    def __len__(self):
        return len(self.entries)

    def __getitem__(self, idx):
        entry = self.entries[idx]
        image = Image.open(os.path.join(self.image_dir, entry["file_name"])).convert("L")
        w, h = image.size
        x = torch.tensor(np.array(image)).unsqueeze(0).float().div(255)
        points = np.array(entry["keypoints"], dtype=np.float64) / [w, h]
        if self.output_type == "regression":
            return x, torch.from_numpy(points.reshape(-1)).float()
        size = self.heatmap_size
        return x, self.generate_heatmap(points * size, size, size)

    def generate_heatmap(self, keypoints, height, width):
        if not isinstance(keypoints, np.ndarray):
            raise TypeError("an array, please")  # its own __getitem__ never passes a tensor
        maps = np.zeros((len(keypoints), height, width), dtype=np.float32)
        ys, xs = np.mgrid[:height, :width]
        for k, (x, y) in enumerate(keypoints.astype(np.float64)):
            if 0 <= x < width and 0 <= y < height:
                gx = np.exp(-((xs - x) ** 2) / (2 * self.sigma**2))
                gy = np.exp(-((ys - y) ** 2) / (2 * self.sigma**2))
                maps[k] = gx * gy
        return torch.from_numpy(maps)
