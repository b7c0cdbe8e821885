"""Tasks 1.6 and 1.7: hard negative mining and the detection loss, term by term.

The loops take the matching from `match_anchors_to_targets`, which has tests of its own, and
compute everything after it with Python floats.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)
TERMS = ("loss_obj", "loss_cls", "loss_loc", "loss_total")
SMALL = {"feature_map_sizes": [(3, 4), (2, 1)], "anchor_scales": [[8, 12], [16, 24, 30]],
         "image_size": 32}  # 24 + 6 anchors; neither square maps nor equal numbers of scales


def random_predictions(generator, batch, classes, maps=SMALL, spread=2.0):
    """Maps of random numbers, `[B, A*(5+C), H, W]` each."""
    return [spread * torch.randn(batch, len(scales) * (5 + classes), height, width,
                                 generator=generator)
            for (height, width), scales in zip(maps["feature_map_sizes"], maps["anchor_scales"],
                                               strict=True)]


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


def rows_of(predictions, image, anchors_per_map, classes):
    """The numbers of every anchor of an image, in the order of the anchors."""
    rows = []
    for prediction, anchors in zip(predictions, anchors_per_map, strict=True):
        channels = prediction[image].tolist()  # channels[c][i][j]
        height, width = prediction.shape[2:]
        size = 5 + classes
        for i in range(height):
            for j in range(width):
                for a in range(len(anchors) // (height * width)):
                    rows.append([channels[a * size + c][i][j] for c in range(size)])
    return rows


def loss_by_loops(problem1, predictions, targets, anchors_per_map, classes, joint=True):
    """The four terms; `joint=False` matches every map on its own, which is the usual mistake."""
    match = problem1.utils.match_anchors_to_targets
    obj = cls = loc = positives = 0
    for image, target in enumerate(targets):
        groups = [torch.cat(anchors_per_map)] if joint else anchors_per_map
        matches = [match(group, target["boxes"], target["labels"]) for group in groups]
        labels, boxes, pos, neg = (torch.cat(field).tolist()
                                   for field in zip(*matches, strict=True))
        anchors = torch.cat(anchors_per_map).tolist()
        rows = rows_of(predictions, image, anchors_per_map, classes)

        negative_losses = []
        for row, label, box, is_pos, is_neg, anchor in zip(rows, labels, boxes, pos, neg, anchors,
                                                           strict=True):
            logit, class_logits = row[4], row[5:]
            if is_neg:
                negative_losses.append(softplus(logit))  # -log(1 - sigmoid)
            if not is_pos:
                continue
            positives += 1
            obj += softplus(-logit)  # -log(sigmoid)
            cls += math.log(sum(map(math.exp, class_logits))) - class_logits[label - 1]
            (ax, ay, aw, ah), (bx, by, bw, bh) = centred(anchor), centred(box)
            encoded = [(bx - ax) / aw, (by - ay) / ah, math.log(bw / aw), math.log(bh / ah)]
            loc += sum(smooth_l1(p - t) for p, t in zip(row[:4], encoded, strict=True))
        count = min(3 * max(1, sum(pos)), len(negative_losses))
        obj += sum(sorted(negative_losses, reverse=True)[:count])
    obj, cls, loc = (term / max(1, positives) for term in (obj, cls, loc))
    return dict(zip(TERMS, (obj, cls, loc, obj + cls + 2 * loc), strict=True))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def smooth_l1(x):
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def centred(box):
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def floats(losses):
    assert set(losses) == set(TERMS)
    for value in losses.values():
        assert value.shape == () and value.dtype == torch.float32
    return {name: value.item() for name, value in losses.items()}


# --- mining --------------------------------------------------------------------------------

ANCHOR = st.tuples(st.integers(0, 4), st.sampled_from(["positive", "ignored", "negative"]))


def masks_of(anchors):
    loss = torch.tensor([value / 2 for value, _ in anchors])
    masks = (torch.tensor([kind == name for _, kind in anchors], dtype=torch.bool)
             for name in ("positive", "negative"))
    return loss, *masks


@given(anchors=st.lists(ANCHOR, max_size=20), ratio=st.integers(1, 4))
@settings(deadline=None, max_examples=150)
def test_mining_agrees_with_loops(problem1, anchors, ratio):
    positives = sum(kind == "positive" for _, kind in anchors)
    negatives = [index for index, (_, kind) in enumerate(anchors) if kind == "negative"]
    hardest = sorted(negatives, key=lambda index: (-anchors[index][0], index))
    expected = set(hardest[:ratio * max(1, positives)])
    mined = problem1.loss.DetectionLoss().hard_negative_mining(*masks_of(anchors), ratio)
    assert mined.dtype == torch.bool and mined.shape == (len(anchors),)
    assert set(torch.nonzero(mined).flatten().tolist()) == expected


def test_mining_takes_three_per_positive(problem1):
    anchors = [(4, "positive"), (4, "ignored")] + [(1, "negative")] * 9 + [(2, "negative")]
    mined = problem1.loss.DetectionLoss().hard_negative_mining(*masks_of(anchors))
    assert mined.nonzero().flatten().tolist() == [2, 3, 11]  # the harder one, then the first


def test_mining_of_many_equal_losses(problem1):
    """An untrained network scores thousands of anchors alike."""
    pos_mask = torch.zeros(12348, dtype=torch.bool)
    pos_mask[5::1000] = True  # 13 of them
    criterion = problem1.loss.DetectionLoss()
    mined = criterion.hard_negative_mining(torch.full((12348,), 0.7), pos_mask, ~pos_mask)
    assert mined.nonzero().flatten().tolist() == [i for i in range(40) if i != 5]


# --- the terms -----------------------------------------------------------------------------


def test_loss_by_hand(problem1):
    """One cell with anchors of side 10 and 20; the object is the second anchor."""
    anchors = problem1.utils.generate_anchors([(1, 1)], [[10, 20]], image_size=40)
    target = {"boxes": torch.tensor([[10.0, 10, 30, 30]]), "labels": torch.tensor([1])}
    prediction = torch.zeros(1, 16, 1, 1)
    loss = problem1.loss.DetectionLoss()
    # The first anchor has IoU 1/4: negative and mined. Both logits are 0: log 2 each.
    expected = {"loss_obj": 2 * math.log(2), "loss_cls": math.log(3), "loss_loc": 0,
                "loss_total": 2 * math.log(2) + math.log(3)}
    assert floats(loss([prediction], [target], anchors)) == pytest.approx(expected)
    # tx is .5 off: .5 * .25 = .125. tw is 3 off: 3 - .5 = 2.5. The first anchor's offsets and
    # classes (channels 0 to 3 and 5 to 7) do not count.
    prediction[0, [8, 10], 0, 0] = torch.tensor([0.5, -3.0])
    prediction[0, [0, 1, 5, 7], 0, 0] = 9.0
    expected |= {"loss_loc": 2.625, "loss_total": expected["loss_total"] + 2 * 2.625}
    assert floats(loss([prediction], [target], anchors)) == pytest.approx(expected)


@given(seed=SEEDS, batch=st.integers(1, 3), classes=st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_terms_agree_with_loops(problem1, seed, batch, classes):
    generator = torch.Generator().manual_seed(seed)
    anchors = problem1.utils.generate_anchors(**SMALL)
    predictions = random_predictions(generator, batch, classes)
    targets = random_targets(generator, batch, classes)
    losses = problem1.loss.DetectionLoss(classes)(predictions, targets, anchors)
    expected = loss_by_loops(problem1, predictions, targets, anchors, classes)
    assert floats(losses) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.fixture(scope="module")
def batch_of_the_assignment(problem1):
    """(predictions, targets, anchors): maps of 56, 28 and 14 cells, two images, one object each."""
    utils = problem1.utils
    maps = {"feature_map_sizes": utils.MAP_SIZES, "anchor_scales": utils.ANCHOR_SCALES}
    predictions = random_predictions(torch.Generator().manual_seed(4), 2, 3, maps)
    targets = [{"boxes": torch.tensor([[100.0, 60, 120, 80]]), "labels": torch.tensor([0])},
               {"boxes": torch.tensor([[30.0, 40, 180, 190]]), "labels": torch.tensor([2])}]
    return predictions, targets, utils.generate_anchors(**maps)


def test_an_image_is_matched_once_against_all_maps(problem1, batch_of_the_assignment):
    """Map by map, the small circle would become a positive of the 28 x 28 and 14 x 14 maps."""
    losses = floats(problem1.loss.DetectionLoss()(*batch_of_the_assignment))
    joint = loss_by_loops(problem1, *batch_of_the_assignment, 3)
    map_by_map = loss_by_loops(problem1, *batch_of_the_assignment, 3, joint=False)
    assert losses == pytest.approx(joint, rel=1e-4)
    for name in TERMS:
        assert losses[name] != pytest.approx(map_by_map[name], rel=1e-3)


@pytest.mark.parametrize("image, best_map", [(0, 0), (1, 2)])
def test_only_the_best_map_learns_the_box(problem1, batch_of_the_assignment, image, best_map):
    predictions, targets, anchors = batch_of_the_assignment
    predictions = [p[image : image + 1].clone().requires_grad_() for p in predictions]
    losses = problem1.loss.DetectionLoss()(predictions, targets[image : image + 1], anchors)
    (losses["loss_loc"] + losses["loss_cls"]).backward()
    learns = [bool(prediction.grad.any()) for prediction in predictions]
    assert learns == [index == best_map for index in range(3)]


def test_both_ways_of_matching_agree_without_a_second_map(problem1):
    """What the other checks of the loss rest on: with one map there is nothing to tell apart."""
    generator = torch.Generator().manual_seed(6)
    maps = {"feature_map_sizes": [(4, 3)], "anchor_scales": [[8, 16]], "image_size": 32}
    anchors = problem1.utils.generate_anchors(**maps)
    predictions = random_predictions(generator, 2, 3, maps)
    targets = random_targets(generator, 2, 3, (1, 4))
    joint, map_by_map = (loss_by_loops(problem1, predictions, targets, anchors, 3, way)
                         for way in (True, False))
    assert joint == map_by_map
    losses = problem1.loss.DetectionLoss()(predictions, targets, anchors)
    assert floats(losses) == pytest.approx(joint, rel=1e-4)


def test_mining_is_counted_image_by_image(problem1):
    """One image has an object, the other none: 3 and 3 negatives, not 6 from the harder image."""
    maps = {"feature_map_sizes": [(4, 4)], "anchor_scales": [[8]], "image_size": 32}
    anchors = problem1.utils.generate_anchors(**maps)
    prediction = torch.zeros(2, 8, 4, 4)
    prediction[1, 4] = 5.0  # the empty image believes in objects everywhere
    targets = [{"boxes": anchors[0][5:6].clone(), "labels": torch.tensor([0])},
               {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}]
    losses = floats(problem1.loss.DetectionLoss()([prediction], targets, anchors))
    # One positive and three negatives at log 2, three at log(1 + e^5); one positive in the batch.
    assert losses["loss_obj"] == pytest.approx(4 * math.log(2) + 3 * math.log1p(math.exp(5)))


# --- properties ----------------------------------------------------------------------------


@given(seed=SEEDS)
@settings(deadline=None, max_examples=25)
def test_duplicating_the_batch_changes_nothing(problem1, seed):
    generator = torch.Generator().manual_seed(seed)
    anchors = problem1.utils.generate_anchors(**SMALL)
    predictions = random_predictions(generator, 2, 3)
    targets = random_targets(generator, 2, 3, (1, 4))
    criterion = problem1.loss.DetectionLoss()
    once = floats(criterion(predictions, targets, anchors))
    twice = floats(criterion([torch.cat([p, p]) for p in predictions], targets * 2, anchors))
    assert twice == pytest.approx(once, rel=1e-5)


@given(seed=SEEDS, spread=st.sampled_from([0.1, 3.0, 100.0, 1e4]))
@settings(deadline=None, max_examples=25)
def test_total_and_gradient(problem1, seed, spread):
    """Also where sigmoid and exp would overflow."""
    generator = torch.Generator().manual_seed(seed)
    anchors = problem1.utils.generate_anchors(**SMALL)
    predictions = [p.requires_grad_()
                   for p in random_predictions(generator, 2, 3, spread=spread)]
    targets = random_targets(generator, 2, 3)
    losses = problem1.loss.DetectionLoss()(predictions, targets, anchors)
    obj, cls, loc, total = floats(losses).values()
    assert total == pytest.approx(obj + cls + 2 * loc, rel=1e-5)
    assert all(math.isfinite(value) and value >= 0 for value in (obj, cls, loc, total))
    losses["loss_total"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in predictions)


def test_without_objects_the_loss_is_finite_and_learns(problem1):
    generator = torch.Generator().manual_seed(2)
    anchors = problem1.utils.generate_anchors(**SMALL)
    predictions = [torch.zeros_like(p).requires_grad_()
                   for p in random_predictions(generator, 2, 3)]
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    losses = problem1.loss.DetectionLoss()(predictions, [nothing, nothing], anchors)
    # Three negatives in each of the two images at log 2, divided by max(1, 0 positives).
    expected = {"loss_obj": 6 * math.log(2), "loss_cls": 0, "loss_loc": 0,
                "loss_total": 6 * math.log(2)}
    assert floats(losses) == pytest.approx(expected)
    losses["loss_total"].backward()
    gradients = torch.cat([p.grad.flatten() for p in predictions])
    assert gradients.isfinite().all()
    assert gradients[gradients != 0].tolist() == [0.5] * 6  # sigmoid(0) of each mined anchor


def test_gradient_step_lowers_every_term(problem1):
    generator = torch.Generator().manual_seed(12)
    anchors = problem1.utils.generate_anchors(**SMALL)
    predictions = [p.requires_grad_() for p in random_predictions(generator, 2, 3)]
    targets = random_targets(generator, 2, 3, (1, 3))
    criterion = problem1.loss.DetectionLoss()
    optimizer = torch.optim.Adam(predictions, lr=0.3)
    history = []
    for _ in range(60):
        losses = criterion(predictions, targets, anchors)
        optimizer.zero_grad()
        losses["loss_total"].backward()
        optimizer.step()
        history.append(floats(losses))
    assert all(history[-1][name] < 0.1 * history[0][name] for name in TERMS)


def test_half_precision_predictions_give_a_float32_loss(problem1):
    """What a network under autocast hands over."""
    generator = torch.Generator().manual_seed(9)
    anchors = problem1.utils.generate_anchors(**SMALL)
    predictions = [p.bfloat16() for p in random_predictions(generator, 2, 3)]
    targets = random_targets(generator, 2, 3, (1, 4))
    losses = floats(problem1.loss.DetectionLoss()(predictions, targets, anchors))
    exact = loss_by_loops(problem1, [p.float() for p in predictions], targets, anchors, 3)
    assert losses == pytest.approx(exact, rel=1e-4)


def test_arguments_are_not_changed(problem1):
    generator = torch.Generator().manual_seed(10)
    anchors = problem1.utils.generate_anchors(**SMALL)
    predictions, targets = random_predictions(generator, 2, 3), random_targets(generator, 2, 3)
    held = [*anchors, *predictions, *(v for target in targets for v in target.values())]
    before = [tensor.clone() for tensor in held]
    problem1.loss.DetectionLoss()(predictions, targets, anchors)
    assert all(torch.equal(a, b) for a, b in zip(held, before, strict=True))
