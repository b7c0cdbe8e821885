"""The tasks of the assignment: number -> (title, file of the student)."""

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


def order(number: str) -> tuple[int, ...]:
    """Sort key of a task or check number: `1.10` comes after `1.9`."""
    return tuple(int(part) for part in number.split("."))
