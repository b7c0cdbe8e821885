"""What the choices of HeatmapNet are worth, and where the two networks fail.

    python baseline.py     after train.py, whose weights the failure analysis takes

Variants are compared by PCK in image pixels. Their MSE says nothing here: a wider Gaussian or a
larger map is another target, with another mean square, so that a lower loss need not mean a
better network (predicting zero everywhere has a loss four times lower at half the sigma).
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch.utils.data import DataLoader

import evaluate
import train
from dataset import DEFAULT_DATA, KEYPOINT_NAMES, KeypointDataset, split_paths
from model import HeatmapNet, RegressionNet
from runtime import seed_everything, write_json

# One factor at a time around the assignment's choice, so that a difference has one cause.
DEFAULT_VARIANT = {"heatmap_size": 64, "sigma": 2.0, "skip": True}
ABLATION = (
    {},
    {"heatmap_size": 32},
    {"heatmap_size": 128},
    {"sigma": 1.0},
    {"sigma": 3.0},
    {"sigma": 4.0},
    {"skip": False},
)
# .02 of the box diagonal is about 1.4 image pixels: there the size of a heatmap pixel shows.
ABLATION_THRESHOLDS = (0.02, 0.05, 0.10, 0.20)


def ablation_study(data_dir, save_path=None, epochs=10, seeds=(0,), batch_size=32) -> list[dict]:
    """Train HeatmapNet once per variant and seed, and measure each by PCK.

    Args:
        data_dir: folder with the splits `train` and `val`.
        save_path: optional JSON file for the rows, rewritten after each variant; its
            folder is made if it is missing.
        epochs, seeds, batch_size: of each training, by `train.train_heatmap_model`. Every variant
            sees the same seeds.

    Returns:
        one row per entry of ABLATION, in its order: `heatmap_size`, `sigma` (heatmap pixels),
        `skip`, `seconds` (mean per training), `epochs`, `seeds`, and for each of
        ABLATION_THRESHOLDS `pck` (threshold as text -> mean over the seeds) and `pck_per_seed`
        (threshold as text -> list). Predictions are compared with the true keypoints in image
        pixels, on the validation images.
    """
    # BEGIN SOLUTION Task 2.9 ablation_study P2.ablation
    # mutants: equivalent (swap "heatmap_size", "sigma"), keywords have no order
    # mutants: free (True -> False; without shuffle=True; without list), training is asked elsewhere
    val_points = KeypointDataset(*split_paths(data_dir, "val"), output_type="regression")
    rows = []
    for change in ABLATION:
        variant = DEFAULT_VARIANT | change
        target = {key: variant[key] for key in ("heatmap_size", "sigma")}
        train_set, val_set = (
            KeypointDataset(*split_paths(data_dir, split), **target) for split in ("train", "val")
        )
        begin = time.perf_counter()
        scores = {f"{threshold:.2f}": [] for threshold in ABLATION_THRESHOLDS}
        for seed in seeds:
            seed_everything(seed)
            model = HeatmapNet(skip=variant["skip"], heatmap_size=variant["heatmap_size"])
            train.train_heatmap_model(
                model, DataLoader(train_set, batch_size, shuffle=True),
                DataLoader(val_set, batch_size), num_epochs=epochs,
            )
            predictions, truths = evaluate.predict_keypoints(
                model, DataLoader(val_points, batch_size))
            pck = evaluate.compute_pck(predictions, truths, ABLATION_THRESHOLDS)
            for threshold, value in pck.items():
                scores[f"{threshold:.2f}"].append(value)
        rows.append({
            **variant, "epochs": epochs, "seeds": list(seeds),
            "seconds": round((time.perf_counter() - begin) / len(seeds), 1),  # mutants: free, time
            "pck": {threshold: sum(values) / len(values) for threshold, values in scores.items()},
            "pck_per_seed": scores,
        })
        # mutants: free, what is printed and how folders are made
        print("  ".join(f"{key} {value}" for key, value in variant.items()), " PCK",
              *(f"@{threshold} {value:.3f}" for threshold, value in rows[-1]["pck"].items()))
        if save_path is not None:
            Path(save_path).parent.mkdir(parents=True, exist_ok=True)
            write_json(rows, Path(save_path))
    return rows
    # END SOLUTION


def analyze_failure_cases(heatmap_model, regression_model, dataset, save_dir, threshold=0.1,
                          max_images=3) -> dict[str, dict]:
    """Sort the keypoints of a dataset by which network finds them, and picture typical images.

    A network finds a keypoint when it lies within `threshold` times the diagonal of the true
    keypoints' bounding box, as in `compute_pck`. Each keypoint of each image falls in one of
    four cases: `both_right`, `only_heatmap` (HeatmapNet right, RegressionNet wrong),
    `only_regression` and `both_wrong`.

    Args:
        heatmap_model, regression_model: trained networks.
        dataset: a KeypointDataset with `output_type="regression"`.
        save_dir: folder for the pictures `failure_<case>_<index>.png`, made if it is missing; they
            show both predictions side by side.
        max_images: pictures per case, those with the most keypoints of that case first (equal:
            the lower index).

    Returns:
        case -> `{"keypoints": {name: count, ...}, "images": [index, ...]}`: how often the case
        occurs for each name of KEYPOINT_NAMES, and the images pictured.
    """
    # BEGIN SOLUTION Task 2.9 analyze_failure_cases P2.failures
    # mutants: free (32 -> 33; 32 -> 31; without batch_size=32), any size of batches is right
    loader = DataLoader(dataset, batch_size=32)
    from_heatmap, truths = evaluate.predict_keypoints(heatmap_model, loader)
    from_regression, _ = evaluate.predict_keypoints(regression_model, loader)
    diagonals = (truths.amax(dim=1) - truths.amin(dim=1)).norm(dim=1, keepdim=True)  # [N,1]
    heatmap_right, regression_right = (
        (predictions - truths).norm(dim=2) <= threshold * diagonals  # [N,K]
        for predictions in (from_heatmap, from_regression)
    )
    cases = {
        "both_right": heatmap_right & regression_right,
        "only_heatmap": heatmap_right & ~regression_right,
        "only_regression": ~heatmap_right & regression_right,
        "both_wrong": ~heatmap_right & ~regression_right,
    }

    Path(save_dir).mkdir(parents=True, exist_ok=True)
    report = {}
    for case, occurs in cases.items():
        per_image = occurs.sum(dim=1)
        ranked = per_image.argsort(descending=True, stable=True)[:max_images].tolist()
        images = [index for index in ranked if per_image[index] > 0]
        counts = occurs.sum(dim=0).tolist()
        report[case] = {"keypoints": dict(zip(KEYPOINT_NAMES, counts, strict=True)),
                        "images": images}
        for index in images:
            # mutants: free, what a picture shows
            figure = Figure(figsize=(7, 3.8), layout="constrained")
            panels = zip(figure.subplots(1, 2), ("HeatmapNet", "RegressionNet"),
                         (from_heatmap, from_regression), strict=True)
            for axes, title, predictions in panels:
                evaluate.draw_keypoints(axes, dataset[index][0], predictions[index], truths[index])
                axes.set_title(title)
            figure.suptitle(f"{case.replace('_', ' ')}, image {index}")
            figure.savefig(Path(save_dir) / f"failure_{case}_{index}.png", dpi=120)
    return report
    # END SOLUTION


def main(argv=None) -> int:
    """Run the ablation and the failure analysis; write `results/ablation.json`,
    `results/failure_cases.json` and the pictures in `results/visualizations/`, beside this file.

    The failure analysis takes the weights that train.py wrote. Returns the exit code.
    """
    # BEGIN SOLUTION Task 2.9 main P2.ablation

    # mutants: free, options of the command line are not fixed
    parser = argparse.ArgumentParser(description="Ablation of HeatmapNet, and failure cases.")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder with train/, val/")
    parser.add_argument("--out", type=Path, default=train.DEFAULT_RESULTS)
    parser.add_argument("--epochs", type=int, default=10, help="of each training of the ablation")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", choices=("ablation", "failures"))
    args = parser.parse_args(argv)
    weights = {name: args.out / f"{name}_model.pth" for name in ("heatmap", "regression")}
    needed = [(path, "make datasets") for path in split_paths(args.data, "val")]
    if args.only != "ablation":
        needed += [(path, "make train PROBLEM=2") for path in weights.values()]
    for path, command in needed:
        if not path.exists():
            print(f"{path} is missing. Make it with: {command}", file=sys.stderr)
            return 2

    # mutants: unasked, it trains for minutes
    if args.only != "failures":
        ablation_study(args.data, args.out / "ablation.json", args.epochs, args.seeds)
    if args.only != "ablation":
        models = {"heatmap": HeatmapNet(), "regression": RegressionNet()}
        for name, model in models.items():
            model.load_state_dict(torch.load(weights[name], map_location="cpu", weights_only=True))
        val_set = KeypointDataset(*split_paths(args.data, "val"), output_type="regression")
        report = analyze_failure_cases(models["heatmap"], models["regression"], val_set,
                                       args.out / "visualizations")
        write_json(report, args.out / "failure_cases.json")
        for case, found in report.items():
            print(f"{case:16s}", "  ".join(f"{k} {n}" for k, n in found["keypoints"].items()))
    return 0
    # END SOLUTION


if __name__ == "__main__":
    sys.exit(main())
