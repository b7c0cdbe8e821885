"""Other correct solutions: copies of the solution with files or passages in another style."""

import re
import shutil
from pathlib import Path

from tests.grading import copy_solution, patch

VARIANTS = Path(__file__).parent / "variants"
OWN = "analysis|baseline|dataset|evaluate|loss|model|runtime|train|utils"


def overlay(root: Path, name: str) -> None:
    """Replace files of the solution by those of a variant in `variants/`."""
    for path in (VARIANTS / name).rglob("*.py"):
        shutil.copyfile(path, root / path.relative_to(VARIANTS / name))


def package(root: Path) -> None:
    """Imports as from a package, and the functions of utils.py in a helper module."""
    for path in root.glob("problem*/*.py"):
        problem, text = path.parent.name, path.read_text(encoding="utf-8")
        text = re.sub(rf"^from ({OWN}) import", rf"from {problem}.\1 import", text, flags=re.M)
        text = re.sub(rf"^import ({OWN})$", rf"from {problem} import \1", text, flags=re.M)
        path.write_text(text, encoding="utf-8")
    (root / "problem1" / "utils.py").rename(root / "problem1" / "boxes.py")
    (root / "problem1" / "utils.py").write_text(
        "from problem1.boxes import (ANCHOR_SCALES, MAP_SIZES, box_area, compute_iou,\n"
        "                            decode_boxes, encode_boxes, generate_anchors,\n"
        "                            match_anchors_to_targets, nms)\n", encoding="utf-8")


def float64(root: Path) -> None:
    """Everything computed in float64, and handed back so where no rule names a type."""
    patch(root, "problem1/utils.py",
          ("    top_left = torch.maximum(",
           "    boxes1, boxes2 = boxes1.double(), boxes2.double()\n    top_left = torch.maximum("),
          ("    size, anchor_size = boxes[..., 2:]",
           "    boxes, anchors = boxes.double(), anchors.double()\n"
           "    size, anchor_size = boxes[..., 2:]"),
          ("    anchor_size = anchors[..., 2:] - anchors[..., :2]\n    centre",
           "    deltas, anchors = deltas.double(), anchors.double()\n"
           "    anchor_size = anchors[..., 2:] - anchors[..., :2]\n    centre"))
    patch(root, "problem1/loss.py", (").float()  # [B, N, 5+C]", ").double()"))
    patch(root, "problem1/evaluate.py", ("dim=1).float()  # [B, N, 5+C]", "dim=1).double()"))
    patch(root, "problem2/dataset.py",
          ("torch.as_tensor(keypoints, dtype=torch.float32)",
           "torch.as_tensor(keypoints).double()"),
          ("return torch.where(inside, heatmaps, 0.0)",
           "return torch.where(inside, heatmaps, 0.0).float()"))


def loose(root: Path) -> None:
    """Tuples for lists and lists for tuples, tensors for numbers, entries nobody asked for."""
    patch(root, "problem1/utils.py",
          ("    return anchors\n", "    return tuple(anchors)\n"),
          ("    return matched_labels, matched_boxes, pos_mask, neg_mask",
           "    return [matched_labels, matched_boxes, pos_mask, neg_mask]"))
    patch(root, "problem1/dataset.py",
          ("return image, {", 'return [image, {"image_id": entry["id"], "area": None, '),
          ('"labels": labels}', '"labels": labels}]'),
          ("return torch.stack(images), list(targets)", "return [torch.stack(images), targets]"))
    patch(root, "problem1/loss.py",
          ('"loss_obj": loss_obj,\n', '"loss_obj": loss_obj[None], "positives": num_positives,\n'),
          ('            "loss_total"', '            "loss": None, "loss_total"'))
    patch(root, "problem1/evaluate.py",
          ('"maps": maps[candidates[keep]],', '"maps": maps[candidates[keep]].int(), "count": 7,'),
          ("return float((precision * hits).sum() / num_targets)",
           "return (precision * hits).sum() / num_targets"),
          ("    return counts\n", "    return torch.as_tensor(counts).int()\n"))
    patch(root, "problem1/train.py",
          ("    return mean_losses(losses)",
           '    return {"loss": mean_losses(losses)["loss_total"]}'))
    patch(root, "problem2/evaluate.py",
          ("        threshold: (distances", "        float(threshold): (distances"),
          (".double().mean().item()", ".double().mean()"))


def paths(root: Path) -> None:
    """Takes every path for a `pathlib.Path`, which those of its own training are."""
    for name in ("problem1/dataset.py", "problem2/dataset.py", "problem2/evaluate.py"):
        path = root / name
        text = re.sub(r"Path\((image_dir|annotation_file|save_path)\)", r"\1",
                      path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    patch(root, "problem2/dataset.py",
          ("self.image_dir = image_dir\n", "self.image_dir = image_dir / '.'\n"))


def provided(root: Path) -> None:
    """Uses what the kit provides, and what Python has, where the solution does without."""
    patch(root, "problem2/train.py",
          ("PROBE_FROM_STEPS = 100", "PROBE_FROM_STEPS = 0"))  # passes that teach nothing
    patch(root, "problem2/dataset.py",
          ("            raise ValueError(f'output", "            raise UnknownOutput(f'output"),
          ("class KeypointDataset", "class UnknownOutput(ValueError):\n    pass\n\n\n"
                                    "class KeypointDataset"),
          ("        if output_type not in", "        annotation_file.is_file()  # a Path's method\n"
                                           "        if output_type not in"))
    patch(root, "problem2/evaluate.py",
          ("raise ValueError(f'normalize_by", "raise UnicodeError(f'normalize_by"))


BOXES = "1.2 1.3 1.4 1.5 1.6 1.7 1.9 1.19 1.10"
# Folder in variants/, or function above -> the tasks that it solves in its own way.
STYLES = {
    # numpy inside; a heatmap method that takes numpy arrays and no tensors
    "numpy": f"{BOXES} 1.12 1.15 1.16 1.17 2.1 2.2 2.5 2.6 2.7 2.12",
    # plain loops, pyplot, the course's backbone; files written where the program runs
    "loops": f"{BOXES} 1.8 1.12 1.15 1.16 1.17 2.5 2.6 2.7 2.12",
    # Python floats, lists, .item(), print, progress bars
    "beginner": f"1.1 {BOXES} 1.8 1.11 1.12 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9",
    # asserts on every argument, float64 sums, recursion, in-place steps on copies
    "defensive": f"1.1 {BOXES} 1.12 2.1 2.2 2.5 2.6 2.7 2.8",
    # einsum and outer products
    "einsum": f"{BOXES} 1.15 1.16 1.17 2.1 2.2 2.4 2.5 2.6",
    # functions in modules of their own, called by keyword
    "helpers": f"{BOXES} 1.12 2.1 2.2 2.5 2.6 2.7",
    # everything read in __init__; clipped gradients, schedulers, dict subclasses
    "inmemory": "1.1 1.8 1.10 1.11 1.12 2.1 2.2 2.5 2.6 2.7 2.8 2.9",
    # torch.jit.script, dataclasses, partial, generators
    "scripted": "1.2 1.3 1.4 1.5 1.8 1.9 1.19 1.10 1.11 2.1 2.2 2.3 2.4 2.5 2.6",
    # topk, argsort, scatter_, searchsorted
    "sorting": "1.2 1.3 1.4 1.5 1.6 1.7 1.9 1.19 1.10 2.5 2.6 2.12",
    # other depth and width, residual blocks, losses and networks as subclasses
    "subclassed": "1.6 1.7 1.8 1.11 2.3 2.4 2.8",
    "package": f"1.1 {BOXES} 1.11 1.12 1.15 1.16 1.17 2.1 2.2 2.5 2.6 2.8 2.9 2.12",
    "float64": "1.3 1.4 1.5 1.6 1.7 1.9 1.19 1.10 1.12 1.15 1.17 2.1 2.2",
    "provided": "2.1 2.6 2.8",
    "paths": "1.1 2.1 2.2 2.7",
    "loose": "1.1 1.2 1.5 1.7 1.9 1.19 1.10 1.11 1.12 2.6",
}
PATCHES = {function.__name__: function for function in (package, float64, provided, paths, loose)}


def write(style: str, root: Path) -> Path:
    """The solution's code in a style, in the folder `root`."""
    copy_solution(root)
    PATCHES.get(style, lambda root: overlay(root, style))(root)
    return root
