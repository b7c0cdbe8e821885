from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

KEYPOINT_NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "datasets" / "keypoints"


def split_paths(data: Path, split: str) -> tuple[Path, Path]:
    return Path(data) / split, Path(data) / f"{split}_annotations.json"


class OutputType(str, Enum):
    HEATMAP = "heatmap"
    REGRESSION = "regression"


@dataclass(frozen=True)
class Entry:
    path: Path
    keypoints: tuple[tuple[float, float], ...]


@torch.jit.script
def render(keypoints: Tensor, height: int, width: int, sigma: float) -> Tensor:
    y, x = torch.meshgrid(torch.arange(height, dtype=torch.float32), torch.arange(width, dtype=torch.float32), indexing="ij")
    maps = torch.zeros([keypoints.size(0), height, width])
    for k in range(keypoints.size(0)):
        kx, ky = float(keypoints[k, 0]), float(keypoints[k, 1])
        if kx >= 0.0 and kx < width and ky >= 0.0 and ky < height:
            maps[k] = torch.exp(-0.5 * (((x - kx) / sigma).pow(2) + ((y - ky) / sigma).pow(2)))
    return maps


class KeypointDataset(Dataset):
    def __init__(self, image_dir, annotation_file, output_type: str = "heatmap", heatmap_size: int = 64, sigma: float = 2.0) -> None:
        self.output_type = OutputType(output_type)  # a ValueError for any other
        self.heatmap_size, self.sigma = heatmap_size, sigma
        parsed = json.loads(Path(annotation_file).read_bytes())
        self.entries = [Entry(Path(image_dir, e["file_name"]), tuple(map(tuple, e["keypoints"]))) for e in parsed["images"]]
        encoders: dict[OutputType, Callable] = {OutputType.HEATMAP: self._heatmap, OutputType.REGRESSION: self._regression}
        self.encode = encoders[self.output_type]

    def __len__(self) -> int:
        return len(self.entries)

    def _heatmap(self, keypoints: Tensor, size: Tensor) -> Tensor:
        return self.generate_heatmap(keypoints * (self.heatmap_size / size), self.heatmap_size, self.heatmap_size)

    def _regression(self, keypoints: Tensor, size: Tensor) -> Tensor:
        return (keypoints / size).view(-1)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        entry = self.entries[index]
        with Image.open(entry.path) as picture:
            grey = picture.convert("L")
        pixels = torch.frombuffer(bytearray(grey.tobytes()), dtype=torch.uint8).view(1, grey.height, grey.width)
        return pixels.float().div(255), self.encode(torch.tensor(entry.keypoints, dtype=torch.float32), torch.tensor(grey.size))

    def generate_heatmap(self, keypoints, height: int, width: int) -> Tensor:
        return render(torch.as_tensor(keypoints, dtype=torch.float32), height, width, float(self.sigma))
