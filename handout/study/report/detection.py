"""Problem 1, measured: what the anchors cover, what a cell sees, which map finds what.

Everything here comes from the committed weights, the solution's own functions and validation images
drawn in memory. Boxes are xyxy in pixels; maps are 0, 1, 2: 56 x 56, 28 x 28, 14 x 14.
"""

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import datasets
from datasets import audit
from datasets.constants import CLASSES, MAP_SIZES

from ... import problems
from ...figures.detection import extent, gradients
from ...problems import KIT
from ..runs import GIVEN, RUNS
from ..training import quality
from .stored import Study, of_reference

RESULTS = KIT / "solution" / "problem1" / "results"
MAPS = tuple(f"{side}\u00a0x\u00a0{side}" for side in MAP_SIZES)
DETECTORS = {"detector-standard": "reference", "detector-plain": "plain backbone",
             "detector-classic": "reference, classic data"}
TRAINED = {
    "detector-recipe": "batches of eight, mirror images",
    "detector-iou-target": "likewise; ignored anchors are background, objectness learns the IoU",
    "detector-giou": "likewise; ignored anchors are background, the box loss is GIoU",
}
ANCHORS = {"given": "detector-standard", "small-anchors": "detector-small-anchors",
           "large-anchors": "detector-large-anchors", "one-anchor": "detector-one-anchor"}
SCALES = {name: RUNS[f"{group}-0"].options.get("scales", GIVEN) for name, group in ANCHORS.items()}


class Objects(NamedTuple):
    """The objects of the validation images, one row each.

    Args:
        label: 0, 1, 2.
        size: side in pixels.
        iou: best IoU with the anchors of each map, `[N, 3]`.
        found: the map whose detection found the object, -1 where none did. As in task 1.12: score
            and IoU of at least .5, each object once.
    """

    label: np.ndarray
    size: np.ndarray
    iou: np.ndarray
    found: np.ndarray


class Matched(NamedTuple):
    """Objects that a number of maps can match, how many are found, and by their best map."""

    all: int
    objects: int
    found: int
    by_best: int


class Field(NamedTuple):
    """What one cell in the middle of a map depends on, as sides of squares in image pixels.

    Args:
        theoretical: extent of the gradient's support in an image so large that no border is near.
        measured: the same inside the image.
        half, most: squares around the anchor's centre with 50 % and 95 % of the gradient's
            magnitude.
        gradient: mean magnitude `[224, 224]`.
    """

    theoretical: int
    measured: int
    half: int
    most: int
    gradient: np.ndarray


class Detection:
    """Measurements of the reference detector on so many validation images, each made when it is
    first asked for."""

    def __init__(self, study: Study, images: int = 200):
        self.study = study
        self.metrics, self.log = of_reference(1).values()
        data = self.metrics["data"]
        self.samples = datasets.draw(data["profile"], "detection", "val", data["seed"], images,
                                     data["palette"])
        self.problem = problems.solution(1)
        self.anchors = self.problem.utils.generate_anchors(self.problem.utils.MAP_SIZES, GIVEN)

    @cached_property
    def model(self) -> Any:
        """The reference with its committed weights."""
        model = self.problem.model.MultiScaleDetector()
        model.load_state_dict(
            torch.load(RESULTS / "best_model.pth", map_location="cpu", weights_only=True))
        return model.eval()

    def images(self, count: int | None = None) -> torch.Tensor:
        """The validation images, or the first of them, `[count, 3, 224, 224]` in 0..1."""
        pixels = np.stack([sample.image for sample in self.samples[:count]])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255

    @cached_property
    def outputs(self) -> list[torch.Tensor]:
        """What the reference says in each image about all anchors, `[N, 5+C]`."""
        bar = tqdm(self.images().split(16), "detector", unit="batch", leave=False, disable=None)
        with torch.no_grad():
            batches = [[p.permute(0, 2, 3, 1).flatten(1, 2) for p in self.model(images)]
                       for images in bar]
        channels = 5 + len(CLASSES)
        return [torch.cat([p.reshape(-1, channels) for p in image])
                for maps in batches for image in zip(*maps)]

    def decode(self, flat: torch.Tensor, nms: float = 0.5) -> dict:
        """Detections of one image. Maps with one anchor in each cell, one cell wide, will do."""
        maps = flat.split([len(anchors) for anchors in self.anchors])
        return self.problem.evaluate.decode_predictions(
            [m.T[None, :, :, None] for m in maps], self.anchors, nms_threshold=nms)[0]

    @cached_property
    def detections(self) -> list[dict]:
        """What the reference finds in each image."""
        return [self.decode(flat) for flat in self.outputs]

    @cached_property
    def rules(self) -> dict[str, dict[str, float]]:
        """The `quality` of the reference as it is, and with the truth in place of what one rule
        leaves open."""
        utils, anchors = self.problem.utils, torch.cat(self.anchors)

        def silent(flat: torch.Tensor, _: Any, matches: tuple[torch.Tensor, ...]) -> None:
            flat[~(matches[2] | matches[3]), 4] = -torch.inf

        def rated(flat: torch.Tensor, boxes: torch.Tensor, _: Any) -> None:
            iou = utils.compute_iou(utils.decode_boxes(flat[:, :4], anchors), boxes).amax(dim=1)
            flat[:, 4] = torch.minimum(flat[:, 4], iou.logit(eps=1e-6))

        def exact(flat: torch.Tensor, _: Any, matches: tuple[torch.Tensor, ...]) -> None:
            truth, positive = matches[1:3]
            flat[positive, :4] = utils.encode_boxes(truth[positive], anchors[positive])

        targets = [{"boxes": torch.tensor(sample.boxes, dtype=torch.float32),
                    "labels": torch.tensor(sample.labels)} for sample in self.samples]

        def quality_of(*edits: Callable[..., None], nms: float = 0.5) -> dict[str, float]:
            found = []
            for output, target in zip(self.outputs, targets):
                flat, matches = output.clone(), utils.match_anchors_to_targets(
                    anchors, *target.values())
                for edit in edits:
                    edit(flat, target["boxes"], matches)
                found.append(self.decode(flat, nms))
            return quality(self.problem.evaluate, found, targets)

        return {"as the rules are": quality_of(),
                "ignored anchors silent": quality_of(silent),
                "no score above the IoU of its box": quality_of(rated),
                "both": quality_of(silent, rated),
                "positives with exact boxes": quality_of(exact),
                "NMS from IoU .3 on": quality_of(nms=0.3)}

    @cached_property
    def objects(self) -> Objects:
        """Every object with the anchors it could have and the map that found it."""
        label = np.concatenate([sample.labels for sample in self.samples])
        boxes = np.concatenate([sample.boxes for sample in self.samples]).astype(np.float64)
        found = [int(detection["maps"][hit]) if hit >= 0 else -1
                 for detection, hits in zip(self.detections, self.hits) for hit in hits]
        return Objects(label, boxes[:, 2] - boxes[:, 0], best_ious(boxes, GIVEN), np.array(found))

    @cached_property
    def hits(self) -> list[np.ndarray]:
        """Per image, the detection that finds each object, -1 where none does."""
        return [self._hits(*pair) for pair in zip(self.detections, self.samples)]

    def _hits(self, detection: dict, sample: datasets.DetectionSample) -> np.ndarray:
        """The rule is that of `match_detections`, which does not say which object was found."""
        hits = np.full(len(sample.labels), -1)
        iou = self.problem.utils.compute_iou(detection["boxes"], torch.tensor(sample.boxes)).numpy()
        for number, label in enumerate(detection["labels"].tolist()):
            if detection["scores"][number] < 0.5:
                break
            free = np.where((hits < 0) & (sample.labels == label), iou[number], -1)
            if free.max(initial=-1) >= 0.5:
                hits[free.argmax()] = number
        return hits

    def coverage(self, name: str) -> dict[str, np.ndarray]:
        """Best IoU of each object with the anchors of an entry of SCALES, by class."""
        boxes = np.concatenate([sample.boxes for sample in self.samples]).astype(np.float64)
        best = best_ious(boxes, SCALES[name]).max(axis=1)
        return {word: best[self.objects.label == label] for label, word in enumerate(CLASSES)}

    @cached_property
    def by_anchors(self) -> np.ndarray:
        """Objects by the map that holds their best anchor, and class: `[3, 3]`."""
        counts = np.zeros((3, 3), dtype=int)
        np.add.at(counts, (self.objects.iou.argmax(axis=1), self.objects.label), 1)
        return counts

    def matched_by(self, count: int) -> Matched:
        """Objects with an anchor of IoU .5 and more on so many maps."""
        objects = self.objects
        chosen = (objects.iou >= 0.5).sum(axis=1) == count
        found = chosen & (objects.found >= 0)
        by_best = found & (objects.found == objects.iou.argmax(axis=1))
        return Matched(len(chosen), *(int(mask.sum()) for mask in (chosen, found, by_best)))

    def counts(self, group: str) -> np.ndarray:
        """True positives by map and class of each training of a group, `[seeds, 3, 3]`."""
        return np.array([r["true_positives_by_map_and_class"] for r in self.study[group]])

    @property
    def shares(self) -> list[tuple[str, np.ndarray]]:
        """Of each class (column), the share of each map (row): of best anchors, of trainings."""
        return [("best anchor", shares(self.by_anchors)),
                *((f"{name}, seed {result['seed']}", shares(counts))
                  for group, name in DETECTORS.items()
                  for result, counts in zip(self.study[group], self.counts(group)))]

    def modal(self, group: str) -> list[float]:
        """Share of each class on its most frequent map, averaged over the classes, by seed."""
        return [modal(counts) for counts in self.counts(group)]

    def off_map(self, group: str) -> list[str]:
        """Classes whose most frequent map is not that of the anchors, over all seeds together."""
        off = self.counts(group).sum(axis=0).argmax(axis=0) != self.by_anchors.argmax(axis=0)
        return [f"{name}s" for name, is_off in zip(CLASSES, off) if is_off]

    def class_range(self, group: str, label: int) -> tuple[float, float]:
        """Lowest and highest share of a class, over the seeds, on the map of its anchors."""
        place = self.by_anchors[:, label].argmax()
        values = [shares(counts)[place, label] for counts in self.counts(group)]
        return min(values), max(values)

    @cached_property
    def reference_fields(self) -> list[Field]:
        """Receptive fields of the trained reference, per map."""
        return fields(self.model, self.images(10))

    @cached_property
    def plain_fields(self) -> list[Field]:
        """Receptive fields of the backbone with its heads, with fresh weights."""
        torch.manual_seed(0)
        return fields(self.problem.model.MultiScaleDetector(neck=False).eval(), self.images(2))

    def features(self, chosen: list[int]) -> dict[str, list[np.ndarray]]:
        """Mean magnitude over the channels of the maps of some images, as task 1.16 has it.

        Returns:
            "backbone" and "head": what the backbone makes and what the heads receive, three arrays
            `[images, S, S]` each.
        """
        model = copy.deepcopy(self.model)
        model.heads = nn.ModuleList(nn.Sequential(nn.Identity(), head) for head in model.heads)
        layers = {"backbone": [f"stage{side}" for side in MAP_SIZES],
                  "head": [f"heads.{place}.0" for place in range(len(MAP_SIZES))]}
        maps = self.problem.analysis.capture_feature_maps(
            model, self.images()[chosen], [*layers["backbone"], *layers["head"]])
        return {key: [maps[name].numpy() for name in names] for key, names in layers.items()}


def best_ious(boxes: np.ndarray, scales: list[list[int]]) -> np.ndarray:
    """Best IoU of each box with the anchors of each map, `[N, 3]`."""
    return np.stack([audit.best_anchor_iou(boxes, side, tuple(sizes))
                     for side, sizes in zip(MAP_SIZES, scales)], axis=1)


def shares(counts: np.ndarray) -> np.ndarray:
    """Of each class (column), the share that each map (row) has."""
    return counts / np.maximum(counts.sum(axis=0), 1)


def modal(counts: np.ndarray) -> float:
    """Share of each class on its most frequent map, averaged over the classes."""
    return float(shares(counts).max(axis=0).mean())


def fields(model: nn.Module, images: torch.Tensor) -> list[Field]:
    """Receptive fields of a detector, by the gradient at some images and at a larger one."""
    larger = torch.rand(1, 3, *(5 * side // 2 for side in images.shape[2:]),
                        generator=torch.Generator().manual_seed(0))
    whole = gradients(model, larger)
    found = []
    for magnitude, unbounded, side in zip(gradients(model, images), whole, MAP_SIZES):
        centre = (side // 2 + 0.5) * len(magnitude) / side
        found.append(Field(extent(unbounded), extent(magnitude), _holding(magnitude, centre, 0.5),
                           _holding(magnitude, centre, 0.95), magnitude))
    return found


def _holding(magnitude: np.ndarray, centre: float, share: float) -> int:
    """Side of the smallest square around (centre, centre) that holds a share of the sum."""
    distance = np.abs(np.arange(len(magnitude)) + 0.5 - centre)
    ring = np.maximum(distance[:, None], distance[None, :])  # half a side, to each pixel
    order = np.argsort(ring, axis=None)
    reached = np.searchsorted(magnitude.ravel()[order].cumsum(), share * magnitude.sum())
    return int(np.ceil(2 * ring.ravel()[order[min(reached, len(order) - 1)]]))
