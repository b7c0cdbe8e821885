"""Tasks 1.6, 1.7, 1.19 and 1.10 against loops: mining, loss, decoding and average precision."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import nn

from tests.solution.loops import SEEDS, boxes_of, centred, grid_boxes, iou_of

TERMS = ("loss_obj", "loss_cls", "loss_loc", "loss_total")
MAPS = {"feature_map_sizes": [(3, 4), (2, 1)], "anchor_scales": [[8, 12], [16, 24, 30]],
        "image_size": 32}  # 24 + 6 anchors; neither square maps nor equal numbers of scales


def random_maps(generator, batch, classes, spread=1.0):
    """Maps of random numbers, `[B, A*(5+C), H, W]` each."""
    return [spread * torch.randn(batch, len(scales) * (5 + classes), height, width,
                                 generator=generator)
            for (height, width), scales in zip(MAPS["feature_map_sizes"], MAPS["anchor_scales"],
                                               strict=True)]


def anchor_rows(predictions, image, anchors_per_map):
    """`(map, anchor, numbers)` for every anchor: tx, ty, tw, th, objectness, class logits."""
    for index, (prediction, anchors) in enumerate(zip(predictions, anchors_per_map, strict=True)):
        channels, height, width = prediction[image].shape
        per_cell = len(anchors) // (height * width)
        size, values = channels // per_cell, prediction[image].tolist()
        for n, anchor in enumerate(anchors.tolist()):
            cell, a = divmod(n, per_cell)
            i, j = divmod(cell, width)
            yield index, anchor, [values[a * size + c][i][j] for c in range(size)]


# --- mining --------------------------------------------------------------------------------


@given(anchors=st.lists(st.tuples(
    st.integers(0, 4), st.sampled_from(["positive", "ignored", "negative"])), max_size=20),
    ratio=st.integers(1, 4))
@settings(deadline=None, max_examples=150)
def test_mining(problem1, anchors, ratio):
    positives = sum(kind == "positive" for _, kind in anchors)
    negatives = [index for index, (_, kind) in enumerate(anchors) if kind == "negative"]
    hardest = sorted(negatives, key=lambda index: (-anchors[index][0], index))
    mined = problem1.loss.DetectionLoss().hard_negative_mining(
        torch.tensor([value / 2 for value, _ in anchors]),
        *(torch.tensor([kind == name for _, kind in anchors], dtype=torch.bool)
          for name in ("positive", "negative")), ratio)
    assert mined.dtype == torch.bool and mined.shape == (len(anchors),)
    assert set(torch.nonzero(mined).flatten().tolist()) == set(hardest[:ratio * max(1, positives)])


# --- loss ----------------------------------------------------------------------------------


def random_targets(generator, batch, classes, counts=(0, 4)):
    """Objects with sides of 4 to 30 pixels, not all within the image."""
    targets = []
    for _ in range(batch):
        count = torch.randint(*counts, (1,), generator=generator).item()
        corner = torch.randint(0, 20, (count, 2), generator=generator)
        side = torch.randint(4, 31, (count, 2), generator=generator)
        labels = torch.randint(0, classes, (count,), generator=generator)
        targets.append({"boxes": torch.cat([corner, corner + side], dim=1).float(),
                        "labels": labels})
    return targets


def loss_by_loops(problem1, predictions, targets, anchors_per_map):
    """The four terms in Python floats, on what `match_anchors_to_targets` says."""
    obj = cls = loc = positives = 0
    for image, target in enumerate(targets):
        matches = problem1.utils.match_anchors_to_targets(
            torch.cat(anchors_per_map), target["boxes"], target["labels"])
        labels, boxes, pos, neg = (field.tolist() for field in matches)
        rows = anchor_rows(predictions, image, anchors_per_map)
        negative_losses = []
        for (_, anchor, numbers), label, box, is_pos, is_neg in zip(rows, labels, boxes, pos, neg,
                                                                    strict=True):
            logit, class_logits = numbers[4], numbers[5:]
            if is_neg:
                negative_losses.append(softplus(logit))  # -log(1 - sigmoid)
            if not is_pos:
                continue
            positives += 1
            obj += softplus(-logit)  # -log(sigmoid)
            cls += math.log(sum(map(math.exp, class_logits))) - class_logits[label - 1]
            (ax, ay, aw, ah), (bx, by, bw, bh) = centred(anchor), centred(box)
            encoded = [(bx - ax) / aw, (by - ay) / ah, math.log(bw / aw), math.log(bh / ah)]
            loc += sum(smooth_l1(p - t) for p, t in zip(numbers[:4], encoded, strict=True))
        count = min(3 * max(1, sum(pos)), len(negative_losses))
        obj += sum(sorted(negative_losses, reverse=True)[:count])
    obj, cls, loc = (term / max(1, positives) for term in (obj, cls, loc))
    return dict(zip(TERMS, (obj, cls, loc, obj + cls + 2 * loc), strict=True))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def smooth_l1(x):
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def floats(losses):
    assert set(losses) == set(TERMS)
    for value in losses.values():
        assert value.shape == () and value.dtype == torch.float32
    return {name: value.item() for name, value in losses.items()}


@given(seed=SEEDS, batch=st.integers(1, 3), classes=st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_loss(problem1, seed, batch, classes):
    generator = torch.Generator().manual_seed(seed)
    anchors = problem1.utils.generate_anchors(**MAPS)
    predictions = random_maps(generator, batch, classes, spread=2.0)
    targets = random_targets(generator, batch, classes)
    losses = problem1.loss.DetectionLoss(classes)(predictions, targets, anchors)
    # Only now the loops: an argument that the loss has changed would show.
    expected = loss_by_loops(problem1, predictions, targets, anchors)
    assert floats(losses) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@given(seed=SEEDS, spread=st.sampled_from([100.0, 1e4]))
@settings(deadline=None, max_examples=25)
def test_loss_where_sigmoid_and_exp_overflow(problem1, seed, spread):
    generator = torch.Generator().manual_seed(seed)
    anchors = problem1.utils.generate_anchors(**MAPS)
    predictions = [p.requires_grad_() for p in random_maps(generator, 2, 3, spread)]
    losses = problem1.loss.DetectionLoss()(predictions, random_targets(generator, 2, 3), anchors)
    assert all(math.isfinite(value) and value >= 0 for value in floats(losses).values())
    losses["loss_total"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in predictions)


def test_half_precision_predictions_give_a_float32_loss(problem1):
    """What a network under autocast hands over."""
    generator = torch.Generator().manual_seed(9)
    anchors = problem1.utils.generate_anchors(**MAPS)
    predictions = [p.bfloat16() for p in random_maps(generator, 2, 3)]
    targets = random_targets(generator, 2, 3, (1, 4))
    losses = floats(problem1.loss.DetectionLoss()(predictions, targets, anchors))
    exact = loss_by_loops(problem1, [p.float() for p in predictions], targets, anchors)
    assert losses == pytest.approx(exact, rel=1e-4)


# --- decoding ------------------------------------------------------------------------------


def decode_by_loops(predictions, image, anchors_per_map, threshold, nms_threshold, limit):
    """Detections of an image: (score, box, label, map), best first."""
    found = []
    for index, anchor, numbers in anchor_rows(predictions, image, anchors_per_map):
        tx, ty, tw, th, objectness, *logits = numbers
        best = max(range(len(logits)), key=logits.__getitem__)
        softmax = 1 / sum(math.exp(logit - logits[best]) for logit in logits)
        score = softmax / (1 + math.exp(-objectness))
        ax, ay, aw, ah = centred(anchor)
        x, y, w, h = ax + tx * aw, ay + ty * ah, aw * math.exp(tw), ah * math.exp(th)
        if score >= threshold:
            found.append((score, (x - w / 2, y - h / 2, x + w / 2, y + h / 2), best, index))
    kept = []
    for candidate in sorted(found, key=lambda row: -row[0]):
        rivals = [box for _, box, label, _ in kept if label == candidate[2]]
        if all(iou_of(candidate[1], box) <= nms_threshold for box in rivals):
            kept.append(candidate)
    return kept[:limit]


@given(seed=SEEDS, batch=st.integers(1, 3), classes=st.integers(1, 4),
       threshold=st.sampled_from([0.05, 0.2, 0.5]), nms_threshold=st.sampled_from([0.2, 0.5]),
       limit=st.sampled_from([100, 3]))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_decoding(problem1, seed, batch, classes, threshold, nms_threshold, limit):
    """Always the same examples: once in thousands, float32 and float64 differ at a threshold."""
    anchors = problem1.utils.generate_anchors(**MAPS)
    predictions = random_maps(torch.Generator().manual_seed(seed), batch, classes)
    detections = problem1.evaluate.decode_predictions(
        predictions, anchors, threshold, nms_threshold, limit)
    assert len(detections) == batch
    for image, detection in enumerate(detections):
        rows = decode_by_loops(predictions, image, anchors, threshold, nms_threshold, limit)
        scores, boxes, labels, maps = zip(*rows, strict=True) if rows else ((), (), (), ())
        assert set(detection) == {"boxes", "scores", "labels", "maps"}
        assert detection["labels"].dtype == detection["maps"].dtype == torch.int64
        torch.testing.assert_close(detection["scores"], torch.tensor(scores))
        torch.testing.assert_close(detection["boxes"], boxes_of(boxes), rtol=1e-4, atol=1e-4)
        assert detection["labels"].tolist() == list(labels)
        assert detection["maps"].tolist() == list(maps)


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
    network = Replay(predictions).train()
    detections, targets = evaluate.detect(network, [(torch.zeros(1, 3, 224, 224), [target])],
                                          anchors)
    assert not network.training and targets == [target]
    assert len(detections[0]["boxes"]) == 4
    assert evaluate.ap_per_class(detections, targets) == [1.0, 1.0, 1.0]
    assert problem1.loss.DetectionLoss()(predictions, [target], anchors)["loss_total"] < 1e-3


class Replay(nn.Module):
    """A network that answers with given maps."""

    def __init__(self, predictions):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.predictions = predictions

    def forward(self, images):
        return self.predictions


# --- average precision ---------------------------------------------------------------------


def ap_by_loops(predictions, ground_truths, threshold):
    """From the definition: mean over k = 1..G of the best precision at which k are found."""
    total = sum(map(len, ground_truths))
    order = [(-score, image, n) for image, (_, scores) in enumerate(predictions)
             for n, score in enumerate(scores)]
    taken, found, curve = set(), 0, []
    for count, (_, image, n) in enumerate(sorted(order), 1):
        free = [(iou_of(predictions[image][0][n], box), -g)
                for g, box in enumerate(ground_truths[image]) if (image, g) not in taken]
        if free and max(free)[0] >= threshold:
            taken.add((image, -max(free)[1]))
            found += 1
        curve.append((found, found / count))
    best = [max((precision for hits, precision in curve if hits >= k), default=0)
            for k in range(1, total + 1)]
    return sum(best) / total


@st.composite
def scenes(draw):
    """(predictions, ground truths) of up to three images with at least one object in all."""
    count = draw(st.integers(1, 3))
    truths = draw(st.lists(grid_boxes(0, 4, 1), min_size=count, max_size=count).filter(any))
    found = draw(st.lists(grid_boxes(0, 5, 1), min_size=count, max_size=count))
    score = st.integers(1, 3).map(lambda value: value / 32)  # few values: many ties
    return [(rows, draw(st.lists(score, min_size=len(rows), max_size=len(rows))))
            for rows in found], truths


@given(scene=scenes(), threshold=st.sampled_from([1 / 4, 1 / 2, 1.0]))
@settings(deadline=None, max_examples=200)
def test_ap(problem1, scene, threshold):
    predictions, truths = scene
    result = problem1.evaluate.compute_ap(
        [{"boxes": boxes_of(rows), "scores": torch.tensor(scores)} for rows, scores in predictions],
        [boxes_of(rows) for rows in truths], threshold)
    assert type(result) is float
    assert result == pytest.approx(ap_by_loops(*scene, threshold), abs=1e-9)


def test_ap_per_class(problem1):
    detections = [{"boxes": boxes_of([[0, 0, 4, 4], [10, 0, 14, 4], [0, 0, 4, 4]]),
                   "scores": torch.tensor([0.9, 0.8, 0.7]), "labels": torch.tensor([0, 1, 1])}]
    targets = [{"boxes": boxes_of([[0, 0, 4, 4], [0, 0, 4, 4]]), "labels": torch.tensor([0, 1])}]
    circle, square, triangle = problem1.evaluate.ap_per_class(detections, targets)
    assert (circle, square) == (1.0, 0.5) and math.isnan(triangle)


def random_scene(rng, objects, misses):
    """Objects, and detections with jitter of up to a third of a side, in any order of scores."""
    corner, side = rng.uniform(0, 120, (objects, 2)), rng.uniform(15, 90, (objects, 2))
    truth = np.concatenate([corner, corner + side], axis=1)
    twice = np.repeat(truth, 2, axis=0)
    jitter = rng.uniform(-0.33, 0.33, twice.shape) * np.tile(twice[:, 2:] - twice[:, :2], 2)
    corner = rng.uniform(0, 120, (misses, 2))
    boxes = np.concatenate([twice + jitter, np.concatenate([corner, corner + 30], axis=1)])
    return truth, boxes, rng.permutation(len(boxes)) / 100 + 0.1


def rows_for_coco(boxes_of_images, **more):
    rows = []
    for image, boxes in enumerate(boxes_of_images):
        for n, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            rows.append({"id": len(rows) + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
                         "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
                         **{name: float(values[image][n]) for name, values in more.items()}})
    return rows


def test_matched_detections_agree_with_pycocotools(problem1, capsys):
    rng = np.random.default_rng(21)
    scenes = [random_scene(rng, objects, misses=6) for objects in (1, 3, 6, 10, 14, 0)]
    truths, boxes, scores = zip(*scenes, strict=True)
    truth = COCO()
    truth.dataset = {"info": {}, "images": [{"id": image} for image in range(len(scenes))],
                     "categories": [{"id": 1}], "annotations": rows_for_coco(truths)}
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(rows_for_coco(boxes, score=scores)), "bbox")
    evaluation.params.iouThrs = np.array([0.5])
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.params.maxDets = [100]
    evaluation.evaluate()
    capsys.readouterr()  # COCOeval talks

    matched = 0
    for image, result in enumerate(evaluation.evalImgs):
        order = np.argsort(-scores[image])
        hits = problem1.evaluate.match_detections(
            torch.tensor(boxes[image][order]), torch.tensor(truths[image]), 0.5)
        assert result["dtScores"] == scores[image][order].tolist()
        assert hits.tolist() == (result["dtMatches"][0] > 0).tolist()
        matched += hits.sum().item()
    assert 20 < matched < 34  # of 34 objects, most and not all
