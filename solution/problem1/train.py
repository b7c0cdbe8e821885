"""Problem 1, task 1.11: training the detector.

    python train.py        trains on datasets/detection and writes to results/
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from dataset import DEFAULT_DATA, ShapeDetectionDataset, collate_fn, split_paths
from evaluate import (
    CLASS_NAMES,
    analyze_scale_performance,
    ap_per_class,
    detect,
    visualize_detections,
)
from loss import DetectionLoss
from model import MultiScaleDetector
from runtime import (
    Precision,
    choose_device,
    choose_precision,
    describe_machine,
    save_atomically,
    seed_everything,
    write_json,
)
from utils import ANCHOR_SCALES, MAP_SIZES, generate_anchors

HERE = Path(__file__).resolve().parent


def train_epoch(model, dataloader, criterion, optimizer, device, anchors):
    """One pass over the training images.

    Args:
        model: detector; it is put in training mode and updated.
        dataloader: yields `(images [B, 3, H, W], list of B target dicts)`.
        criterion: called as `criterion(predictions, targets, anchors)`, gives a dict of scalar
            losses; `loss_total` is the one to minimise.
        optimizer: steps once per batch.
        device: where the images go.
        anchors: list of `[S*S*A, 4]`, one per map.

    Returns:
        dict with the mean over the batches of every entry of the criterion's dict, as floats.
    """
    # BEGIN SOLUTION Task 1.11 train_epoch P1.train
    model.train()
    losses = []
    bar = tqdm(dataloader, desc="train", leave=False, disable=None)  # mutants: free, any bar works
    for images, targets in bar:
        loss = criterion(model(images.to(device)), targets, anchors)
        optimizer.zero_grad()
        loss["loss_total"].backward()
        optimizer.step()
        # mutants: equivalent (without .detach()), a loss that keeps its graph has the same value
        losses.append({name: value.detach() for name, value in loss.items()})
    return mean_losses(losses)
    # END SOLUTION


@torch.no_grad()
def validate(model, dataloader, criterion, device, anchors):
    """One pass over the validation images: evaluation mode, no gradients, no updates.

    Returns:
        dict of mean losses, like `train_epoch`.
    """
    # BEGIN SOLUTION Task 1.11 validate P1.train
    model.eval()
    return mean_losses([
        criterion(model(images.to(device)), targets, anchors) for images, targets in dataloader
    ])
    # END SOLUTION


# BEGIN SOLUTION
def mean_losses(losses):
    """Mean over the batches of a list of loss dicts, as floats."""
    # mutants: free (without float), a tensor of one number is accepted as the number
    # mutants: equivalent ([0] -> [1]; [0] -> [-1]), all batches have losses of the same names
    return {name: float(torch.stack([loss[name] for loss in losses]).mean()) for name in losses[0]}


# mutants: free, what else main() records is not fixed
def evaluation(model, loader, anchors, out):
    """mAP, AP per class and true positives per map and class, ready for JSON.

    A class that no validation image shows has no AP (null) and does not enter the mean.
    """
    aps = [None if math.isnan(ap) else ap for ap in ap_per_class(*detect(model, loader, anchors))]
    present = [ap for ap in aps if ap is not None]
    counts = analyze_scale_performance(model, loader, anchors, out)
    return {
        "map": sum(present) / len(present) if present else None,
        "ap": dict(zip(CLASS_NAMES, aps)),
        "true_positives_by_map_and_class": counts.tolist(),
    }


# END SOLUTION
def main(argv=None):
    """Train on `DEFAULT_DATA` and write the deliverables beside this file.

    Writes `results/best_model.pth` (the state dict of the epoch with the lowest validation loss)
    and `results/training_log.json`: `{"train_loss": [...], "val_loss": [...]}`, one number per
    epoch.
    Options of the command line, and what else is recorded, are yours. Returns the exit code.
    """
    # BEGIN SOLUTION Task 1.11 main P1.train

    # mutants: free, options of the command line are not fixed
    parser = argparse.ArgumentParser(description="Train the multi-scale detector.")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-3, help="peak of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="the backbone alone, without neck")
    parser.add_argument("--scales", type=json.loads, default=ANCHOR_SCALES, metavar="JSON",
                        help="anchor sides per map (default %(default)s)")
    args = parser.parse_args(argv)
    for split in ("train", "val"):
        if not (args.data / f"{split}_annotations.json").exists():
            print(f"no {split}_annotations.json in {args.data}: run `make datasets` first",
                  file=sys.stderr)
            return 2
    args.out.mkdir(parents=True, exist_ok=True)

    # mutants: unasked, it trains for minutes: what it has written to results/ is graded
    seed_everything(args.seed)
    device = choose_device()
    anchors = generate_anchors(MAP_SIZES, args.scales)
    train_set, val_set = (
        ShapeDetectionDataset(*split_paths(args.data, split)) for split in ("train", "val")
    )
    train_loader = DataLoader(train_set, args.batch_size, shuffle=True, collate_fn=collate_fn)
    val_loader = DataLoader(val_set, args.batch_size, collate_fn=collate_fn)

    # mutants: free, no rule asks for a training that goes on where it was stopped
    settings = {name: str(value) for name, value in vars(args).items() if name != "out"}
    checkpoint = args.out / "checkpoint.pth"
    saved = None
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if saved["settings"] != settings:
            print(f"{checkpoint} belongs to a training with other settings: starting anew")
            saved = None

    # mutants: unasked, it trains for minutes: what it has written to results/ is graded
    model = MultiScaleDetector(num_anchors=len(args.scales[0]), neck=not args.plain)
    if saved:
        precision = Precision(device, saved["bfloat16"])
    else:
        precision = choose_precision(model, torch.rand(args.batch_size, 3, 224, 224), device)
    model = precision.prepare(model)
    criterion = DetectionLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, epochs=args.epochs, steps_per_epoch=len(train_loader)
    )
    # train_epoch knows nothing of schedules: the optimizer moves this one at each of its steps.
    optimizer.register_step_post_hook(lambda *_: schedule.step())

    # mutants: unasked, it trains for minutes: what it has written to results/ is graded
    log, best, seconds = {"train_loss": [], "val_loss": []}, math.inf, 0.0

    # mutants: free, no rule asks for a training that goes on where it was stopped
    if saved:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        torch.set_rng_state(saved["random"])
        log, best, seconds = saved["log"], saved["best"], saved["seconds"]
        print(f"resuming after epoch {len(log['train_loss'])} of {args.epochs}")

    # mutants: unasked, it trains for minutes: what it has written to results/ is graded
    print(f"{len(train_set)} training images, {args.epochs} epochs on {device} in {precision}")
    for epoch in range(len(log["train_loss"]), args.epochs):
        begin = time.perf_counter()
        try:
            with precision.autocast():
                train_loss = train_epoch(model, train_loader, criterion, optimizer, device, anchors)
                val_loss = validate(model, val_loader, criterion, device, anchors)
        except KeyboardInterrupt:
            print("\nStopped. The same command continues after the last finished epoch.",
                  file=sys.stderr)
            return 130
        if not math.isfinite(val_loss["loss_total"]):
            print(f"the validation loss is {val_loss['loss_total']} in epoch {epoch + 1}: stopping "
                  "(a lower --lr may help)", file=sys.stderr)
            return 1
        log["train_loss"].append(train_loss["loss_total"])
        log["val_loss"].append(val_loss["loss_total"])
        seconds += time.perf_counter() - begin
        if val_loss["loss_total"] < best:
            best = val_loss["loss_total"]
            weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
            save_atomically(weights, args.out / "best_model.pth")
        write_json(log, args.out / "training_log.json")
        # mutants: free, what else is recorded and printed is not fixed
        save_atomically(
            {"settings": settings, "bfloat16": precision.bfloat16, "model": model.state_dict(),
             "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
             "random": torch.get_rng_state(), "log": log, "best": best, "seconds": seconds},
            checkpoint,
        )
        print(f"epoch {epoch + 1}/{args.epochs}: train {log['train_loss'][-1]:.4f}, "
              f"val {log['val_loss'][-1]:.4f}, {seconds:.0f} s in all")

    # mutants: free, what else is recorded and printed is not fixed
    best_weights = torch.load(args.out / "best_model.pth", map_location=device, weights_only=True)
    model.load_state_dict(best_weights)
    manifest = args.data.parent / "manifest.json"
    data = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    metrics = evaluation(model, val_loader, anchors, args.out) | {
        "train_loss": log["train_loss"][-1], "val_loss": best, "epochs": args.epochs,
        "batch_size": args.batch_size, "lr": args.lr, "seed": args.seed, "neck": not args.plain,
        "scales": args.scales,
        "seconds": round(seconds, 1), "precision": str(precision),
        "data": {key: data.get(key) for key in ("profile", "seed", "palette")},
        "machine": describe_machine(device),
    }
    write_json(metrics, args.out / "metrics.json")
    detections, targets = detect(model, val_loader, anchors)
    for index in range(min(10, len(val_set))):
        visualize_detections(
            val_set[index][0], detections[index], targets[index],
            args.out / "visualizations" / f"detections_{index}.png",
        )
    checkpoint.unlink()
    print(f"mAP@0.5 {metrics['map']}; true positives by map and class "
          f"{metrics['true_positives_by_map_and_class']}; wrote {args.out}")
    return 0
    # END SOLUTION


if __name__ == "__main__":
    sys.exit(main())
