"""Probes of trained networks: read the submitted weights, predict, return predictions.

The images come in, the labels stay with the grader.
"""

import functools
import itertools
import json
import signal
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy._core import multiarray  # type: ignore[attr-defined]
from torch.nn.parameter import is_lazy

from datasets import samples
from datasets.constants import ANCHOR_SCALES, CLASSES, FIGURE_SIZE, IMAGE_SIZE, MAP_SIZES

from ...engine.sandbox.student import Missing, Unusable

MAX_PARAMETERS = 50_000_000
MAX_BYTES = 400 * 2**20
PREFIXES = ("module.", "_orig_mod.")  # DataParallel, torch.compile
WRAPPERS = ("model_state_dict", "state_dict", "model")
SIZES_AND_SCALES = [(side, side) for side in MAP_SIZES], [list(s) for s in ANCHOR_SCALES]
INPUTS = {"model.MultiScaleDetector": (3, IMAGE_SIZE, IMAGE_SIZE),
          "model.HeatmapNet": (1, FIGURE_SIZE, FIGURE_SIZE),
          "model.RegressionNet": (1, FIGURE_SIZE, FIGURE_SIZE)}
NUM_ANCHORS = sum(side**2 * len(scales) for side, scales in zip(MAP_SIZES, ANCHOR_SCALES))
PART = 10  # images whose maps are kept at once
CHANNELS = 5 + len(CLASSES)  # of an anchor: 4 offsets, objectness, class logits
SCORE_THRESHOLD = 0.05
CLAIM_FILES = ("metrics.json", "training_log.json")
MAX_CLAIMS = 2**20
# What numpy's numbers and arrays are made of: a loss or an epoch may lie beside the weights.
NUMBERS = [np.dtype, np.ndarray, multiarray.scalar, multiarray._reconstruct,
           (multiarray.scalar, "numpy.core.multiarray.scalar"),  # of numpy 1
           *(getattr(np.dtypes, name) for name in np.dtypes.__all__)]
DECODING_SECONDS = 25  # for the student's own decoding of all grading images
IDLE_SECONDS = 3  # of it without any CPU time; the grader ends a check after six


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dict in a weights file, without wrappers and prefixes.

    Raises:
        Missing, Unusable: with a sentence that says what the file is instead.
    """
    name = f"results/{path.name}"
    if not path.is_file():
        raise Missing(f"{name} is missing: run train.py and hand its results in")
    if path.stat().st_size > MAX_BYTES:
        raise Unusable(f"{name} is larger than {MAX_BYTES // 2**20} MiB")
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise Unusable(f"{name} is empty")
    if start.startswith(b"version https://git-lfs"):
        raise Unusable(
            f"{name} is a Git LFS pointer, not the weights: run `git lfs pull`, or commit the file "
            "without LFS"
        )
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                    raise Unusable(f"{name} unpacks to more than {MAX_BYTES // 2**20} MiB")
        with torch.serialization.safe_globals(NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (MemoryError, Unusable):
        raise
    except Exception as error:  # the unpickler can fail in any way on bytes that are no weights
        if not start.startswith((b"PK", b"\x80")):
            raise Unusable(f"{name} is not a file written by torch.save") from None
        if b"Weights only load failed" in str(error).encode():
            raise Unusable(
                f"{name} holds more than tensors: save model.state_dict(), not the whole model"
            ) from None
        raise Unusable(f"{name} is truncated or damaged") from None
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not content:
        raise Unusable(f"{name} holds a {type(content).__name__}, not a state dict")
    if not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise Unusable(f"{name} is not a state dict: some of its values are no tensors")
    return {_without_prefix(str(key)): value for key, value in content.items()}


def _without_prefix(key: str) -> str:
    stripped = True
    while stripped:
        stripped = False
        for prefix in PREFIXES:
            if key.startswith(prefix):
                key, stripped = key[len(prefix):], True
    return key


def claims(student) -> list[list]:
    """Numbers in the submission's `metrics.json` and `training_log.json`: `[[path, value], ...]`.

    A path joins the file's name and the keys; of a curve the highest value counts. What cannot be
    read claims nothing.
    """
    found = []

    def walk(value, path):
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{path}: {key}")
        elif isinstance(value, list) and value and all(isinstance(v, float) for v in value):
            found.append([path[:200], max(value)])
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append([path[:200], float(value)])

    for name in CLAIM_FILES:
        path = student.folder / "results" / name
        try:
            if path.is_file() and path.stat().st_size <= MAX_CLAIMS:
                walk(json.loads(path.read_text(encoding="utf-8")), name)
        except (OSError, ValueError, RecursionError, OverflowError):
            pass
    return found[:1000]


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
            raise Unusable(f"results/{file} {what}: {len(keys)} entries, the first is {keys[0]}")
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
        fresh: how many of the images, at most `PART`, to run again through an untrained network.

    Returns:
        `decoded`: per image the student's boxes, scores and labels, or None with the reason in
        `decoding_error`; `anchors`: the student's `[N, 4]`, or None; `raw` and `fresh`: per image
        the rows `[n, 8]` of the raw maps with the best scores, and their anchor numbers (the
        assignment's order); `claims`.
    """
    net = _trained(student, "model.MultiScaleDetector", "best_model.pth")
    raw, fresh_raw, decoded, error, own, anchors = [], [], [], None, None, None
    seconds = DECODING_SECONDS
    # In parts, since the maps of all images together take up much memory.
    for part in images.split(PART) if isinstance(images, torch.Tensor) else images:
        if fresh and not raw:
            fresh_raw = _untrained(student, part[:fresh], candidates)
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
            decoded, error = None, f"{type(failure).__name__}: {failure}"[:300]
        seconds -= time.process_time() - begin
    return {"decoded": decoded, "decoding_error": error, "anchors": own, "raw": raw,
            "fresh": fresh_raw, "claims": claims(student)}


def _untrained(student, images, most):
    """`_candidates` of a network with fresh weights, which are freed again."""
    net = _build(student, "model.MultiScaleDetector")
    return [row for batch in _batches(images, 1) for row in _candidates(net(batch), most)]


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
            raise TimeoutError(f"decoding took more than {seconds} CPU seconds")
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
    predicts for images uint8 `[B, H, W]`, plus an untrained one on the first `fresh`.

    Heatmaps are reduced to the position and size of their peak here (argmax, first index on
    ties), since the maps themselves would be 80 kB an image.

    Returns:
        `trained` and `fresh`: `[B, K, 2]` positions in 0..1 of the image, `fresh` None where none
        are asked; `claims`.
    """
    def predict(net, images):
        points = []
        for batch in _batches(images, 4):
            output = net(batch).float()
            points.append(_peaks(output) if output.dim() == 4
                          else output.reshape(len(output), -1, 2))
        return torch.cat(points)

    net = _trained(student, model, file)
    return {"trained": predict(net, images),
            "fresh": predict(_build(student, model), images[:fresh]) if fresh else None,
            "claims": claims(student)}


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
        functions, None where these fail; `fresh_heatmap` and `fresh_regression`.
    """
    images = torch.from_numpy(np.stack(
        [s.image for s in samples(profile, "keypoints", "val", seed, count)]))
    ways = {"heatmap": _peaks, "subpixel": _quartered}
    for name, function in (("own_heatmap", "extract_keypoints_from_heatmaps"),
                           ("own_subpixel", "decode_subpixel")):
        ways[name] = functools.partial(_by_student, student, f"evaluate.{function}")
    found = {name: [] for name in ways}
    net = _trained(student, "model.HeatmapNet", "heatmap_model.pth")
    for batch in _batches(images, 4):
        maps = net(batch).float()
        for name, way in ways.items():
            if found[name] is not None:
                points = way(maps)
                found[name] = None if points is None else [*found[name], points]
    untrained = _build(student, "model.HeatmapNet")
    found["fresh_heatmap"] = [_peaks(untrained(batch).float())
                              for batch in _batches(images[:fresh], 4)]
    regression = keypoint_predictions(
        student, "model.RegressionNet", "regression_model.pth", images, fresh)
    return {**{name: None if points is None else torch.cat(points)
               for name, points in found.items()},
            "regression": regression["trained"], "fresh_regression": regression["fresh"]}


def _by_student(student, path, maps):
    """What a function of the student makes of heatmaps, in 0..1; None where it fails."""
    try:
        with _at_most(DECODING_SECONDS):
            points = torch.as_tensor(student(path)(maps.clone())).float()
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


def weights_load(student, networks):
    """What several trained networks predict: a list, of `[name of one of the two probes above, its
    inputs]` each."""
    probes = {probe.__name__: probe for probe in (detector_detections, keypoint_predictions)}
    return [probes[name](student, **inputs) for name, inputs in networks]
