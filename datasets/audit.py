"""What a dataset holds, and what nobody could learn from it.

Two oracles see all that pixels can tell and nothing more. One finds every object except those
that others hide completely; its recall is the ceiling of any detector. The other finds every
keypoint but names the two hands by their x alone, since they look alike; its PCK is the
ceiling of any network where arms cross at random. A ceiling below 1 is a warning.

All figures come from the annotation files, keyed "detection/train" and so on.
"""

import numpy as np

from datasets.constants import ANCHOR_SCALES, CLASSES, IMAGE_SIZE, MAP_SIZES
from datasets.shapes import SIZE_RANGES

POSITIVE_IOU = 0.5
PCK_THRESHOLDS = (0.05, 0.10, 0.15, 0.20)
SIZE_BINS = 4  # per class


def audit(files: dict[str, dict]) -> dict:
    """Return the report (plain dicts, JSON-ready) on the annotation files of all splits."""
    kinds = {"detection": audit_detection, "keypoints": audit_keypoints}
    report = {name: kinds[name.split("/")[0]](content) for name, content in files.items()}
    return {**report, "warnings": _warnings(report)}


def audit_detection(content: dict) -> dict:
    """Count one split's objects; shares are 0..1, or None over no objects."""
    rows = content["annotations"]
    boxes = np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4)
    labels = np.array([row["category_id"] for row in rows], np.int64)
    sizes = np.sqrt([row["area"] for row in rows])
    visible = np.array([row["visibility"] for row in rows], np.float64)
    image_ids = [image["id"] for image in content["images"]]
    places = [row["image_id"] - image_ids[0] for row in rows]
    per_image = np.bincount(places, minlength=len(image_ids))
    has_positive = {f"{cells}x{cells}": best_anchor_iou(boxes, cells, scales) >= POSITIVE_IOU
                    for cells, scales in zip(MAP_SIZES, ANCHOR_SCALES)}
    classes = {}
    for label, name in enumerate(CLASSES):
        own = labels == label
        counts, edges = np.histogram(sizes[own], SIZE_BINS, SIZE_RANGES[label])
        classes[name] = {
            "objects": int(own.sum()),
            "sizes": {f"{low:.0f}-{high:.0f}": int(count)
                      for low, high, count in zip(edges, edges[1:], counts)},
            "positive_anchor": {cells: _share(positive[own])
                                for cells, positive in has_positive.items()}}
    return {
        "images": len(image_ids), "objects": len(rows),
        "objects_per_image": {str(n): int((per_image == n).sum()) for n in np.unique(per_image)},
        "classes": classes,
        "visibility": {"min": float(visible.min()), "fully_hidden": _share(visible == 0),
                       "under_half": _share(visible < 0.5)},
        "recall_ceiling": _share(visible > 0)}


def best_anchor_iou(boxes: np.ndarray, cells: int, scales: tuple[int, ...]) -> np.ndarray:
    """Return the best IoU, [N], of each xyxy box with the anchors of a cells x cells map.

    Anchors of one scale have one area, so their IoU grows with the intersection, and its
    width and height are best for a column and a row chosen independently.

    Args:
        boxes: `[N, 4]` in pixels; cells: along a side; scales: sides of anchors in pixels.
    """
    centres = (np.arange(cells) + 0.5) * IMAGE_SIZE / cells
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    best = np.zeros(len(boxes))
    for scale in scales:
        intersection = np.ones(len(boxes))
        for low, high in ((boxes[:, :1], boxes[:, 2:3]), (boxes[:, 1:2], boxes[:, 3:])):
            overlap = np.minimum(high, centres + scale / 2) - np.maximum(low, centres - scale / 2)
            intersection *= overlap.clip(min=0).max(axis=1)  # [N, cells] -> [N]
        best = np.maximum(best, intersection / (area + scale**2 - intersection))
    return best


def audit_keypoints(content: dict) -> dict:
    """Return one split's PCK ceiling per threshold, and how often the arms cross."""
    truth = np.array([image["keypoints"] for image in content["images"]], np.float64)
    found = sort_hands(truth)
    distance = np.linalg.norm(found - truth, axis=2)  # [N, 5]
    diagonal = np.linalg.norm(truth.max(axis=1) - truth.min(axis=1), axis=1)  # [N]
    return {
        "images": len(truth),
        "crossed_hands": _share((found != truth).any(axis=(1, 2))),
        "pck_ceiling": {f"{threshold:.2f}": _share(distance <= threshold * diagonal[:, None])
                        for threshold in PCK_THRESHOLDS}}


def sort_hands(keypoints: np.ndarray) -> np.ndarray:
    """Return a copy of keypoints [N, 5, 2] in which the hand further left is the left hand."""
    crossed = keypoints[:, 1, 0] > keypoints[:, 2, 0]
    result = keypoints.copy()
    result[crossed, 1:3] = keypoints[crossed, 2:0:-1]
    return result


def _share(flags: np.ndarray) -> float | None:
    return float(flags.mean()) if flags.size else None


def _warnings(report: dict) -> list[str]:
    lines = []
    for name, split in report.items():
        if split.get("recall_ceiling", 1) < 1:
            lines.append(f"{name}: {split['visibility']['fully_hidden']:.1%} of the objects are "
                         "fully hidden, so no detector can pass a recall of "
                         f"{split['recall_ceiling']:.3f}")
        ceilings = split.get("pck_ceiling", {})
        if any(ceiling < 1 for ceiling in ceilings.values()):
            values = "/".join(f"{ceiling:.3f}" for ceiling in ceilings.values())
            lines.append(f"{name}: hands cross in {split['crossed_hands']:.1%} of the figures, so "
                         f"sorting them by x stops at PCK {values} at {'/'.join(ceilings)}")
    return lines


def as_text(report: dict) -> str:
    """Return the report as lines for a terminal."""
    lines = []
    for name, split in report.items():
        if name.startswith("detection"):
            lines += _detection_lines(name, split)
        elif name.startswith("keypoints"):
            values = "  ".join(f"@{t} {share:.3f}" for t, share in split["pck_ceiling"].items())
            lines += [f"{name}: {split['images']} images",
                      f"  crossed hands {split['crossed_hands']:.1%}", f"  PCK ceiling {values}"]
    return "\n".join(lines + [f"warning: {line}" for line in report["warnings"]])


def _detection_lines(name: str, split: dict) -> list[str]:
    maps = [f"{cells}x{cells}" for cells in MAP_SIZES]
    per_image = ", ".join(f"{count} with {n}" for n, count in split["objects_per_image"].items())
    lines = [f"{name}: {split['images']} images ({per_image}), {split['objects']} objects",
             f"  {'class':9}objects  anchor of IoU >= .5 on {' '.join(maps)}  sizes"]
    for label, row in split["classes"].items():
        anchors = " ".join("    -" if share is None else f"{share:5.3f}"
                           for share in row["positive_anchor"].values())
        sizes = "  ".join(f"{bounds}: {count}" for bounds, count in row["sizes"].items())
        lines.append(f"  {label:9}{row['objects']:7}  {'':22}{anchors}  {sizes}")
    shown = split["visibility"]
    return [*lines,
            f"  visibility: least {shown['min']:.3f}, under half {shown['under_half']:.1%}, "
            f"fully hidden {shown['fully_hidden']:.1%}",
            f"  recall ceiling {split['recall_ceiling']:.3f}"]
