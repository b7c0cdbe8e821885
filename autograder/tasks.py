"""The tasks of the assignment, and which of them stand on which."""

# number -> (title, file of the student)
TASKS = {
    "1.1": ("Shape dataset and collation", "problem1/dataset.py"),
    "1.2": ("Anchors", "problem1/utils.py"),
    "1.3": ("IoU", "problem1/utils.py"),
    "1.4": ("Box coding", "problem1/utils.py"),
    "1.5": ("Matching", "problem1/utils.py"),
    "1.6": ("Hard negative mining", "problem1/loss.py"),
    "1.7": ("Detection loss", "problem1/loss.py"),
    "1.8": ("Multi-scale detector", "problem1/model.py"),
    "1.9": ("NMS and decoding", "problem1/utils.py, problem1/evaluate.py"),
    "1.10": ("Average precision", "problem1/evaluate.py"),
    "1.11": ("Training the detector", "problem1/train.py"),
    "1.12": ("Which map finds which class", "problem1/evaluate.py"),
    "1.13": ("Detector: deliverables", "problem1/results/"),
    "1.14": ("Detector: trained accuracy", "problem1/results/best_model.pth"),
    "2.1": ("Keypoint dataset", "problem2/dataset.py"),
    "2.2": ("Heatmap encoding", "problem2/dataset.py"),
    "2.3": ("HeatmapNet", "problem2/model.py"),
    "2.4": ("RegressionNet", "problem2/model.py"),
    "2.5": ("Keypoints from heatmaps", "problem2/evaluate.py"),
    "2.6": ("PCK", "problem2/evaluate.py"),
    "2.7": ("Pictures", "problem2/evaluate.py"),
    "2.8": ("Training the keypoint networks", "problem2/train.py"),
    "2.10": ("Keypoints: deliverables", "problem2/results/"),
    "2.11": ("Keypoints: trained accuracy", "problem2/results/"),
}

# task -> the earlier tasks whose code runs in its checks
NEEDS = {
    "1.5": ("1.3",),
    "1.7": ("1.3", "1.4", "1.5", "1.6"),
    "1.9": ("1.3", "1.4"),
    "1.10": ("1.3",),
    "1.12": ("1.3", "1.4", "1.9"),
    "1.13": ("1.8",),
    "1.14": ("1.8", "1.13"),
    "2.1": ("2.2",),  # a heatmap target comes from generate_heatmap
    "2.10": ("2.3", "2.4"),
    "2.11": ("2.3", "2.4", "2.10"),
}

# task -> its functions that later tasks call; their calls are recorded for follow-through
FUNCTIONS = {
    "1.3": ("utils.compute_iou",),
    "1.4": ("utils.encode_boxes", "utils.decode_boxes"),
    "1.5": ("utils.match_anchors_to_targets",),
    "1.6": ("loss.DetectionLoss.hard_negative_mining",),
    "1.9": ("utils.nms", "evaluate.decode_predictions"),
    "2.2": ("dataset.KeypointDataset.generate_heatmap",),
}


def earlier_functions(task: str) -> tuple[str, ...]:
    """The functions of earlier tasks that a task's checks may call."""
    return tuple(name for need in NEEDS.get(task, ()) for name in FUNCTIONS.get(need, ()))


def order(number: str) -> tuple[int, ...]:
    """Sort key of a task or check number: `1.10` comes after `1.9`."""
    return tuple(int(part) for part in number.split("."))
