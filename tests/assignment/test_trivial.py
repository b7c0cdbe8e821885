"""Nothing is paid for nothing: submissions of one-line answers, and the best mixture of them.

They are made from `starter/`. In each, every function gives one of its answers below, and
`results/` holds made-up losses and the weights of networks that were never trained.
"""

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch

from autograder.assignment import ASSIGNMENT
from tests.grading import STARTER, needs_training

pytestmark = pytest.mark.slow
MOST = 3  # points of the best mixture
# Checks that a one-line answer passes, since it is right on all of their inputs.
RIGHT = {"1.6.5": "with fewer negatives than asked for, what is mined is neg_mask"}

# Entries of an answer that has the right shape and the same number everywhere.
VALUES = ["0.0", "1.0", "float('nan')"]
SHAPED = {
    "ShapeDetectionDataset.__getitem__":
        "return torch.full((3, 32, 32), VALUE), {'boxes': torch.full((2, 4), VALUE), "
        "'labels': torch.full((2,), VALUE).long()}",
    "collate_fn": "return torch.full((len(batch), 3, 16, 20), VALUE), [t for _, t in batch]",
    "MultiScaleDetector.forward":
        "return [self.value.expand(len(x), -1, s, s) + VALUE for s in (56, 28, 14)]",
    "generate_anchors":
        "return [torch.full((h * w * len(s), 4), VALUE) "
        "for (h, w), s in zip(feature_map_sizes, anchor_scales)]",
    "compute_iou": "return torch.full((len(boxes1), len(boxes2)), VALUE)",
    "encode_boxes": "return torch.full(boxes.shape, VALUE)",
    "decode_boxes": "return torch.full(deltas.shape, VALUE)",
    "match_anchors_to_targets":
        "return (torch.full((len(anchors),), VALUE).long(), torch.full(anchors.shape, VALUE), "
        "torch.full((len(anchors),), VALUE) > 0, torch.full((len(anchors),), VALUE) <= 0)",
    "nms": "return torch.full(scores.shape, VALUE).long()",
    "DetectionLoss.forward":
        "return dict.fromkeys(('loss_obj', 'loss_cls', 'loss_loc', 'loss_total'), "
        "VALUE + 0 * sum(p.sum() for p in predictions))",
    "DetectionLoss.hard_negative_mining": "return torch.full(loss.shape, VALUE) > 0",
    "decode_predictions":
        "return [{'boxes': torch.full((2, 4), VALUE), 'scores': torch.full((2,), VALUE), "
        "'labels': torch.full((2,), VALUE).long(), 'maps': torch.full((2,), VALUE).long()} "
        "for _ in predictions[0]]",
    "compute_ap": "return VALUE",
    "analyze_scale_performance": "return torch.full((3, 3), VALUE).long()",
    "anchor_coverage": "return torch.full((len(anchors), num_classes), VALUE)",
    "capture_feature_maps":
        "return {n: torch.full((len(images), *[s // 2 for s in images.shape[2:]]), VALUE) "
        "for n in layers}",
    "size_breakdown": "return (torch.full((3, len(edges) - 1), VALUE).long(), "
                      "torch.full((len(edges) - 1,), VALUE).long())",
    "train_epoch": "return {'loss_total': VALUE}",
    "validate": "return {'loss_total': VALUE}",
    "KeypointDataset.__getitem__":
        "return torch.full((1, 128, 128), VALUE), (torch.full((10,), VALUE) if self.options[0] == "
        "'regression' else torch.full((5, 64, 64), VALUE))",
    "KeypointDataset.generate_heatmap":
        "return torch.full((len(keypoints), height, width), VALUE)",
    "HeatmapNet.forward": "return self.value.expand(len(images), -1, 64, 64) + VALUE",
    "RegressionNet.forward": "return (self.value.expand(len(images), -1) + VALUE).sigmoid()",
    "extract_keypoints_from_heatmaps": "return torch.full((*heatmaps.shape[:2], 2), VALUE)",
    "decode_subpixel": "return torch.full((*heatmaps.shape[:2], 2), VALUE)",
    "compute_pck": "return dict.fromkeys(thresholds, VALUE)",
    "ablation_study":
        "return [{**DEFAULT_VARIANT, **c, 'pck': dict.fromkeys(ABLATION_THRESHOLDS, VALUE), "
        "'pck_per_seed': dict.fromkeys(ABLATION_THRESHOLDS, [VALUE] * len(seeds))} "
        "for c in ABLATION]",
    "analyze_failure_cases":
        "return {c: {'keypoints': dict.fromkeys(KEYPOINT_NAMES, VALUE), 'images': []} for c in "
        "('both_right', 'only_heatmap', 'only_regression', 'both_wrong')}",
    "train_heatmap_model": "return dict.fromkeys(('train_loss', 'val_loss'), [VALUE] * num_epochs)",
}
# Other answers: arguments, empty ones, the smallest networks, made-up numbers.
LOSSES = ("return dict.fromkeys(('train_loss', 'val_loss'), "
          "[1 / (1 + i) for i in range(num_epochs)])")
POOLED = "torch.nn.functional.adaptive_avg_pool2d"
OTHERS = {
    "ShapeDetectionDataset.__init__": [
        "self.listed = json.loads(Path(annotation_file).read_text())"],
    "ShapeDetectionDataset.__len__":
        ["return len(self.listed['images'])", "return len(self.listed['annotations'])"],
    "ShapeDetectionDataset.__getitem__":
        ["return torch.zeros(3, 32, 32), {'boxes': torch.zeros(0, 4), "
         "'labels': torch.zeros(0).long()}", "return self.listed['images'][index], {}"],
    "collate_fn": ["return batch", "return [image for image, _ in batch], [t for _, t in batch]",
                   "return batch[0]"],
    "MultiScaleDetector.__init__": [
        "self.value = nn.Parameter(torch.zeros("
        "1, num_anchors * (5 + num_classes), 1, 1)); "
        "self.pixel = nn.Conv2d(3, num_anchors * (5 + num_classes), 1)"],
    "MultiScaleDetector.forward": [
        f"return [self.pixel({POOLED}(x, s)) for s in (56, 28, 14)]",
        "return [self.pixel(x[:, :, ::224 // s, ::224 // s]) for s in (56, 28, 14)]",
        "return [self.pixel(x).mean((2, 3), True).expand(-1, -1, s, s) for s in (56, 28, 14)]",
        "return [self.pixel(x[:, :, :s, :s]) for s in (56, 28, 14)]"],
    "generate_anchors": ["return []", "return feature_map_sizes",
                         "return [torch.zeros(0, 4) for _ in anchor_scales]"],
    "compute_iou": ["return boxes1", "return torch.zeros(0)", "return boxes2",
                    "return torch.eye(len(boxes1), len(boxes2))"],
    "encode_boxes": ["return boxes", "return anchors", "return boxes - anchors"],
    "decode_boxes": ["return deltas", "return anchors", "return deltas + anchors"],
    "match_anchors_to_targets": [
        "return target_labels, target_boxes, target_labels > 0, target_labels == 0",
        "return (torch.zeros(len(anchors)).long(), torch.zeros(anchors.shape), "
        "*torch.zeros(2, len(anchors)).bool())",
        "return []"],
    "nms": ["return torch.arange(len(scores))", "return torch.zeros(0).long()", "return boxes",
            "return scores.argsort(descending=True)", "return torch.zeros(1).long()"],
    "DetectionLoss.forward": [
        "return dict.fromkeys(('loss_obj', 'loss_cls', 'loss_loc', 'loss_total'), "
        "sum(p.square().mean() for p in predictions))", "return {}",
        "return {'loss_obj': predictions[0].mean(), 'loss_cls': 0 * predictions[0].mean(), "
        "'loss_loc': 0 * predictions[0].mean(), 'loss_total': predictions[0].mean()}"],
    "DetectionLoss.hard_negative_mining":
        ["return neg_mask", "return pos_mask", "return ~pos_mask", "return pos_mask | neg_mask",
         "return torch.zeros(1).bool()"],
    "decode_predictions": [
        "return [{'boxes': torch.zeros(0, 4), 'scores': torch.zeros(0), "
        "'labels': torch.zeros(0).long(), 'maps': torch.zeros(0).long()} for _ in predictions[0]]",
        "return []", "return predictions"],
    "compute_ap": ["return sum(map(len, ground_truths))",
                   "return float(len(predictions) == len(ground_truths))",
                   "return float(any(len(p['boxes']) for p in predictions))"],
    "analyze_scale_performance": [
        "Path('results/visualizations').mkdir(parents=True, exist_ok=True); Figure().savefig("
        "'results/visualizations/scale_performance.png'); return torch.arange(9).reshape(3, 3)",
        "Path('results/visualizations').mkdir(parents=True, exist_ok=True); Figure().savefig("
        "'results/visualizations/scale_performance.png', dpi=int(torch.randint(50, 99, ()))); "
        "return torch.eye(3).long()"],
    "visualize_detections": [
        "Figure().savefig(save_path)",
        "f = Figure(); f.subplots().imshow(torch.as_tensor(image)[0]); f.savefig(save_path)"],
    "anchor_coverage": ["return anchors", "return torch.eye(len(anchors), num_classes).double()"],
    "draw_anchor_coverage": [
        "Figure().savefig(save_path)",
        "f = Figure(); f.subplots().imshow(torch.as_tensor(image)[0]); f.savefig(save_path)"],
    "capture_feature_maps": [
        "return {}", "raise ValueError(layers)", "return {n: images.mean(dim=1) for n in layers}"],
    "size_breakdown": [
        "return [len(edges)] * 2", "return torch.arange(3 * len(edges) - 3).reshape(3, -1), "
        "torch.tensor([sum(len(t['boxes']) for t in targets)] * (len(edges) - 1))"],
    "train_epoch": ["return {}", "return {'loss_total': len(dataloader)}"],
    "validate": ["return {}", "return {'loss_total': len(dataloader)}"],
    "KeypointDataset.__init__": [
        "self.listed, self.options = json.loads(Path(annotation_file).read_text()), "
        "(output_type, heatmap_size, sigma)"],
    "KeypointDataset.__len__": ["return len(self.listed['images'])"],
    "KeypointDataset.__getitem__": [
        "return torch.zeros(1, 128, 128), torch.tensor(self.listed['images'][index]['keypoints'])",
        "return self.listed['images'][index]"],
    "KeypointDataset.generate_heatmap": [
        "return keypoints", "return torch.zeros(0)", "return torch.eye(height, width).expand("
        "len(keypoints), -1, -1)"],
    "HeatmapNet.__init__": [
        "self.value = nn.Parameter(torch.zeros(1, num_keypoints, 1, 1)); "
        "self.pixel = nn.Conv2d(1, num_keypoints, 1)"],
    "HeatmapNet.forward": [
        f"return self.pixel({POOLED}(images, 64))", "return self.pixel(images[:, :, ::2, ::2])",
        "return self.pixel(images).mean((2, 3), True).expand(-1, -1, 64, 64)",
        "return self.pixel(images[:, :, 32:96, 32:96])"],
    "RegressionNet.__init__": [
        "self.value = nn.Parameter(torch.zeros(1, 2 * num_keypoints)); "
        "self.mean = nn.Linear(1, 2 * num_keypoints)"],
    "RegressionNet.forward": [
        "return self.mean(images.mean((2, 3))).sigmoid()",
        "return self.mean(images[:, :, 64, 64]).sigmoid()",
        "return self.mean(images.mean((2, 3))).expand(len(images), -1).sigmoid()",
        "return self.mean(images.amax((2, 3))).sigmoid()"],
    "extract_keypoints_from_heatmaps": [
        "return heatmaps", "return heatmaps.amax((2, 3))[..., None].expand(-1, -1, 2)",
        "return torch.tensor(heatmaps.shape[:1:-1]) / 2 + torch.zeros(*heatmaps.shape[:2], 2)"],
    "decode_subpixel": [
        "return heatmaps", "return extract_keypoints_from_heatmaps(heatmaps) + 0.5",
        "return torch.tensor(heatmaps.shape[:1:-1]) / 2 + torch.zeros(*heatmaps.shape[:2], 2)"],
    "compute_pck": ["return {}", "return {t: t for t in thresholds}",
                    "return {t: float(t > 0.2) for t in thresholds}"],
    "plot_pck_curves": [
        "Figure().savefig(save_path)",
        "f = Figure(); f.subplots().plot([*pck_heatmap]); f.savefig(save_path)"],
    "visualize_predictions": [
        "Figure().savefig(save_path)",
        "f = Figure(); f.subplots().imshow(torch.as_tensor(image)[0]); f.savefig(save_path)"],
    "ablation_study": ["return []", "return [DEFAULT_VARIANT | c for c in ABLATION]"],
    "analyze_failure_cases": [
        "return {}",
        "return {c: {'keypoints': dict.fromkeys(KEYPOINT_NAMES, len(dataset)), 'images': "
        "list(range(max_images))} for c in ('both_right', 'only_heatmap', 'only_regression', "
        "'both_wrong')}"],
    "train_heatmap_model": [LOSSES, "return {'train_loss': [], 'val_loss': []}"],
    "train_regression_model": [LOSSES, "return {'train_loss': [], 'val_loss': []}"],
}
ANSWERS = {name: [SHAPED[name].replace("VALUE", value) for value in VALUES
                  if name in SHAPED] + OTHERS.get(name, [])
           for name in {**SHAPED, **OTHERS}}
KINDS = max(map(len, ANSWERS.values()))
WEIGHTS = {"problem1": {"best_model.pth": "MultiScaleDetector"},
           "problem2": {"heatmap_model.pth": "HeatmapNet", "regression_model.pth": "RegressionNet"}}
FALLING = {"train_loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.0]}
LOGS = {"problem1": {**FALLING, "val_map": 0.9},
        "problem2": {"heatmap": FALLING, "regression": FALLING}}


def unwritten(text: str):
    """`(name, task, statement)` of the functions of a module that raise NotImplementedError; the
    last one comes first.
    """
    found = []
    for outer in ast.parse(text).body:
        within = f"{outer.name}." if isinstance(outer, ast.ClassDef) else ""
        for node in outer.body if within else [outer]:
            last = node.body[-1] if isinstance(node, ast.FunctionDef) else None
            task = re.search(r"NotImplementedError\W+Task (\S+)", ast.unparse(last or []))
            if task:
                found.append((within + node.name, task[1], last))
    return found[::-1]


def answered(text: str, kind: int) -> str:
    """A module of the starter in which every function gives its answer of this kind."""
    lines = text.splitlines()
    for name, _, statement in unwritten(text):
        if own := ANSWERS.get(name):
            lines[statement.lineno - 1:statement.end_lineno] = [
                " " * statement.col_offset + own[kind % len(own)]]
    return "import json, torch\n" + "\n".join(lines) + "\n"


def trivial(kind: int, to: Path) -> Path:
    """A trivial submission in the folder `to`."""
    for path in STARTER.glob("problem*/*.py"):
        target = to / path.relative_to(STARTER)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(answered(path.read_text(encoding="utf-8"), kind), encoding="utf-8")
    for problem, networks in WEIGHTS.items():
        spec = importlib.util.spec_from_file_location("trivial", to / problem / "model.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        results = to / problem / "results"
        results.mkdir()
        for file, network in networks.items():
            torch.save(getattr(module, network)().state_dict(), results / file)
        (results / "training_log.json").write_text(json.dumps(LOGS[problem]), encoding="utf-8")
    return to


def asked(kind: int) -> list[str]:
    """Numbers of the checks of all tasks for which there is an answer of this kind."""
    tasks = {task for path in STARTER.glob("problem*/*.py")
             for name, task, _ in unwritten(path.read_text(encoding="utf-8"))
             if kind < len(ANSWERS.get(name, ()))}
    return [check.number for check in ASSIGNMENT.checks
            if check.task_number in tasks or kind == 0 and needs_training(check)]


def test_every_function_is_answered():
    names = {name for path in STARTER.glob("problem*/*.py")
             for name, task, _ in unwritten(path.read_text(encoding="utf-8"))
             if task in ASSIGNMENT.tasks and not name.endswith("main")}
    assert names == set(ANSWERS)


@pytest.mark.proof
def test_the_best_mixture_of_trivial_answers(tmp_path, grade_checks, public, hidden_for):
    paid: dict[str, tuple[int, float]] = {}
    for kind in range(KINDS):
        folder = trivial(kind, tmp_path / str(kind))
        passed = [row.check.number for row in grade_checks(folder, asked(kind)).rows if row.score]
        if passed:
            grade = grade_checks(folder, passed, sets=[public, hidden_for(passed)])
            paid.update({row.check.number: (kind, row.score) for row in grade.rows
                         if row.score > paid.get(row.check.number, (kind, 0))[1]})
    assert sum(points for _, points in paid.values()) <= MOST, paid
    assert set(paid) <= set(RIGHT), paid
