from pathlib import Path

import torch

PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE_THRESHOLDS = tuple(percent / 100 for percent in range(51))


def extract_keypoints_from_heatmaps(heatmaps):
    b, k, h, w = heatmaps.shape
    first = heatmaps.reshape(b, k, -1).sort(dim=-1, descending=True, stable=True).indices[..., 0]
    return torch.stack([first.remainder(w), first.div(w, rounding_mode="trunc")], -1).to(torch.float32)


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox"):
    """By searchsorted: sorted relative distances, nan and x/0 sort to the end."""
    if normalize_by not in ("bbox", "torso"):
        raise ValueError("normalize_by must be bbox or torso")
    p, g = torch.as_tensor(predictions, dtype=torch.float64), torch.as_tensor(ground_truths, dtype=torch.float64)
    if p.shape[0] == 0:
        return {t: float("nan") for t in thresholds}
    if normalize_by == "bbox":
        ordered = g.sort(dim=1).values
        length = (ordered[:, -1] - ordered[:, 0]).norm(dim=-1)
    else:
        length = (g[:, 0] - g[:, 3:5].mean(1)).norm(dim=-1)
    distance = (p - g).norm(dim=-1)
    limit_free = distance / length[:, None]
    limit_free = torch.where(distance == 0, torch.zeros_like(distance), limit_free)
    limit_free = limit_free.nan_to_num(nan=float("inf"), posinf=float("inf")).flatten().sort().values
    t = torch.tensor([float(x) for x in thresholds], dtype=torch.float64)
    found = torch.searchsorted(limit_free, t + 1e-12, right=True)
    return {key: n.item() / limit_free.numel() for key, n in zip(thresholds, found)}


def decode_subpixel(heatmaps):
    """The centre of mass of the five by five pixels around the maximum, less their lowest value."""
    places = extract_keypoints_from_heatmaps(heatmaps)
    for b, k in torch.cartesian_prod(*map(torch.arange, heatmaps.shape[:2])).tolist():
        x, y = places[b, k].long().tolist()
        reach = min(2, x, y, heatmaps.shape[3] - 1 - x, heatmaps.shape[2] - 1 - y)
        part = heatmaps[b, k, y - reach:y + reach + 1, x - reach:x + reach + 1]
        mass = part - part.min()
        if mass.sum() > 0:
            steps = torch.arange(-reach, reach + 1)
            places[b, k] += torch.stack([(mass.sum(0) * steps).sum(), (mass.sum(1) * steps).sum()]
                                        ) / mass.sum()
    return places
