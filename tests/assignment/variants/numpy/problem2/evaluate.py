import matplotlib.pyplot as plt
import numpy as np
import torch


def extract_keypoints_from_heatmaps(heatmaps):
    maps = heatmaps.numpy()
    B, K, H, W = maps.shape
    flat = maps.reshape(B, K, H * W).argmax(2)
    y, x = np.unravel_index(flat, (H, W))
    return torch.from_numpy(np.stack([x, y], -1).astype(np.float32))


def compute_pck(predictions, ground_truths, thresholds, normalize_by="bbox"):
    if isinstance(predictions, torch.Tensor):
        predictions, ground_truths = predictions.numpy(), ground_truths.numpy()
    p, g = predictions.astype(np.float64), ground_truths.astype(np.float64)
    if normalize_by == "bbox":
        norm = np.hypot(np.ptp(g[..., 0], axis=1), np.ptp(g[..., 1], axis=1))
    elif normalize_by == "torso":
        norm = np.linalg.norm(g[:, 0] - (g[:, 3] + g[:, 4]) / 2, axis=-1)
    else:
        raise ValueError(normalize_by)
    distance = np.sqrt(((p - g) ** 2).sum(-1))
    if p.size == 0:
        return {t: float("nan") for t in thresholds}
    return {t: np.mean(distance <= t * norm[:, None]) for t in thresholds}


def plot_pck_curves(pck_heatmap, pck_regression, save_path):
    fig, ax = plt.subplots()
    ax.plot(*zip(*pck_heatmap.items()), label="heatmap")
    ax.plot(*zip(*pck_regression.items()), label="regression")
    ax.legend()
    fig.savefig(save_path)


def visualize_predictions(image, pred_keypoints, gt_keypoints, save_path):
    fig, ax = plt.subplots()
    ax.imshow(image.numpy().squeeze(), cmap="gray")
    ax.scatter(*gt_keypoints.numpy().T)
    ax.scatter(*pred_keypoints.numpy().T, marker="x")
    fig.savefig(save_path)


def decode_subpixel(heatmaps):
    """DARK: a Taylor step with the inverse of the Hessian of the logarithm."""
    maps = np.asarray(heatmaps, np.float64)
    logs = np.log(np.maximum(maps, 1e-10))
    found = []
    for m, log in zip(maps.reshape(-1, *maps.shape[2:]), logs.reshape(-1, *maps.shape[2:])):
        y, x = np.unravel_index(m.argmax(), m.shape)
        place = np.array([x, y], float)
        if 1 < x < m.shape[1] - 2 and 1 < y < m.shape[0] - 2:
            d = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
            xx, yy = ((log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4,
                      (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4)
            xy = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
            if abs(xx * yy - xy**2) > 1e-12:
                place -= np.linalg.solve([[xx, xy], [xy, yy]], d)
        found.append(place)
    return np.array(found, np.float32).reshape(*maps.shape[:2], 2)
