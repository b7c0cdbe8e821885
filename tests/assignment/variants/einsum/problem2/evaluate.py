from pathlib import Path

import torch
from matplotlib.figure import Figure

PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
CURVE_THRESHOLDS = tuple(percent / 100 for percent in range(51))


def extract_keypoints_from_heatmaps(heatmaps):
    b, k, h, w = heatmaps.shape
    hot = torch.nn.functional.one_hot(heatmaps.flatten(2).argmax(-1), h * w).float().reshape(b, k, h, w)
    x = torch.einsum("bkhw,w->bk", hot, torch.arange(w).float())
    y = torch.einsum("bkhw,h->bk", hot, torch.arange(h).float())
    return torch.stack([x, y], dim=-1)


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox"):
    p = torch.as_tensor(predictions).double()
    g = torch.as_tensor(ground_truths).double()
    if normalize_by == "bbox":
        span = (g.amax(1) - g.amin(1)) if len(g) else g.new_zeros(0, 2)
    elif normalize_by == "torso":
        mix = g.new_zeros(g.shape[1])
        mix[0], mix[3], mix[4] = 1, -0.5, -0.5
        span = torch.einsum("nkc,k->nc", g, mix)
    else:
        raise ValueError(normalize_by)
    length = torch.einsum("nc,nc->n", span, span).sqrt()
    d = torch.einsum("nkc,nkc->nk", p - g, p - g).sqrt()
    limits = torch.einsum("t,n->tn", torch.tensor(list(thresholds), dtype=torch.float64), length)
    right = (d[None] <= limits[..., None]).double()
    share = right.mean(dim=(1, 2))
    return {t: float(s) for t, s in zip(thresholds, share)}


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    raise NotImplementedError("Task 2.7")


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    raise NotImplementedError("Task 2.7")
