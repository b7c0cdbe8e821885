"""Probes of trained networks: read the submitted weights, predict, return predictions.

The images come in, the labels stay with the grader.
"""

import functools
import itertools
import signal
import time
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from datasets import samples
from datasets.constants import ANCHOR_SCALES, CLASSES, FIGURE_SIZE, IMAGE_SIZE, MAP_SIZES

from ...engine.sandbox.keys import Unrecorded
from ...engine.sandbox.student import Missing, Unusable
from .networks import outputs_of
from .weights import claims, graph, load_weights

MAX_PARAMETERS = 50_000_000
SIZES_AND_SCALES = [(side, side) for side in MAP_SIZES], [list(s) for s in ANCHOR_SCALES]
INPUTS = {"model.MultiScaleDetector": (3, IMAGE_SIZE, IMAGE_SIZE),
          "model.HeatmapNet": (1, FIGURE_SIZE, FIGURE_SIZE),
          "model.RegressionNet": (1, FIGURE_SIZE, FIGURE_SIZE)}
NUM_ANCHORS = sum(side**2 * len(scales) for side, scales in zip(MAP_SIZES, ANCHOR_SCALES))
PART = 10  # images whose maps are kept at once
BATCH = 4  # images of stick figures
CHANNELS = 5 + len(CLASSES)  # of an anchor: 4 offsets, objectness, class logits
SCORE_THRESHOLD = 0.05
DECODING_SECONDS = 25  # for the student's own decoding of all grading images
IDLE_SECONDS = 3  # of it without any CPU time; the grader ends a check after six


@torch.no_grad()
def _build(student, path: str):
    net = student(path)().eval()
    if any(is_lazy(parameter) for parameter in net.parameters()):
        net(torch.zeros(1, *INPUTS[path]))  # which gives lazy layers their weights
    count = sum(parameter.numel() for parameter in net.parameters())
    if count > MAX_PARAMETERS:
        raise Unusable(f"{path} has {count:,} parameters, more than {MAX_PARAMETERS:,}")
    return net


def _trained(student, path: str, file: str):
    """The student's network with the submitted weights, in evaluation mode."""
    weights = load_weights(student.folder / "results" / file)
    net = _build(student, path)
    own = net.state_dict()
    missing = [key for key in own if key not in weights]
    unknown = [key for key in weights if key not in own]
    other = [key for key in own if key in weights and own[key].shape != weights[key].shape]
    class_name = path.split(".")[1]
    for keys, what in ((missing, f"does not hold what {class_name} needs"),
                       (unknown, f"holds what {class_name} does not have"),
                       (other, f"has other shapes than {class_name}")):
        if keys:
            held = f" (the file holds {unknown[0]})" if unknown and keys is missing else ""
            raise Unusable(f"results/{file} {what}: {len(keys)} entries, the first is {keys[0]}"
                           f"{held}")
    broken = [key for key, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise Unusable(f"results/{file} holds nan or infinity, the first in {broken[0]}")
    net.load_state_dict(weights)
    return net


def _batches(images, size):
    """uint8 `[B, H, W]` or `[B, H, W, 3]` as float32 batches `[size, C, H, W]` in 0..1."""
    images = images[..., None] if images.dim() == 3 else images
    for batch in images.split(size):
        yield batch.permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def detector_detections(student, images, candidates, detections, fresh=0):
    """Detections on images, through the student's decoding and as raw candidates.

    Args:
        images: uint8 `[B, 224, 224, 3]`, or parts of them, one after another.
        candidates, detections: the most raw rows, and decoded detections, per image.
        fresh: how many of the images, at most `PART`, to run again through an untrained network
            where there is no graph; 0 where none is asked.

    Returns:
        `decoded`: per image the student's boxes, scores and labels, or None with the reason in
        `decoding_error`; `anchors`: the student's `[N, 4]`, or None; `raw` and `fresh`: per image
        the rows `[n, 8]` of the raw maps with the best scores, and their anchor numbers (the
        assignment's order); `graphs`: of one network, see `weights.graph`; `claims`.
    """
    net = _trained(student, "model.MultiScaleDetector", "best_model.pth")
    raw, first, decoded, error, own, anchors = [], None, [], None, None, None
    seconds = DECODING_SECONDS
    # In parts, since the maps of all images together take up much memory.
    for part in images.split(PART) if isinstance(images, torch.Tensor) else images:
        first = part[:fresh] if first is None else first
        all_maps = [net(batch) for batch in _batches(part, 1)]
        for maps in all_maps:
            raw += _candidates(maps, candidates)
        if error is not None:
            continue
        begin = time.process_time()
        try:
            with _at_most(seconds):
                if anchors is None:
                    anchors = student("utils.generate_anchors")(*SIZES_AND_SCALES)
                    own = _one_table(anchors)
                decode = student("evaluate.decode_predictions")
                for maps in all_maps:
                    decoded += _decoded(decode(list(maps), anchors), len(maps[0]), detections)
        except Exception as failure:
            decoded, error = None, _why(failure)
        seconds -= time.process_time() - begin
    graphs, fresh_raw = [graph(net, [*_batches(first[:2], 1)])] if fresh else [], []
    if graphs == [None]:
        net = _build(student, "model.MultiScaleDetector")
        fresh_raw = [row for batch in _batches(first, 1)
                     for row in _candidates(net(batch), candidates)]
    return {"decoded": decoded, "decoding_error": error, "anchors": own, "raw": raw,
            "fresh": fresh_raw, "graphs": graphs, "claims": claims(student)}


def _why(error):
    """What failed, in short; names of the kit are none for the student."""
    name = "" if isinstance(error, (Missing, Unusable, Unrecorded)) else f"{type(error).__name__}: "
    return f"{name}{error}"[:300]


def _each(asked):
    """What each of some functions returns, or why it fails, in a sentence.

    Raises:
        Exception: the first one, where all fail.
    """
    found, errors = [], []
    for ask in asked:
        try:
            found.append(ask())
        except Exception as error:
            errors.append(error)
            found.append(_why(error))
    if len(errors) == len(found):
        raise errors[0]
    return found


def _one_table(anchors):
    """The anchors of all maps `[N, 4]`; None where they have another form."""
    try:
        table = torch.cat([torch.as_tensor(own) for own in anchors]).float()
    except Exception:  # what is wrong with it, task 1.2 says
        return None
    return table if table.shape == (NUM_ANCHORS, 4) else None


def _decoded(found, images, most):
    """The student's detections of a batch, at most so many, as tensors of one length per image."""
    found = list(found)
    if len(found) != images:
        raise ValueError(f"decode_predictions gave {len(found)} detection dicts for "
                         f"{images} images")
    result = []
    for detections in found:
        image = {
            "boxes": torch.as_tensor(detections["boxes"]).float().reshape(-1, 4)[:most],
            "scores": torch.as_tensor(detections["scores"]).float().flatten()[:most],
            "labels": torch.as_tensor(detections["labels"]).long().flatten()[:most],
        }
        if len({len(value) for value in image.values()}) > 1:
            raise ValueError("boxes, scores and labels of an image differ in length")
        maps = torch.as_tensor(detections.get("maps", ())).long().flatten()[:most]
        image["maps"] = maps if maps.shape == image["labels"].shape else torch.full_like(
            image["labels"], -1)  # accuracy needs none
        result.append(image)
    return result


@contextmanager
def _at_most(seconds):
    """Raise TimeoutError after so many CPU seconds, or some seconds without any, where the system
    has such a clock."""
    begin = last = time.process_time()
    idle = 0

    def look(*_):
        nonlocal last, idle
        now = time.process_time()
        idle = idle + 1 if now - last < 0.01 else 0
        last = now
        if now - begin > seconds:
            raise TimeoutError(f"decoding took more than {DECODING_SECONDS} CPU seconds")
        if idle >= IDLE_SECONDS:
            raise TimeoutError("decoding waited for something that did not come")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    former = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _candidates(maps, most):
    """The rows of the raw maps that could become detections, best first, per image."""
    maps = outputs_of(maps)
    odd = [list(m.shape) for m in maps if m.dim() != 4 or m.shape[1] % CHANNELS]
    if odd:
        raise Unusable(f"MultiScaleDetector predicts a map of the shape {odd[0]}, not [B, A * "
                       f"{CHANNELS}, H, W]")
    flat = torch.cat(
        [m.permute(0, 2, 3, 1).reshape(len(m), -1, CHANNELS) for m in maps], dim=1
    ).float()  # [B, N, 4 offsets, objectness, 3 class logits]
    if flat.shape[1] != NUM_ANCHORS:
        raise Unusable(f"MultiScaleDetector predicts {flat.shape[1]} anchors, not {NUM_ANCHORS}")
    score = flat[..., 4].sigmoid() * flat[..., 5:].softmax(dim=-1).amax(dim=-1)
    rows = []
    for image_rows, image_scores in zip(flat, score):
        order = torch.sort(image_scores, descending=True, stable=True).indices[:most]
        order = order[image_scores[order] >= SCORE_THRESHOLD]
        rows.append({"rows": image_rows[order], "anchors": order})
    return rows


@torch.no_grad()
def keypoint_predictions(student, model, file, images, fresh=0):
    """What a trained keypoint network ("model.HeatmapNet" or the other) with the weights in a file
    predicts for images uint8 `[B, H, W]`, plus, where it has no graph, an untrained one on the
    first `fresh`.

    Heatmaps are reduced to the position and size of their peak here (argmax, first index on
    ties), since the maps themselves would be 80 kB an image.

    Returns:
        `trained` and `fresh`: `[B, K, 2]` positions in 0..1 of the image, `fresh` None where there
        are none; `graphs`: of one network, see `weights.graph`; `claims`.
    """
    def predict(net, images):
        return torch.cat([positions(net(batch)) for batch in _batches(images, BATCH)])

    net = _trained(student, model, file)
    trained = predict(net, images)
    graphs = [graph(net, [*_batches(images[:2 * BATCH], BATCH)])] if fresh else []
    return {"trained": trained, "graphs": graphs, "claims": claims(student),
            "fresh": predict(_build(student, model), images[:fresh]) if graphs == [None] else None}


def positions(output):
    """Keypoints `[B, K, 2]` in 0..1 of the image, of heatmaps `[B, K, H, W]` or coordinates
    `[B, 2 K]`."""
    output = outputs_of(output)[0].float()
    return _peaks(output) if output.dim() == 4 else output.reshape(len(output), -1, 2)


def _peaks(heatmaps):
    """Argmax positions of `[B, K, H, W]` in 0..1: column / W, as encoding scales x by W / width."""
    height, width = heatmaps.shape[-2:]
    index = heatmaps.flatten(2).argmax(dim=-1)
    x, y = index % width, index // width
    return torch.stack([x / width, y / height], dim=-1)


def validated_detector(student, profile, seed, count, candidates, detections, fresh):
    """`detector_detections` on the first validation images of a data set, as `datasets.draw` has
    them."""
    drawn = iter(samples(profile, "detection", "val", seed, count))
    parts = iter(lambda: [sample.image for sample in itertools.islice(drawn, PART)], [])
    return detector_detections(student, (torch.from_numpy(np.stack(part)) for part in parts),
                               candidates, detections, fresh)


@torch.no_grad()
def validated_keypoints(student, profile, seed, count, fresh):
    """What both keypoint networks predict on the first validation images of a data set (as
    `datasets.draw` has them), and untrained ones on the first `fresh` of these.

    Returns:
        positions `[N, K, 2]` in 0..1 of the image: `regression`; `heatmap` and `subpixel` by the
        kit's argmax and quarter of a pixel; `own_heatmap` and `own_subpixel` by the student's
        functions, None where these fail; `fresh_heatmap` and `fresh_regression`, None where there
        is a graph; `graphs`: of the two networks, see `weights.graph`; `failed`: the name of a
        network that fails, with the reason. All of its values are None.
    """
    images = torch.from_numpy(np.stack(
        [s.image for s in samples(profile, "keypoints", "val", seed, count)]))
    found = dict(zip(("heatmap", "regression"), _each([
        lambda: _validated_heatmaps(student, images, fresh),
        lambda: keypoint_predictions(
            student, "model.RegressionNet", "regression_model.pth", images, fresh)])))
    failed = {name: why for name, why in found.items() if isinstance(why, str)}
    heatmap, regression = ({} if name in failed else value for name, value in found.items())
    return {**{name: heatmap.get(name) for name in HEATMAP_WAYS},
            "regression": regression.get("trained"), "fresh_regression": regression.get("fresh"),
            "fresh_heatmap": heatmap.get("fresh"), "failed": failed,
            "graphs": [*heatmap.get("graphs", [None]), *regression.get("graphs", [None])]}


HEATMAP_WAYS = ("heatmap", "subpixel", "own_heatmap", "own_subpixel")


def _validated_heatmaps(student, images, fresh):
    ways = dict(zip(HEATMAP_WAYS, (_peaks, _quartered, *(
        functools.partial(_by_student, student, function)
        for function in ("extract_keypoints_from_heatmaps", "decode_subpixel")))))
    found = {name: [] for name in ways}
    net = _trained(student, "model.HeatmapNet", "heatmap_model.pth")
    for batch in _batches(images, BATCH):
        maps = outputs_of(net(batch))[0].float()
        for name, way in ways.items():
            if found[name] is not None:
                points = way(maps)
                found[name] = None if points is None else [*found[name], points]
    graphs, untrained = [graph(net, [*_batches(images[:2 * BATCH], BATCH)])], None
    if graphs == [None]:
        net = _build(student, "model.HeatmapNet")
        untrained = torch.cat([positions(net(batch)) for batch in _batches(images[:fresh], BATCH)])
    return {**{name: None if points is None else torch.cat(points)
               for name, points in found.items()}, "fresh": untrained, "graphs": graphs}


def _by_student(student, name, maps):
    """What a function of the student makes of heatmaps, in 0..1; None where it fails. It may stand
    beside a mistake that another task shows: a report tells what it gave."""
    try:
        function = getattr(student.module("evaluate"), name)
        student.stage = "run"
        with _at_most(DECODING_SECONDS):
            points = torch.as_tensor(function(maps.clone())).float()
        return points.reshape(*maps.shape[:2], 2) / torch.tensor([maps.shape[-1], maps.shape[-2]])
    except Exception:  # what is wrong with it, its own task says
        return None


def _quartered(maps):
    """`_peaks`, moved by a quarter of a pixel towards the higher neighbour on each axis."""
    height, width = maps.shape[-2:]
    index = maps.flatten(2).argmax(dim=-1)
    x, y = index % width, index // width

    def at(x, y):
        return maps.flatten(2).gather(2, (y * width + x)[..., None])[..., 0]

    right, below = (at((x + 1).clamp(max=width - 1), y) - at((x - 1).clamp(min=0), y),
                    at(x, (y + 1).clamp(max=height - 1)) - at(x, (y - 1).clamp(min=0)))
    return torch.stack([(x + right.sign() / 4) / width, (y + below.sign() / 4) / height], dim=-1)


def weights_load(student, networks, each=False):
    """What several trained networks predict: a list, of `[name of one of the two probes above, its
    inputs]` each. With `each`, a sentence stands in place of what fails, unless all do."""
    probes = {probe.__name__: probe for probe in (detector_detections, keypoint_predictions)}
    asked = [functools.partial(probes[name], student, **inputs) for name, inputs in networks]
    return _each(asked) if each else [ask() for ask in asked]
