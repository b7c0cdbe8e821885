"""Tasks 1.9 and 1.12: decoding, which map finds which class, and the pictures."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

MAPS = {"feature_map_sizes": [(3, 4), (2, 1)], "anchor_scales": [[8, 12], [16, 24, 30]],
        "image_size": 32}  # 24 + 6 anchors; neither square maps nor equal numbers of scales


@pytest.fixture
def pictures(problem1, tmp_path, monkeypatch):
    """The folder of scale_performance.png, which is otherwise beside the solution."""
    assert problem1.evaluate.RESULTS.parts[-3:] == ("solution", "problem1", "results")
    monkeypatch.setattr(problem1.evaluate, "RESULTS", tmp_path / "results")
    return tmp_path / "results" / "visualizations"


def boxes_of(rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def iou_of(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return overlap / union if union else 0


# --- decoding ------------------------------------------------------------------------------


def blank_maps(maps, batch=1, classes=3):
    """Raw maps in which nothing is an object: objectness -20, all else 0."""
    predictions = []
    for (height, width), scales in zip(maps["feature_map_sizes"], maps["anchor_scales"],
                                       strict=True):
        prediction = torch.zeros(batch, len(scales), 5 + classes, height, width)
        prediction[:, :, 4] = -20
        predictions.append(prediction.flatten(1, 2))
    return predictions


def put(predictions, image, where, label, score, deltas=(0, 0, 0, 0), classes=3):
    """Make one anchor detect something: `where` is (map, row, column, anchor of the cell)."""
    index, row, column, anchor = where
    first = anchor * (5 + classes)
    cell = predictions[index][image, first : first + 5 + classes, row, column]
    cell[:4] = torch.tensor(deltas)
    cell[4] = math.log(score / (1 - score)) if score < 1 else 20
    cell[5:] = 0
    cell[5 + label] = 30  # softmax 1


def decode_by_loops(predictions, anchors_per_map, classes, threshold, nms_threshold, limit):
    """Detections of every image: (score, box, label, map), best first."""
    result = []
    for image in range(len(predictions[0])):
        found = []
        for index, (prediction, anchors) in enumerate(
                zip(predictions, anchors_per_map, strict=True)):
            _, channels, height, width = prediction.shape
            values = prediction[image].tolist()
            for n, (x1, y1, x2, y2) in enumerate(anchors.tolist()):
                cell, a = divmod(n, channels // (5 + classes))
                i, j = divmod(cell, width)
                tx, ty, tw, th, objectness, *logits = [
                    values[a * (5 + classes) + c][i][j] for c in range(5 + classes)]
                best = max(range(classes), key=logits.__getitem__)
                softmax = 1 / sum(math.exp(logit - logits[best]) for logit in logits)
                score = softmax / (1 + math.exp(-objectness))
                x, y = (x1 + x2) / 2 + tx * (x2 - x1), (y1 + y2) / 2 + ty * (y2 - y1)
                w, h = (x2 - x1) * math.exp(tw), (y2 - y1) * math.exp(th)
                if score >= threshold:
                    box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                    found.append((score, box, best, index))
        kept = []
        for candidate in sorted(found, key=lambda row: -row[0]):
            rivals = [box for _, box, label, _ in kept if label == candidate[2]]
            if all(iou_of(candidate[1], box) <= nms_threshold for box in rivals):
                kept.append(candidate)
        result.append(kept[:limit])
    return result


@given(seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 3), classes=st.integers(1, 4),
       threshold=st.sampled_from([0.05, 0.2, 0.5]), nms_threshold=st.sampled_from([0.2, 0.5]),
       limit=st.sampled_from([100, 3]))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_decoding_agrees_with_loops(problem1, seed, batch, classes, threshold, nms_threshold,
                                    limit):
    """Always the same examples: once in thousands, float32 and float64 differ at a threshold."""
    generator = torch.Generator().manual_seed(seed)
    anchors = problem1.utils.generate_anchors(**MAPS)
    predictions = [torch.randn(p.shape, generator=generator)
                   for p in blank_maps(MAPS, batch, classes)]
    detections = problem1.evaluate.decode_predictions(
        predictions, anchors, threshold, nms_threshold, limit)
    expected = decode_by_loops(predictions, anchors, classes, threshold, nms_threshold, limit)
    assert len(detections) == batch
    for detection, rows in zip(detections, expected, strict=True):
        assert set(detection) == {"boxes", "scores", "labels", "maps"}
        assert detection["labels"].dtype == detection["maps"].dtype == torch.int64
        scores, boxes, labels, maps = zip(*rows, strict=True) if rows else ((), (), (), ())
        torch.testing.assert_close(detection["scores"], torch.tensor(scores))
        torch.testing.assert_close(detection["boxes"], boxes_of(boxes), rtol=1e-4, atol=1e-4)
        assert detection["labels"].tolist() == list(labels)
        assert detection["maps"].tolist() == list(maps)


def test_a_detection_lies_on_its_anchor(problem1):
    """Row 2, column 3, second anchor: centre (3.5 * 8, 2.5 * 32/3), side 12, out of the image."""
    anchors = problem1.utils.generate_anchors(**MAPS)
    predictions = blank_maps(MAPS, batch=2)
    put(predictions, 1, (0, 2, 3, 1), label=2, score=0.75)
    empty, found = problem1.evaluate.decode_predictions(predictions, anchors)
    assert [empty[name].shape for name in ("boxes", "scores", "labels", "maps")] == [
        (0, 4), (0,), (0,), (0,)]
    assert found["boxes"][0].tolist() == pytest.approx([22, 20.6667, 34, 32.6667], abs=1e-3)
    assert found["scores"].tolist() == pytest.approx([0.75])
    assert found["labels"].tolist() == [2] and found["maps"].tolist() == [0]


def test_nms_runs_per_class_and_over_all_maps(problem1):
    """Three times one box: twice as a square, from two maps, and once as a circle."""
    maps = {"feature_map_sizes": [(1, 1), (1, 1)], "anchor_scales": [[16, 16], [16]]}
    anchors = problem1.utils.generate_anchors(**maps)
    predictions = blank_maps(maps)
    put(predictions, 0, (0, 0, 0, 0), label=1, score=0.6)
    put(predictions, 0, (0, 0, 0, 1), label=0, score=0.7)
    put(predictions, 0, (1, 0, 0, 0), label=1, score=0.8)
    found = problem1.evaluate.decode_predictions(predictions, anchors)[0]
    assert found["labels"].tolist() == [1, 0] and found["maps"].tolist() == [1, 0]
    assert found["scores"].tolist() == pytest.approx([0.8, 0.7])
    all_three = problem1.evaluate.decode_predictions(predictions, anchors, nms_threshold=1.0)[0]
    assert all_three["maps"].tolist() == [1, 0, 0]


def test_score_threshold_itself_is_kept_and_equal_scores_stay_in_order(problem1):
    maps = {"feature_map_sizes": [(2, 2)], "anchor_scales": [[8]], "image_size": 32}
    anchors = problem1.utils.generate_anchors(**maps)
    predictions = [torch.zeros_like(p) for p in blank_maps(maps, classes=1)]  # sigmoid(0) * 1
    decode = problem1.evaluate.decode_predictions
    assert torch.equal(decode(predictions, anchors, score_threshold=0.5)[0]["boxes"], anchors[0])
    assert len(decode(predictions, anchors, score_threshold=0.51)[0]["boxes"]) == 0
    limited = decode(predictions, anchors, max_detections=3)[0]
    assert torch.equal(limited["boxes"], anchors[0][:3])
    of_two_classes = blank_maps(maps)
    for column, label in ((0, 2), (1, 1)):
        put(of_two_classes, 0, (0, 0, column, 0), label, score=0.75)
    assert decode(of_two_classes, anchors)[0]["labels"].tolist() == [2, 1]


def test_the_limit_keeps_the_best_of_what_nms_leaves(problem1):
    maps = {"feature_map_sizes": [(1, 3)], "anchor_scales": [[60, 60]]}
    anchors = problem1.utils.generate_anchors(**maps)
    predictions = blank_maps(maps)
    for column, anchor, score in ((0, 0, 0.9), (0, 1, 0.8), (2, 0, 0.7), (1, 0, 0.6)):
        put(predictions, 0, (0, 0, column, anchor), label=0, score=score)
    found = problem1.evaluate.decode_predictions(predictions, anchors, max_detections=2)[0]
    assert found["scores"].tolist() == pytest.approx([0.9, 0.7])


def test_encoded_objects_come_back(problem1):
    """Matching, coding, order of the anchors and decoding fit together: AP 1 for every class."""
    utils, evaluate = problem1.utils, problem1.evaluate
    anchors = utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES)
    target = {"boxes": boxes_of([[10, 20, 30, 40], [100, 90, 170, 160], [40, 60, 190, 210],
                                 [180, 10, 200, 30]]), "labels": torch.tensor([0, 1, 2, 0])}
    joint = torch.cat(anchors)
    labels, boxes, pos_mask, _ = utils.match_anchors_to_targets(joint, *target.values())
    flat = torch.zeros(len(labels), 8)
    flat[pos_mask, :4] = utils.encode_boxes(boxes[pos_mask], joint[pos_mask])
    flat[:, 4] = torch.where(pos_mask, 20.0, -20.0)
    flat[pos_mask, 4 + labels[pos_mask]] = 20
    predictions = [rows.reshape(1, side, side, 24).permute(0, 3, 1, 2)
                   for rows, (side, _) in zip(flat.split([len(a) for a in anchors]),
                                              utils.MAP_SIZES, strict=True)]
    detections = evaluate.decode_predictions(predictions, anchors)
    assert len(detections[0]["boxes"]) == 4
    assert evaluate.ap_per_class(detections, [target]) == [1.0, 1.0, 1.0]
    assert problem1.loss.DetectionLoss()(predictions, [target], anchors)["loss_total"] < 1e-3


# --- scales and pictures -------------------------------------------------------------------


class Replay(nn.Module):
    """A network that answers with given maps, batch after batch."""

    def __init__(self, batches):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.batches = iter(batches)

    def forward(self, images):
        return next(self.batches)


@pytest.fixture
def replayed(problem1):
    """(network, loader, anchors): two images whose detections are known."""
    utils = problem1.utils
    maps = {"feature_map_sizes": utils.MAP_SIZES, "anchor_scales": utils.ANCHOR_SCALES}
    anchors = utils.generate_anchors(**maps)

    def anchor_box(index, row, column, anchor):
        side = utils.MAP_SIZES[index][1]
        return anchors[index][(row * side + column) * 3 + anchor].tolist()

    predictions = blank_maps(maps, batch=2)
    circle, square, triangle = (0, 30, 20, 1), (1, 14, 9, 0), (2, 7, 7, 2)
    put(predictions, 0, circle, 0, 0.9)
    put(predictions, 0, square, 1, 0.8)
    put(predictions, 0, (0, 10, 10, 0), 0, 0.9)  # nothing there
    put(predictions, 0, triangle, 1, 0.9)  # wrong class
    put(predictions, 1, square, 1, 0.45)  # not confident
    put(predictions, 1, triangle, 2, 0.6)
    put(predictions, 1, (2, 7, 7, 1), 2, 0.9)  # the same triangle, IoU (128/192)^2 = .44: a miss
    put(predictions, 1, (0, 4, 4, 2), 0, 0.7, deltas=(0.02, 0, 0, 0))
    targets = [
        {"boxes": boxes_of([anchor_box(*circle), anchor_box(*square), anchor_box(*triangle)]),
         "labels": torch.tensor([0, 1, 2])},
        {"boxes": boxes_of([anchor_box(*square), anchor_box(*triangle), anchor_box(0, 4, 4, 2)]),
         "labels": torch.tensor([1, 2, 0])},
    ]
    batches = [[p[image : image + 1] for p in predictions] for image in range(2)]
    loader = [(torch.zeros(1, 3, 224, 224), [target]) for target in targets]
    return Replay(batches), loader, anchors


def test_scale_performance(problem1, replayed, pictures):
    counts = problem1.evaluate.analyze_scale_performance(*replayed)
    assert isinstance(counts, np.ndarray) and np.issubdtype(counts.dtype, np.integer)
    assert counts.tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 1]]
    with Image.open(pictures / "scale_performance.png") as picture:
        assert picture.width > 300


def test_each_object_counts_once_for_its_best_detection(problem1, pictures):
    """A circle found by two maps whose boxes NMS keeps: IoU .49 with each other."""
    maps = {"feature_map_sizes": [(1, 1)] * 3, "anchor_scales": [[40], [40], [80]]}
    anchors = problem1.utils.generate_anchors(**maps)
    predictions = blank_maps(maps)
    put(predictions, 0, (0, 0, 0, 0), 0, 0.7, deltas=(1 / 6, 0, 0, 0))
    put(predictions, 0, (1, 0, 0, 0), 0, 0.8, deltas=(-1 / 6 - 0.01, 0, 0, 0))
    target = {"boxes": anchors[0].clone(), "labels": torch.tensor([0])}  # IoU 5/7 and .70
    loader = [(torch.zeros(1, 3, 224, 224), [target])]
    assert len(problem1.evaluate.decode_predictions(predictions, anchors)[0]["boxes"]) == 2
    counts = problem1.evaluate.analyze_scale_performance(Replay([predictions]), loader, anchors)
    assert counts.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_detect_runs_in_evaluation_mode_without_gradients(problem1, replayed):
    network, loader, anchors = replayed
    network.train()
    detections, targets = problem1.evaluate.detect(network, loader, anchors)
    assert not network.training
    assert [len(detection["boxes"]) for detection in detections] == [4, 4]
    assert all(torch.equal(targets[i]["boxes"], loader[i][1][0]["boxes"]) for i in range(2))


def colours_of(path):
    with Image.open(path) as picture:
        return {colour for _, colour in picture.convert("RGB").getcolors(maxcolors=1_000_000)}


@pytest.mark.parametrize("convert", [torch.Tensor.clone, torch.Tensor.numpy])
def test_detection_picture(problem1, tmp_path, convert):
    import matplotlib.pyplot as plt

    nothing = {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0),
               "labels": torch.zeros(0, dtype=torch.int64)}
    found = {"boxes": boxes_of([[10, 20, 60, 80], [-5, -5, 300, 300]]),
             "scores": torch.tensor([0.9, 0.6]), "labels": torch.tensor([2, 0])}
    image = convert(torch.ones(3, 224, 224))
    colours = {}
    for name, detections, truth in (("empty", nothing, nothing), ("truth", nothing, found),
                                    ("both", found, found)):
        path = tmp_path / "new" / name / "picture.png"
        problem1.evaluate.visualize_detections(image, detections, truth, str(path))
        colours[name] = colours_of(path)
    assert colours["empty"] == {(255, 255, 255)}
    magenta = (255, 0, 255)
    assert (0, 0, 0) in colours["truth"] and magenta not in colours["truth"]
    assert magenta in colours["both"]
    assert plt.get_fignums() == []  # pyplot keeps no figure
