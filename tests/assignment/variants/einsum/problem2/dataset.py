import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

KEYPOINT_NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "datasets" / "keypoints"


def split_paths(data: Path, split: str):
    return Path(data) / split, Path(data) / f"{split}_annotations.json"


class KeypointDataset(Dataset):
    def __init__(self, image_dir, annotation_file, output_type="heatmap", heatmap_size=64, sigma=2.0):
        if output_type not in {"heatmap", "regression"}:
            raise ValueError(output_type)
        self.image_dir, self.output_type, self.size, self.sigma = Path(image_dir), output_type, heatmap_size, sigma
        self.entries = json.loads(Path(annotation_file).read_text())["images"]

    def __len__(self):
        return len(self.entries)

    def __getitem__(self, index):
        entry = self.entries[index]
        image = torch.from_numpy(np.array(Image.open(self.image_dir / entry["file_name"]).convert("L"), dtype=np.float32))
        image = torch.einsum("hw,->hw", image, torch.tensor(1 / 255)).unsqueeze(0)
        shape = torch.tensor([image.shape[2], image.shape[1]], dtype=torch.float32)
        unit = torch.einsum("kc,c->kc", torch.tensor(entry["keypoints"], dtype=torch.float32), 1 / shape)
        if self.output_type == "regression":
            return image, unit.reshape(-1)
        return image, self.generate_heatmap(unit * self.size, self.size, self.size)

    def generate_heatmap(self, keypoints, height, width):
        k = torch.as_tensor(keypoints, dtype=torch.float32)
        x, y = k[:, 0], k[:, 1]
        across = torch.exp(-((torch.arange(width) - x[:, None]) ** 2) / (2 * self.sigma**2))
        down = torch.exp(-((torch.arange(height) - y[:, None]) ** 2) / (2 * self.sigma**2))
        inside = ((x >= 0) & (x < width) & (y >= 0) & (y < height)).float()
        return torch.einsum("k,kh,kw->khw", inside, down, across)
