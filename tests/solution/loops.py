"""What the tests of the solution share: boxes that touch and tie, and the IoU of two of them."""

import torch
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)


def grid_boxes(min_size: int = 0, max_size: int = 6, min_side: int = 0) -> st.SearchStrategy:
    """Lists of boxes with whole coordinates on a small grid, where many touch, coincide and tie."""
    corner, side = st.integers(0, 5), st.integers(min_side, 5)
    box = st.tuples(corner, corner, side, side).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
    return st.lists(box, min_size=min_size, max_size=max_size)


def boxes_of(rows) -> torch.Tensor:
    """float32 `[N, 4]`, also of no rows."""
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def iou_of(a, b) -> float:
    """IoU of two boxes (x1, y1, x2, y2) in Python's arithmetic.

    Between whole coordinates equal ratios are equal numbers, so that ties and thresholds are exact.
    """
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return overlap / union if union else 0.0


def centred(box) -> tuple[float, float, float, float]:
    """Centre and sides (x, y, w, h) of a box."""
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
