"""Kinds of questions about the trained networks and the training logs of a submission."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from datasets import draw
from datasets.constants import ANCHOR_SCALES, CLASSES, FIGURE_SIZE, KEYPOINT_NAMES, MAP_SIZES

from ...assignment.checks.accuracy import CANDIDATES, DETECTIONS
from ...assignment.measure import of_class, pck, ranked_hits
from ...engine.check import Question
from .kinds import TENTHS, Item, Kind, Kinds, Rng, near, number

KINDS = Kinds()
SURE = 0.5  # score of a detection that counts
IMAGES = {"detection": 4, "keypoints": 24}  # a network sees; few, since a class has many students
NAMES = tuple(name.replace("_", " ") for name in KEYPOINT_NAMES)
MAPS = tuple(f"map {side}" for side in MAP_SIZES)
ENDS = np.cumsum([side**2 * len(scales) for side, scales in zip(MAP_SIZES, ANCHOR_SCALES)])


def _clear(values: np.ndarray, names: tuple[str, ...]) -> str:
    """The name of the largest value, or ValueError where two are the largest, or nearly so."""
    second, first = np.sort(values)[-2:]
    if not first - second > 1e-3:
        raise ValueError("there is no largest")
    return names[int(np.argmax(values))]


def _band(value: float, edges: tuple[float, ...], names: tuple[str, ...]) -> str:
    """The name of the band that a value lies in, or ValueError near an edge, where other images
    might have told otherwise."""
    if any(0.8 < value / edge < 1.25 for edge in edges):
        raise ValueError("near an edge")
    return names[int(np.searchsorted(edges, value, side="right"))]


def _detector(rng: Rng, profile: str, text: str, shown: Callable[[Any, list[dict]], str],
              **more: Any) -> Item:
    samples = draw(profile, "detection", "grading", int(rng.integers(2**62)), IMAGES["detection"])
    truth = [{"boxes": np.array(s.boxes).reshape(-1, 4), "labels": np.array(s.labels)}
             for s in samples]
    return Item(text, Question("problem1", "detector_detections", {
        "images": np.stack([s.image for s in samples]), "candidates": CANDIDATES,
        "detections": DETECTIONS}, results=("best_model.pth",), cpu_seconds=60),
        lambda answer: shown(answer, truth), **more)


def _sure(answer: Any) -> list[dict]:
    if answer["decoded"] is None:
        raise ValueError("decode_predictions raises")
    return [{name: image[name][image["scores"] >= SURE] for name in ("boxes", "scores", "labels")}
            for image in answer["decoded"]]


@KINDS.add("1.14")
def missed_class(rng: Rng, profile: str) -> Item:
    """The class that the detector misses most."""
    def shown(answer: Any, truth: list[dict]) -> str:
        missed = []
        for c in range(len(CLASSES)):
            detections, boxes = of_class(c, _sure(answer), truth)
            missed.append(sum(map(len, boxes)) - ranked_hits(detections, boxes).sum())
        return _clear(np.array(missed), CLASSES)
    return _detector(rng, profile, "Your detector saw a few new images. Objects of which class did "
                     "it miss most often (score below .5 or IoU below .5)?", shown,
                     choices=tuple(CLASSES))


@KINDS.add("1.14")
def busiest_map(rng: Rng, profile: str) -> Item:
    """The map with the most confident raw predictions."""
    def shown(answer: Any, _truth: list[dict]) -> str:
        counts = np.zeros(len(MAPS))
        for image in answer["raw"]:
            rows = image["rows"].astype(np.float64)
            sure = image["anchors"][1 / (1 + np.exp(-np.clip(rows[:, 4], -60, 60))) >= SURE]
            counts += np.bincount(np.searchsorted(ENDS, sure, side="right"), minlength=len(MAPS))
        return _clear(counts, MAPS)
    return _detector(rng, profile, "Your detector saw a few new images, before NMS. On which map "
                     "do most anchors have an objectness (after the sigmoid) of .5 or more?", shown,
                     choices=MAPS)


@KINDS.add("1.14")
def false_detections(rng: Rng, profile: str) -> Item:
    """How many confident detections are no hits."""
    def shown(answer: Any, truth: list[dict]) -> str:
        sure = _sure(answer)
        hits = sum(ranked_hits(*of_class(c, sure, truth)).sum() for c in range(len(CLASSES)))
        share = 1 - hits / max(1, sum(len(image["scores"]) for image in sure))
        return _band(share, (0.05, 0.2, 0.5), bands)
    bands = ("at most 1 in 20", "up to 1 in 5", "up to half", "more than half")
    return _detector(rng, profile, "Your detector saw a few new images. How many of its detections "
                     "with a score of .5 or more are no hits (duplicates included)?", shown,
                     choices=bands)


def _keypoints(rng: Rng, profile: str, name: str, text: str,
               shown: Callable[[np.ndarray, np.ndarray], str], **more: Any) -> Item:
    samples = draw(profile, "keypoints", "grading", int(rng.integers(2**62)), IMAGES["keypoints"])
    truth = np.stack([s.keypoints for s in samples]).astype(np.float64)
    file = f"{name.removesuffix('Net').lower()}_model.pth"
    return Item(text, Question("problem2", "keypoint_predictions", {
        "model": f"model.{name}", "file": file, "images": np.stack([s.image for s in samples])},
        results=(file,), cpu_seconds=60),
        lambda answer: shown(answer["trained"].astype(np.float64) * FIGURE_SIZE, truth), **more)


@KINDS.add("2.11")
def worst_keypoint(rng: Rng, profile: str) -> Item:
    """The keypoint that RegressionNet places worst."""
    return _keypoints(
        rng, profile, "RegressionNet", "Your RegressionNet saw new images. Which keypoint does it "
        "place furthest from the truth on average?",
        lambda found, truth: _clear(np.linalg.norm(found - truth, axis=-1).mean(axis=0), NAMES),
        choices=NAMES)


@KINDS.add("2.11")
def shifted_predictions(rng: Rng, profile: str) -> Item:
    """PCK@.05 of HeatmapNet when all predictions move."""
    right = int(rng.integers(2, 5))

    def shown(found: np.ndarray, truth: np.ndarray) -> str:
        return number(pck(found + [right, 0], truth, 0.05), 1)
    return _keypoints(
        rng, profile, "HeatmapNet", "Your HeatmapNet saw new images, with figures whose boxes "
        f"have a diagonal of about 70 pixels. All its predictions are moved {right} pixels to the "
        "right. About what is PCK@.05 then?", shown, choices=TENTHS)


@KINDS.add("2.11")
def mean_distance(rng: Rng, profile: str) -> Item:
    """How far RegressionNet is off on average."""
    def shown(found: np.ndarray, truth: np.ndarray) -> str:
        off = np.linalg.norm(found - truth, axis=-1).mean()
        return _band(off, (2, 5, 10, 20), bands)
    bands = ("below 2", "2 to 5", "5 to 10", "10 to 20", "above 20")
    return _keypoints(
        rng, profile, "RegressionNet", "Your RegressionNet saw new images of 128 x 128 pixels. How "
        "far from the truth are its keypoints on average, in pixels?", shown, choices=bands)


def _log(problem: str, text: str, path: list[str], shown: Callable[[list[list[float]]], str],
         others: Callable[[Any], Iterable[str]], _rng: Rng, _profile: str) -> Item:
    curves = [[*path, "train_loss"], [*path, "val_loss"]]
    return Item(text, Question(problem, "training_log", {"curves": curves, "networks": []},
                               results=("training_log.json",)),
                lambda answer: shown(answer["curves"]), others)


def _best_epoch(curves: list[list[float]]) -> str:
    lowest = np.flatnonzero(np.array(curves[1]) == min(curves[1]))
    if len(lowest) != 1 or len(curves[1]) < 4:
        raise ValueError("there is no best epoch")
    return str(lowest[0] + 1)


def _fall(curves: list[list[float]]) -> str:
    return number(curves[0][-1] / curves[0][0])


def _epochs(answer: Any) -> Iterable[str]:
    count = len(answer["curves"][1])
    return (str(epoch) for epoch in (count, count // 2, 1, count - 1, 2, 3, 4))


def _shares(answer: Any) -> Iterable[str]:
    return near(_fall(answer["curves"]), (0.2, 0.4, -0.2, 0.1, 0.3, 0.6))


BEST = ("Epochs are counted from 1. After which one is the val_loss in your training_log.json of "
        "{} lowest?")
FALL = ("Take the train_loss in your training_log.json of {}. What is that of the last epoch "
        "divided by that of the first?")


for name, task, text, network, path, shown, others in (
        ("best-epoch-of-the-detector", "1.13", BEST, "the detector", [], _best_epoch, _epochs),
        ("fall-of-the-detector-loss", "1.13", FALL, "the detector", [], _fall, _shares),
        ("best-epoch-of-heatmaps", "2.10", BEST, "HeatmapNet", ["heatmap"], _best_epoch, _epochs),
        ("fall-of-the-regression-loss", "2.10", FALL, "RegressionNet", ["regression"], _fall,
         _shares)):
    KINDS[name] = Kind(name, task, functools.partial(
        _log, f"problem{task[0]}", text.format(network), path, shown, others))
