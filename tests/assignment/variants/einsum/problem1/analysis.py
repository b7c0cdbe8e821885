"""Products of one-hot matrices; a hook for all modules of torch; float64."""

from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch.nn.functional import one_hot
from torch.nn.modules.module import register_module_forward_hook
from utils import compute_iou


def anchor_coverage(anchors, targets, iou_threshold=0.5, *, num_classes=3):
    boxes = torch.cat([t["boxes"] for t in targets])
    classes = one_hot(torch.cat([t["labels"] for t in targets]), num_classes).double()
    fits = torch.stack([(compute_iou(a, boxes) >= iou_threshold).any(0) for a in anchors])
    return torch.einsum("mg,gc->mc", fits.double(), classes) / classes.sum(0)


def draw_anchor_coverage(image, anchors, target, save_path):
    pixels = Image.fromarray((image.permute(1, 2, 0) * 255).byte().numpy())
    pixels = pixels.resize((2 * pixels.width, 2 * pixels.height), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(pixels)
    for a in anchors:
        for box in a[compute_iou(target["boxes"], a).argmax(1)]:
            pen.rectangle((2 * box).tolist(), outline="magenta", width=4)
    for box in target["boxes"]:
        pen.rectangle((2 * box).tolist(), outline="green", width=3)
    Path(save_path).parent.mkdir(parents=True, exist_ok=True)
    pixels.save(save_path)


class UnknownLayer(ValueError):
    pass


def capture_feature_maps(model, images, layers):
    names = {module: name for name, module in model.named_modules()}
    for layer in layers:
        if layer not in names.values():
            raise UnknownLayer(layer)
    maps = {}

    def keep(module, inputs, output):
        if names.get(module) in layers:
            maps[names[module]] = torch.linalg.vector_norm(
                output.detach(), ord=1, dim=1) / output.shape[1]

    modes, handle = {m: m.training for m in names}, register_module_forward_hook(keep)
    try:
        model.eval()
        model(images)
    finally:
        handle.remove()
        [m.train(mode) for m, mode in modes.items()]
    return maps


def size_breakdown(detections, targets, edges, iou_threshold=0.5, score_threshold=0.5):
    edges = torch.as_tensor(edges, dtype=torch.float64)
    found, objects = torch.zeros(3, len(edges) - 1).long(), torch.zeros(len(edges) - 1).long()
    for d, t in zip(detections, targets):
        side = (t["boxes"][:, 2:] - t["boxes"][:, :2]).double().prod(1) ** 0.5
        bins = ((side[:, None] >= edges[:-1]) & (side[:, None] < edges[1:])).long()  # [G, K]
        objects += bins.sum(0)
        ok = torch.einsum("d,dg->dg", (d["scores"] >= score_threshold).double(),
                          (d["labels"][:, None] == t["labels"]).double())
        iou = compute_iou(d["boxes"], t["boxes"]).double() * ok
        free = torch.ones(len(bins)).double()
        for row, index in zip(iou, one_hot(d["maps"], 3)):
            best = (row * free).argmax() if len(row) else 0
            if len(row) and (row * free)[best] >= iou_threshold:
                free[best] = 0
                found += torch.outer(index, bins[best])
    return found, objects
