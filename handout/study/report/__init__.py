"""The report of the study: `make report` builds it from what is stored and what is measured.

    stored                        the trainings' results
    detection, keypoints          measurements from the committed weights
    detection_figures, keypoint_figures
    text/*.md                     what is said; Jinja puts in every number
"""

from collections import Counter
from collections.abc import Callable
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from datasets.constants import CLASSES

from ... import drawing, facts, page
from .. import runs
from . import detection, detection_figures, keypoint_figures, keypoints
from .stored import Study, load

TITLE = "The reference study"
TEXTS = tuple(sorted((Path(__file__).parent / "text").glob("*.md")))
REFERENCE_SIZE = keypoints.VARIANTS["keypoints-heatmap"][0]
FIGURES = {**detection_figures.FIGURES, **keypoint_figures.FIGURES}
CALIBRATIONS = (  # what the peaks are compared with: network, threshold, words
    ("reference", keypoints.STRICT, "reference"), ("reference", 0.05, "reference"),
    ("keypoints-heatmap", keypoints.STRICT, "as the reference, fewer epochs"),
    ("keypoints-sigma-1", keypoints.STRICT, "sigma 1"),
    ("keypoints-classic", 0.05, "hands, classic data"))


def build(results: Path = runs.RESULTS, images: int = 200) -> str:
    """The whole page as HTML.

    Args:
        results: folder with the trainings' results.
        images: how many validation images of each kind to measure on.

    Raises:
        FileNotFoundError: there are no results, or no trained reference.
        ValueError: a result is damaged.
    """
    study, outdated = load(results)
    d, k = detection.Detection(study, images), keypoints.Keypoints(study, images)
    every = list(chain(*study.values()))

    def values(group: str, *keys: str) -> list[Any]:
        """A number of each training of a group, by seed: `values("detector-plain", "map")`."""
        return [reduce(dict.__getitem__, keys, result) for result in study[group]]

    with tqdm(total=len(FIGURES), desc="figures", disable=None) as bar:
        return page.render(
            TITLE, TEXTS, d=d, k=k, study=study, outdated=outdated, results=every, facts=facts,
            machines=Counter(tuple(r["machine"].values()) for r in every).most_common(),
            figure=_figures(d, k, bar), classes=CLASSES, maps=detection.MAPS,
            detectors=detection.DETECTORS, scales=detection.SCALES, modal=detection.modal,
            trained=detection.TRAINED,
            anchors={group: name.replace("-", " ") for name, group in detection.ANCHORS.items()},
            strict=keypoints.STRICT, thresholds=keypoints.THRESHOLDS, cases=keypoints.CASES,
            published=keypoints.PUBLISHED, heads=keypoints.HEADS, variants=keypoints.VARIANTS,
            shift=keypoints.SHIFT, size=REFERENCE_SIZE, pixel=keypoints.SIDE / REFERENCE_SIZE,
            values=values, of_seeds=of_seeds,
            seeds=lambda group, *keys: of_seeds(values(group, *keys)),
            cell=lambda group, *keys: of_seeds(values(group, *keys), "{} <small>{}–{}</small>"),
            numbers=lambda group: ", ".join(map(str, values(group, "seed"))),
            pooling_isolated=_pooling_isolated(study),
            pck_of=lambda group: float(np.mean(values(group, "pck", "0.20"))),
            epochs=lambda group: study[group][0]["epochs"], mean=np.mean,
            percent=lambda part, whole: f"{100 * part / whole:.0f} %" if whole else "none",
            percent_of=lambda share: f"{100 * share:.0f} %",
            anchors_by_map=_anchors_by_map(study), calibrations=CALIBRATIONS,
            plain_gap=k.calibration("reference", keypoints.STRICT).gap)


def of_seeds(values: list[float], pattern: str = "{} ({}–{})") -> str:
    """`0.791 (0.780–0.803)`: the mean, and the lowest and highest where there are several."""
    texts = [f"{value:.3f}" for value in (np.mean(values), min(values), max(values))]
    return pattern.format(*texts) if len(values) > 1 else texts[0]


def _figures(d: detection.Detection, k: keypoints.Keypoints, bar: tqdm) -> Callable[..., str]:
    """`figure(name, caption)` for the texts."""
    def figure(name: str, caption: str) -> str:
        encoded = drawing.encoded(FIGURES[name], d if name in detection_figures.FIGURES else k)
        bar.update()
        return page.figure_of(name, *encoded, caption)

    return figure


def _pooling_isolated(study: Study) -> bool:
    """Whether every head that keeps places beats every pooled one at .20, dropout aside."""
    pooled, placed = ([result["pck"]["0.20"] for group in groups for result in study[group]]
                      for groups in (
        ("keypoints-pooling", "keypoints-pooling-no-dropout"),
        ("keypoints-flatten", "keypoints-flatten-no-dropout", "keypoints-soft-argmax")))
    return max(pooled) < min(placed)


def _anchors_by_map(study: Study) -> list[tuple[str, float]]:
    """Choices of anchors with their mean mAP, the best first."""
    found = [(name.replace("-", " ") + ("" if "anchor" in name else " anchors"),
              float(np.mean([result["map"] for result in study[group]])))
             for name, group in detection.ANCHORS.items()]
    return sorted(found, key=lambda entry: -entry[1])
