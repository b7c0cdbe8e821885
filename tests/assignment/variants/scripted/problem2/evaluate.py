from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Dict, Iterable

import torch
from torch import Tensor

PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE_THRESHOLDS = tuple(percent / 100 for percent in range(51))


@torch.jit.script
def extract_keypoints_from_heatmaps(heatmaps: Tensor) -> Tensor:
    b, k, h, w = heatmaps.size()
    place = heatmaps.reshape(b, k, h * w).argmax(dim=2)
    return torch.stack([place % w, torch.floor_divide(place, w)], dim=2).float()


class Length(Enum):
    bbox = "bbox"
    torso = "torso"

    def of(self, points: Tensor) -> Tensor:
        if self is Length.bbox:
            return torch.hypot(*(points.max(1).values - points.min(1).values).unbind(-1))
        return torch.hypot(*(points[:, 0] - 0.5 * (points[:, 3] + points[:, 4])).unbind(-1))


def compute_pck(predictions, ground_truths, thresholds: Iterable[float], normalize_by: str = "bbox") -> Dict[float, float]:
    kind = Length(normalize_by)
    p, g = (torch.as_tensor(x).to(torch.float32) for x in (predictions, ground_truths))
    if p.size(0) == 0:
        return {t: float("nan") for t in thresholds}
    length = kind.of(g).unsqueeze(1)
    distance = torch.hypot(*(p - g).unbind(-1))
    return {t: (distance <= t * length).float().mean().item() for t in thresholds}
