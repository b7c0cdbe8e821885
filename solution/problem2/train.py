"""Training of both networks: Adam and mean squared error, whatever the target.

    python train.py        trains both on datasets/keypoints and writes to results/

The two networks see the same images, with other targets of the same loss: heatmaps
`[B,K,64,64]`, or coordinates `[B,2K]`. Their losses are means over different numbers, so a
heatmap MSE and a regression MSE cannot be compared; PCK can.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional
from torch.utils.data import DataLoader
from tqdm import tqdm

import evaluate
from dataset import DEFAULT_DATA, KeypointDataset, split_paths
from model import HeatmapNet, RegressionNet
from runtime import (
    Precision,
    choose_device,
    choose_precision,
    describe_machine,
    save_atomically,
    seed_everything,
    write_json,
)

DEFAULT_RESULTS = Path(__file__).resolve().parent / "results"


# BEGIN SOLUTION
LEARNING_RATE = 1e-3  # mutants: free, what counts is that the error falls
# mutants: free, choosing a precision is an option of the reference
PROBE_FROM_STEPS = 100  # shorter trainings end before the choice of a precision pays off


def _run_epoch(model, loader, precision, optimizer=None, after_step=None) -> float:
    """One pass over the loader: training with an optimizer, measuring without. Mean loss."""
    training = optimizer is not None
    model.train(training)
    total = 0.0
    count = 0
    with torch.set_grad_enabled(training):
        for images, targets in loader:
            with precision.autocast():
                outputs = model(images.to(precision.device))
            # mutants: equivalent (without .float()), it is for bfloat16 alone
            loss = functional.mse_loss(outputs.float(), targets.to(precision.device))
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                after_step()  # mutants: free, how progress is shown
            # mutants: free (without .item()), a tensor of one number is accepted as the number
            total += loss.item() * len(images)  # the last batch may be smaller
            count += len(images)
    return total / count


# mutants: free, keeping a checkpoint is an option of the reference
def _load_checkpoint(path, run):
    """The state saved at `path`, or None where there is none or it belongs to another run."""
    if path is None or not Path(path).exists():
        return None
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if saved["run"] != run:
        print(f"{path} belongs to a training with other settings: starting anew")
        return None
    return saved


def _train(name, model, train_loader, val_loader, num_epochs, checkpoint, run):
    """The loop behind both training functions, which document it."""
    device = choose_device()
    steps = len(train_loader)
    run = {"num_epochs": num_epochs, **(run or {})}
    saved = _load_checkpoint(checkpoint, run)
    # mutants: free, checkpoints and the choice of a precision are options of the reference
    if saved:
        precision = Precision(device, saved["bfloat16"])
    elif num_epochs * steps >= PROBE_FROM_STEPS:
        images, _ = next(iter(train_loader))
        precision = choose_precision(model.to(device), images, device)
    else:
        precision = Precision(device, bfloat16=False)

    # mutants: free, what counts is that the error falls; checkpoints are an option of the reference
    precision.prepare(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    log = {"train_loss": [], "val_loss": []}
    seconds = 0.0
    if saved:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        log, seconds = saved["log"], saved["seconds"]
        torch.set_rng_state(saved["rng"])  # last: the same shuffles and dropouts still to come
        torch.cuda.set_rng_state_all(saved["cuda_rng"])

    done = len(log["train_loss"])
    with tqdm(
        # mutants: free, how progress is shown
        total=num_epochs * steps, initial=done * steps, desc=name, unit="step", disable=None,
    ) as bar:
        for epoch in range(done, num_epochs):
            begin = time.perf_counter()
            for group in optimizer.param_groups:  # half a cosine, from the full rate towards 0
                # mutants: free, what counts is that the error falls
                group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * epoch / num_epochs)) / 2
            train_loss = _run_epoch(model, train_loader, precision, optimizer, bar.update)
            val_loss = _run_epoch(model, val_loader, precision)
            log["train_loss"].append(train_loss)
            log["val_loss"].append(val_loss)

            # mutants: free, how progress is shown, and whether there is a checkpoint
            seconds += time.perf_counter() - begin
            bar.set_postfix(train=f"{train_loss:.2e}", val=f"{val_loss:.2e}")
            bar.write(f"{name} epoch {epoch + 1}/{num_epochs}: "
                      f"train loss {train_loss:.3e}, val loss {val_loss:.3e}")
            if checkpoint is not None:
                save_atomically({"run": run, "bfloat16": precision.bfloat16, "log": log,
                                 "seconds": seconds, "model": model.state_dict(),
                                 "optimizer": optimizer.state_dict(),
                                 "rng": torch.get_rng_state(),
                                 "cuda_rng": torch.cuda.get_rng_state_all()}, checkpoint)
    return log


# END SOLUTION
def train_heatmap_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None,
                        run=None) -> dict[str, list[float]]:
    """Train `model` in place to draw heatmaps: Adam, learning rate 1e-3, mean squared error.

    Args:
        model: `[B,1,128,128]` -> `[B,K,S,S]`. It is moved to `choose_device()` and stays there.
        train_loader, val_loader: batches `(images, heatmaps)`, in several passes. The weights
            see the training loader alone; the validation loader is only measured, in eval mode.
        num_epochs: passes over the training loader. The learning rate may fall during them.
        checkpoint: a file to keep the training in after each epoch. Where it exists already,
            the training continues from it and ends as if it had never stopped.
        run: a dict of plain values saying which training the checkpoint belongs to (seed, data,
            ...). A checkpoint with another `run` is not continued.

    `checkpoint` and `run` are a convenience that no check uses; they may be left without effect.

    Returns:
        `{"train_loss": [...], "val_loss": [...]}`, one mean per epoch each: the squared error
        averaged over channels, pixels and images. Whether batches count equally or by their size
        is yours to choose.
    """
    # BEGIN SOLUTION Task 2.8 train_heatmap_model P2.train
    # mutants: free, the name is only shown; checkpoint and run are options of the reference
    return _train("heatmap", model, train_loader, val_loader, num_epochs, checkpoint, run)
    # END SOLUTION


def train_regression_model(model, train_loader, val_loader, num_epochs=30, checkpoint=None,
                           run=None) -> dict[str, list[float]]:
    """Train `model` in place to name coordinates: Adam, learning rate 1e-3, mean squared error.

    As `train_heatmap_model`, with a model `[B,1,128,128]` -> `[B,2K]` and batches
    `(images, coordinates)`.
    """
    # BEGIN SOLUTION Task 2.8 train_regression_model P2.train
    # mutants: free, the name is only shown; checkpoint and run are options of the reference
    return _train("regression", model, train_loader, val_loader, num_epochs, checkpoint, run)
    # END SOLUTION


# BEGIN SOLUTION
NETWORKS = {"heatmap": (HeatmapNet, train_heatmap_model),  # mutants: unasked, used by main()
            "regression": (RegressionNet, train_regression_model)}  # mutants: unasked, the same


# mutants: free, options of the command line are not fixed
def _parse_arguments(argv):
    def positive(text):
        value = int(text)
        if value < 1:
            raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
        return value

    parser = argparse.ArgumentParser(description="Train HeatmapNet and RegressionNet.")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder with train/, val/")
    parser.add_argument("--out", type=Path, default=DEFAULT_RESULTS, help="folder for results")
    parser.add_argument("--epochs", type=positive, default=30)
    parser.add_argument("--batch-size", type=positive, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=NETWORKS, help="train one network only")
    return parser.parse_args(argv)


# mutants: free, what else main() records is not fixed
def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# mutants: unasked, main() alone calls it, which trains for minutes
def _loader(args, split, output_type, shuffle=False):
    dataset = KeypointDataset(*split_paths(args.data, split), output_type=output_type)
    return DataLoader(dataset, batch_size=args.batch_size, shuffle=shuffle)


# mutants: free, what else main() records is not fixed
def _pck_table(predictions, truths):
    """PCK at the thresholds of the results table, with keys that JSON can hold."""
    pck = evaluate.compute_pck(predictions, truths, evaluate.PCK_THRESHOLDS)
    return {f"{threshold:.2f}": value for threshold, value in pck.items()}


# mutants: unasked, main() alone calls it, which trains for minutes
def _fit(name, args, run):
    """Train one network and save its weights. Its log and the facts of its training."""
    network, train = NETWORKS[name]
    seed_everything(args.seed)  # here, so that --only trains the same network as a full run
    model = network()
    checkpoint = args.out / f"{name}_checkpoint.pth"
    log = train(model, _loader(args, "train", name, shuffle=True), _loader(args, "val", name),
                args.epochs, checkpoint, run)
    # Plain float32 tensors in the usual layout: readable on any machine, whatever trained them.
    weights = {key: value.cpu().contiguous() for key, value in model.state_dict().items()}
    save_atomically(weights, args.out / f"{name}_model.pth")

    # mutants: free, what else main() records is not fixed
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    device = choose_device()
    facts = {"val_mse": log["val_loss"][-1], "seconds": round(state["seconds"], 1),
             "epochs": args.epochs, **run, "precision": str(Precision(device, state["bfloat16"])),
             "machine": describe_machine(device)}
    return model, log, facts


# mutants: free, what else main() records is not fixed
def _mean_pose(args, count):
    """The mean training pose, once per image: what a network reaches that sees nothing."""
    dataset = KeypointDataset(*split_paths(args.data, "train"), output_type="regression")
    poses = torch.tensor([image["keypoints"] for image in dataset.images], dtype=torch.float32)
    return poses.mean(dim=0).expand(count, -1, -1)


# END SOLUTION
def main(argv=None) -> int:
    """Train both networks on `datasets/keypoints` and write to `results/` beside this file:

    - `heatmap_model.pth` and `regression_model.pth`, plain state dicts
      (`torch.save(model.state_dict(), path)`);
    - `training_log.json`, `{"heatmap": log, "regression": log}` with the dicts that the two
      training functions return;
    - `visualizations/pck_curves.png` and a few predictions as pictures.

    Options of the command line, and what else is recorded, are yours. Returns the exit code.
    """
    # BEGIN SOLUTION Task 2.8 main P2.train
    args = _parse_arguments(argv)  # mutants: unasked, no check runs main()
    # mutants: free, what main() says, and what else it records, is not fixed
    wanted = [path for split in ("train", "val") for path in split_paths(args.data, split)]
    missing = [path for path in wanted if not path.exists()]
    if missing:
        print(f"No dataset: {missing[0]} is missing. Make it with: make datasets", file=sys.stderr)
        return 2

    # mutants: free, what main() says, and what else it records, is not fixed
    args.out.mkdir(parents=True, exist_ok=True)
    pictures = args.out / "visualizations"
    manifest = _read_json(args.data.parent / "manifest.json")
    run = {"seed": args.seed, "batch_size": args.batch_size,
           "data": {key: manifest.get(key) for key in ("profile", "seed", "train", "val")}}

    # mutants: unasked, it trains for minutes: what it has written to results/ is graded
    names = [args.only] if args.only else list(NETWORKS)
    logs = _read_json(args.out / "training_log.json")
    metrics = _read_json(args.out / "metrics.json")
    curves = {}

    # mutants: unasked, it trains for minutes: what it has written to results/ is graded
    val_loader = _loader(args, "val", "regression")
    try:
        for name in names:
            model, logs[name], facts = _fit(name, args, run)
            # mutants: free, what main() says, and what else it records, is not fixed
            predictions, truths = evaluate.predict_keypoints(model, val_loader)
            metrics[name] = {"pck": _pck_table(predictions, truths), **facts}
            curves[name] = evaluate.compute_pck(predictions, truths, evaluate.CURVE_THRESHOLDS)
            for index in range(min(4, len(truths))):
                image, _ = val_loader.dataset[index]
                evaluate.visualize_predictions(image, predictions[index], truths[index],
                                               pictures / f"{name}_{index}.png")
    except KeyboardInterrupt:
        print("\nStopped. The same command continues after the last finished epoch.",
              file=sys.stderr)
        return 130

    # mutants: free, what main() says, and what else it records, is not fixed
    metrics["mean_pose"] = {"pck": _pck_table(_mean_pose(args, len(truths)), truths)}

    # mutants: unasked, it trains for minutes: what it has written to results/ is graded
    write_json(logs, args.out / "training_log.json")
    write_json(metrics, args.out / "metrics.json")
    if len(curves) == 2:
        evaluate.plot_pck_curves(curves["heatmap"], curves["regression"],
                                 pictures / "pck_curves.png")

    # mutants: free, what main() says, and what else it records, is not fixed
    for name in names:
        (args.out / f"{name}_checkpoint.pth").unlink()
    for name, row in metrics.items():
        print(f"{name:10s} PCK", *(f"@{t} {value:.3f}" for t, value in row["pck"].items()))
    return 0
    # END SOLUTION


if __name__ == "__main__":
    sys.exit(main())
