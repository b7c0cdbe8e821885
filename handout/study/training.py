"""One training of the study: `python -m handout.study.training keypoints-sigma-1-0`."""

import functools
import itertools
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from autograder.engine.files import write_whole

from ..problems import KIT, load
from .runs import RUNS, WORK, Run

THRESHOLDS = (0.02, 0.05, 0.10, 0.15, 0.20)
BATCH = 32
SIDE = 128  # of an image of problem 2, pixels
SNAPSHOTS = (1, 2, 3, 5, 10)  # epochs after which a heatmap is kept
WATCHED = 0  # the validation image that it is kept of


def main(name: str) -> int:
    """Train, measure, store; the exit code."""
    run = RUNS[name]
    key = run.key()
    folder = WORK / run.name
    folder.mkdir(parents=True, exist_ok=True)
    result = (detector if run.kind == "detector" else keypoints)(run, folder)
    if result is None:
        return 130
    write_whole(run.path, json.dumps({"key": key, **result}, separators=(",", ":")) + "\n")
    print(f"wrote {run.path}")
    return 0


def detector(run: Run, folder: Path) -> dict[str, Any] | None:
    """Train through the solution's own `train.py`, which resumes."""
    problem = load(KIT / "solution" / "problem1")
    arguments = ["--data", str(run.data), "--out", str(folder), "--epochs", str(run.epochs),
                 "--seed", str(run.seed)]
    if run.options.get("plain"):
        arguments.append("--plain")
    if "scales" in run.options:
        arguments += ["--scales", json.dumps(run.options["scales"])]
    if "batch_size" in run.options:
        arguments += ["--batch-size", str(run.options["batch_size"])]
    if run.options.get("mirrored"):
        problem.train.ShapeDetectionDataset = mirrored(problem)
    if "neg_threshold" in run.options:
        problem.loss.match_anchors_to_targets = functools.partial(
            problem.utils.match_anchors_to_targets, neg_threshold=run.options["neg_threshold"])
    if run.options.get("giou"):
        problem.loss.F = SimpleNamespace(**vars(functional) | {"smooth_l1_loss": giou_loss})
    if run.options.get("iou_target"):
        problem.train.DetectionLoss = with_iou_target(problem)
    evaluation = problem.train.evaluation
    problem.train.evaluation = lambda *trained: evaluation(*trained) | quality(
        problem.evaluate, *problem.evaluate.detect(*trained[:3]))
    if problem.train.main(arguments):
        return None
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    log = json.loads((folder / "training_log.json").read_text(encoding="utf-8"))
    return {**metrics, "log": log}


def mirrored(problem: Any) -> type[Dataset]:
    """Training images of which every second one, by chance, is its mirror image."""

    class Mirrored(problem.dataset.ShapeDetectionDataset):
        def __getitem__(self, index):
            image, target = super().__getitem__(index)
            if self.image_dir.name != "train" or torch.rand(()) >= 0.5:
                return image, target
            x1, y1, x2, y2 = target["boxes"].unbind(dim=1)
            width = image.shape[-1]
            return image.flip(-1), target | {
                "boxes": torch.stack([width - x2, y1, width - x1, y2], dim=1)}

    return Mirrored


def quality(evaluate: Any, found: list[dict], targets: list[dict]) -> dict[str, float]:
    """mAP, AP@[.5:.95], detections of score .5 and more, and those of them that are hits."""
    aps = np.array([evaluate.ap_per_class(found, targets, iou_threshold=percent / 100)
                    for percent in range(50, 100, 5)])
    confident = hits = 0
    for image, target in zip(found, targets):
        sure = image["scores"] >= 0.5
        confident += int(sure.sum())
        for label in target["labels"].unique():
            hits += int(evaluate.match_detections(
                image["boxes"][sure & (image["labels"] == label)],
                target["boxes"][target["labels"] == label], 0.5).sum())
    return {"map": np.nanmean(aps[0]), "coco": np.nanmean(aps), "confident": confident,
            "hits": hits}


def giou_loss(offsets: torch.Tensor, truth: torch.Tensor, **_: str) -> torch.Tensor:
    """Sum of 1 - GIoU of boxes `[P, 4]`, given as offsets from an anchor, whose place and size do
    not matter (Rezatofighi et al. 2019)."""
    (low, high, area), (true_low, true_high, true_area) = (
        (centre - size.exp() / 2, centre + size.exp() / 2, size.exp().prod(dim=1))
        for centre, size in (offsets.split(2, dim=1), truth.split(2, dim=1)))
    shared = (torch.minimum(high, true_high) - torch.maximum(low, true_low)).clamp(min=0)
    around = (torch.maximum(high, true_high) - torch.minimum(low, true_low)).prod(dim=1)
    union = area + true_area - shared.prod(dim=1)
    return (2 - shared.prod(dim=1) / union - union / around).sum()


def with_iou_target(problem: Any) -> type[nn.Module]:
    """The loss of the assignment, but the target of a positive's objectness is not 1 but the IoU of
    its box with the object. Cross-entropy is linear in its target: (1 - IoU) * logit is added."""

    class IouTarget(problem.loss.DetectionLoss):
        def forward(self, predictions, targets, anchors):
            losses = super().forward(predictions, targets, anchors)
            flat = torch.cat([p.permute(0, 2, 3, 1).reshape(len(p), -1, 5 + self.num_classes)
                              for p in predictions], dim=1).float()
            places, more, count = torch.cat(anchors), torch.zeros(()), 0
            for image, target in zip(flat, targets):
                _, truth, positive, _ = problem.loss.match_anchors_to_targets(
                    places, target["boxes"], target["labels"])
                chosen = image[positive]
                boxes = problem.utils.decode_boxes(chosen[:, :4].detach(), places[positive])
                iou = problem.utils.compute_iou(boxes, truth[positive]).diagonal()
                more = more + ((1 - iou) * chosen[:, 4]).sum()
                count += len(chosen)
            more = more / max(1, count)
            return losses | {name: losses[name] + more for name in ("loss_obj", "loss_total")}

    return IouTarget


class Flattened(nn.Module):
    """RegressionNet's encoder, and a head that knows where in the image a feature was."""

    def __init__(self, encoder: nn.Module, points: int = 5):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(256 * 8 * 8, 128), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2 * points), nn.Sigmoid())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`[B, 1, 128, 128]` -> `[B, 2K]`."""
        return self.head(self.encoder(images)[-1])


class SoftArgmax(nn.Module):
    """RegressionNet's encoder; each keypoint is the mean position under a softmax over its map
    (Sun et al. 2018, "Integral human pose regression")."""

    def __init__(self, encoder: nn.Module, points: int = 5):
        super().__init__()
        self.encoder = encoder
        self.score = nn.Conv2d(256, points, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`[B, 1, 128, 128]` -> `[B, 2K]`."""
        scores = self.score(self.encoder(images)[-1]).float()  # [B, K, 8, 8]
        side = scores.shape[-1]
        weight = scores.flatten(2).softmax(dim=-1).unflatten(2, (side, side))
        centre = (torch.arange(side, device=scores.device) + 0.5) / side
        x, y = (weight.sum(dim=2) * centre).sum(-1), (weight.sum(dim=3) * centre).sum(-1)
        return torch.stack([x, y], dim=-1).flatten(1)


def keypoints(run: Run, folder: Path) -> dict[str, Any]:
    """Train one network on heatmaps or coordinates, and measure it in image pixels."""
    problem = load(KIT / "solution" / "problem2")
    problem.runtime.seed_everything(run.seed)
    head = run.options["head"]
    target = {"output_type": "regression"}
    if head == "heatmap":
        size = run.options.get("heatmap_size", 64)
        target = {"heatmap_size": size, "sigma": run.options.get("sigma", 2.0)}
        model = problem.model.HeatmapNet(skip=run.options.get("skip", True), heatmap_size=size)
    else:
        model = problem.model.RegressionNet()
        if head != "pooling":
            model = {"flatten": Flattened, "soft-argmax": SoftArgmax}[head](model.encoder)
    if not run.options.get("dropout", True):
        for layer in model.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0

    def dataset(split: str, **options: Any):
        return problem.dataset.KeypointDataset(
            *problem.dataset.split_paths(run.data, split), **options)

    kept, epochs = {}, itertools.count(1)

    class Watching(DataLoader):
        """A validation loader that keeps a heatmap whenever it is gone through."""

        def __iter__(self):
            epoch = next(epochs)
            if run.name == "keypoints-heatmap-0" and epoch in SNAPSHOTS:
                image = validation[WATCHED][0][None].to(next(model.parameters()).device)
                with torch.no_grad():
                    kept[epoch] = model(image)[0].float().cpu()
            return super().__iter__()

    validation = dataset("val", **target)
    train = (problem.train.train_heatmap_model if head == "heatmap"
             else problem.train.train_regression_model)
    # Without a checkpoint where heatmaps are kept: the early ones would be lost in a second part.
    begin = time.perf_counter()
    log = train(model, DataLoader(dataset("train", **target), BATCH, shuffle=True),
                Watching(validation, BATCH), num_epochs=run.epochs)
    seconds = time.perf_counter() - begin
    torch.save(model.state_dict(), folder / "weights.pth")

    loader = DataLoader(dataset("val", output_type="regression"), BATCH)
    predicted, truth = problem.evaluate.predict_keypoints(model, loader)
    result = {
        "profile": run.profile, "seed": run.seed, "epochs": run.epochs, "options": run.options,
        "pck": {f"{threshold:.2f}": pck for threshold, pck in problem.evaluate.compute_pck(
            predicted, truth, THRESHOLDS).items()},
        "log": log, "seconds": round(seconds, 1),
        "parameters": sum(p.numel() for p in model.parameters()),
        "predicted": np.round(predicted.numpy(), 2).tolist(),
        "machine": problem.runtime.describe_machine(next(model.parameters()).device),
    }
    if head == "heatmap":
        maps = heatmaps_of(model, loader)
        result["peaks"] = np.round(maps.flatten(2).amax(dim=2).numpy(), 4).tolist()
        result["decoders"] = decoders(problem.evaluate, maps, truth)
    if kept:
        result["watched"] = {epoch: np.round(m.numpy(), 3).tolist() for epoch, m in kept.items()}
    return result


@torch.no_grad()
def heatmaps_of(model: nn.Module, loader: DataLoader) -> torch.Tensor:
    """What a network answers to all images, `[N, K, S, S]`."""
    model.eval()
    device = next(model.parameters()).device
    return torch.cat([model(images.to(device)).float().cpu() for images, _ in loader])


def decoders(evaluate: Any, maps: torch.Tensor, truth: torch.Tensor) -> dict[str, dict[str, float]]:
    """Mean error in pixels, and PCK at the lowest threshold, of heatmaps read in three ways.

    Args:
        evaluate: the module of that name of a solution.
        maps: `[N, K, S, S]`; truth: `[N, K, 2]` in pixels of the image.
    """
    whole = evaluate.extract_keypoints_from_heatmaps(maps)
    peak = (whole[..., 1:] * maps.shape[-1] + whole[..., :1]).long()  # [N, K, 1]
    slope = torch.cat([along.flatten(2).gather(2, peak)
                       for along in torch.gradient(maps, dim=(3, 2))], dim=2)
    found = {}
    for name, points in {"whole pixels": whole,
                         "a quarter towards the higher neighbour": whole + slope.sign() / 4,
                         "parabola through logarithms": evaluate.decode_subpixel(maps)}.items():
        points = points * SIDE / maps.shape[-1]
        found[name] = {
            "error": round(float((points - truth).norm(dim=-1).mean()), 3),
            "pck": round(evaluate.compute_pck(points, truth, THRESHOLDS[:1])[THRESHOLDS[0]], 4)}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
