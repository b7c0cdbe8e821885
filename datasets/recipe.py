"""What to draw: a recipe names a whole dataset, `draw` makes samples of one split in memory."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from datasets import classic, shapes, standard, stick_figures

PROFILES = ("standard", "classic")
PALETTES = ("class", "random")
DATASETS = {"detection": shapes, "keypoints": stick_figures}
SPLITS = ("train", "val")


@dataclass(frozen=True)
class Recipe:
    """Everything that the pixels and annotations of a dataset depend on."""

    profile: str = "standard"
    seed: int = 641
    train: int = 1000
    val: int = 200
    palette: str = "class"

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}, got {self.profile!r}")
        if self.palette not in PALETTES:
            raise ValueError(f"palette must be one of {', '.join(PALETTES)}, got {self.palette!r}")
        if self.profile == "classic" and self.palette != "class":
            raise ValueError("the classic profile has its colours fixed: palette must be class")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")
        for split in SPLITS:
            if self.count(split) < 1:
                raise ValueError(f"{split} must be at least 1 image, got {self.count(split)}")

    def count(self, split: str) -> int:
        """Return the number of images in "train" or "val"."""
        return {"train": self.train, "val": self.val}[split]

    def first_id(self, split: str) -> int:
        """Return the id of a split's first image: validation ids follow the training ids."""
        return {"train": 0, "val": self.train}[split]

    def scenes(self, dataset: str, split: str, count: int) -> Iterator[Any]:
        """Yield the scenes of the first images of a split ("train", "val" or any other name) of
        "detection" or "keypoints"."""
        if self.profile == "classic":
            yield from classic.scenes(self.seed, self.train, self.val)[f"{dataset}/{split}"][:count]
        elif dataset == "detection":
            for index in range(count):
                yield standard.shape_scene(self.seed, split, index, self.palette)
        else:
            for index in range(count):
                yield standard.figure_scene(self.seed, split, index)


class DetectionSample(NamedTuple):
    """`image` uint8 [224, 224, 3]; `boxes` float32 [N, 4], xyxy in pixels; `labels` int64 [N]."""

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray


class KeypointSample(NamedTuple):
    """`image` uint8 [128, 128]; `keypoints` float32 [5, 2], (x, y) in pixels."""

    image: np.ndarray
    keypoints: np.ndarray


@overload
def draw(profile: str, dataset: Literal["detection"], split: str, seed: int, count: int,
         palette: str = "class") -> list[DetectionSample]: ...
@overload
def draw(profile: str, dataset: Literal["keypoints"], split: str, seed: int, count: int,
         palette: str = "class") -> list[KeypointSample]: ...
def draw(profile: str, dataset: str, split: str, seed: int, count: int, palette: str = "class"):
    """Return the first `count` samples of a split, without touching the disk.

    `dataset` is "detection" or "keypoints". "train" and "val" are the images that
    `python -m datasets generate` writes with its default counts; any other name, such as
    "grading", is a further split that shares no stream with them. Raises ValueError for
    anything unknown, and for more images than classic's "train" (1000) or "val" (200) holds.
    """
    return list(samples(profile, dataset, split, seed, count, palette))


def samples(profile: str, dataset: str, split: str, seed: int, count: int,
            palette: str = "class") -> Iterator[DetectionSample | KeypointSample]:
    """The samples of `draw`, each rendered when it is asked for."""
    if dataset not in DATASETS:
        raise ValueError(f"dataset must be one of {', '.join(DATASETS)}, got {dataset!r}")
    if count < 0:
        raise ValueError(f"count must be 0 or more, got {count}")
    recipe = Recipe(profile, seed, palette=palette)
    if profile == "standard" or split in SPLITS:
        if profile == "classic" and count > recipe.count(split):
            raise ValueError(f"classic {split} has {recipe.count(split)} images, got count={count}")
        scenes = list(recipe.scenes(dataset, split, count))
    else:
        rng = random.Random(f"{seed}/{dataset}/{split}")
        next_scene = {"detection": classic.shape_scene, "keypoints": classic.figure_scene}[dataset]
        scenes = [next_scene(rng) for _ in range(count)]
    for scene in scenes:
        image = np.array(DATASETS[dataset].render(scene))
        if dataset == "keypoints":
            yield KeypointSample(image, np.array(scene, np.float32))
        else:
            yield DetectionSample(image, np.array([shape.box for shape in scene], np.float32),
                                  np.array([shape.label for shape in scene], np.int64))
