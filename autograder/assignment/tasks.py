"""The tasks of the assignment, and which of them stand on which."""

from ..engine.check import Task

# As data flows. Number, title, files of the student; `needs`: earlier tasks whose code runs in its
# checks; `functions`: what later tasks call of it; `begins`: what is asked where a question names
# none.
TASKS = {task.number: task for task in (
    Task("1.1", "Shape dataset and collation", "problem1/dataset.py",
         begins="dataset.ShapeDetectionDataset.__getitem__"),
    Task("1.2", "Anchors", "problem1/utils.py"),
    Task("1.3", "IoU", "problem1/utils.py", functions=("utils.compute_iou",)),
    Task("1.4", "Box coding", "problem1/utils.py",
         functions=("utils.encode_boxes", "utils.decode_boxes")),
    Task("1.5", "Matching", "problem1/utils.py", needs=("1.3",),
         functions=("utils.match_anchors_to_targets",)),
    Task("1.6", "Hard negative mining", "problem1/loss.py",
         functions=("loss.DetectionLoss.hard_negative_mining",)),
    Task("1.7", "Detection loss", "problem1/loss.py", needs=("1.3", "1.4", "1.5", "1.6"),
         begins="loss.DetectionLoss.forward"),
    Task("1.8", "Multi-scale detector", "problem1/model.py"),
    Task("1.9", "NMS", "problem1/utils.py", needs=("1.3",), functions=("utils.nms",)),
    Task("1.19", "Decoding", "problem1/evaluate.py", needs=("1.3", "1.4", "1.9"),
         functions=("evaluate.decode_predictions",)),
    Task("1.10", "Average precision", "problem1/evaluate.py", needs=("1.3",)),
    Task("1.11", "Training the detector", "problem1/train.py"),
    Task("1.12", "Which map finds which class", "problem1/evaluate.py",
         needs=("1.3", "1.4", "1.9", "1.19"), begins="evaluate.analyze_scale_performance"),
    Task("1.13", "Detector: deliverables", "problem1/results/", needs=("1.8",)),
    Task("1.14", "Detector: trained accuracy", "problem1/results/best_model.pth",
         needs=("1.8", "1.13")),
    Task("1.15", "Anchor coverage", "problem1/analysis.py", needs=("1.3",)),
    Task("1.16", "Feature maps", "problem1/analysis.py", begins="analysis.capture_feature_maps"),
    Task("1.17", "Which map finds which size", "problem1/analysis.py", needs=("1.3",)),
    Task("1.18", "True numbers: detector", "report.md", needs=("1.8", "1.13", "1.14")),
    # A heatmap target comes from generate_heatmap.
    Task("2.1", "Keypoint dataset", "problem2/dataset.py", needs=("2.2",),
         begins="dataset.KeypointDataset.__getitem__"),
    Task("2.2", "Heatmap encoding", "problem2/dataset.py",
         functions=("dataset.KeypointDataset.generate_heatmap",)),
    Task("2.3", "HeatmapNet", "problem2/model.py"),
    Task("2.4", "RegressionNet", "problem2/model.py"),
    Task("2.5", "Keypoints from heatmaps", "problem2/evaluate.py",
         functions=("evaluate.extract_keypoints_from_heatmaps",)),
    Task("2.6", "PCK", "problem2/evaluate.py", functions=("evaluate.compute_pck",)),
    Task("2.7", "Pictures", "problem2/evaluate.py"),
    Task("2.8", "Training the keypoint networks", "problem2/train.py"),
    Task("2.9", "Ablation and failure cases", "problem2/baseline.py",
         needs=("2.5", "2.6")),  # of 2.1, see `probes.data.beside_wrong_targets`
    Task("2.10", "Keypoints: deliverables", "problem2/results/", needs=("2.3", "2.4")),
    Task("2.11", "Keypoints: trained accuracy", "problem2/results/",
         needs=("2.3", "2.4", "2.10")),
    Task("2.12", "Finer than a pixel", "problem2/evaluate.py", needs=("2.5",)),
    Task("2.13", "True numbers: keypoints", "report.md", needs=("2.3", "2.4", "2.10", "2.11")),
)}
