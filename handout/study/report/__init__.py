"""The report of the study: `make report` builds it from what is stored and what is measured.

    stored                        the trainings' results
    detection, keypoints          measurements from the committed weights
    detection_figures, keypoint_figures, tables
    text/*.md                     what is said; Jinja puts every number in
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ... import drawing, facts, page
from .. import runs
from . import detection, detection_figures, keypoint_figures, keypoints, tables
from .stored import GROUPS, load

TITLE = "The reference study"
TEXTS = tuple(sorted((Path(__file__).parent / "text").glob("*.md")))
REFERENCE_SIZE = keypoints.VARIANTS["keypoints-heatmap"][0]
FIGURES = {**detection_figures.FIGURES, **keypoint_figures.FIGURES}


def build(results: Path = runs.RESULTS, images: int = 200) -> str:
    """The whole page as HTML.

    Args:
        results: folder with the trainings' results.
        images: how many validation images of each kind to measure on.

    Raises:
        FileNotFoundError: there are no results, or no trained reference.
        ValueError: a result is damaged.
    """
    stored = load(results)
    d, k = detection.Detection(stored, images), keypoints.Keypoints(stored, images)
    with tqdm(total=len(FIGURES), desc="figures", disable=None) as bar:
        return page.render(
            TITLE, TEXTS, d=d, k=k, stored=stored, tables=tables, facts=facts,
            figure=_figures(d, k, bar), maps=detection.MAPS, strict=keypoints.STRICT,
            shift=keypoints.SHIFT, size=REFERENCE_SIZE, pixel=keypoints.SIDE / REFERENCE_SIZE,
            values=lambda group, *keys: _values(stored, group, *keys),
            seeds=lambda group, *keys: tables.of_seeds(_values(stored, group, *keys)),
            pooling_isolated=_pooling_isolated(stored),
            pck_of=lambda group: float(np.mean(_values(stored, group, "pck", "0.20"))),
            epochs=lambda group: GROUPS[group][0].epochs, mean=np.mean,
            percent=lambda part, whole: f"{100 * part / whole:.0f} %" if whole else "none",
            percent_of=lambda share: f"{100 * share:.0f} %",
            anchors_by_map=_anchors_by_map(stored), calibrations=_calibrations(stored),
            plain_gap=k.calibration("reference", keypoints.STRICT).gap)


def _figures(d: detection.Detection, k: keypoints.Keypoints, bar: tqdm) -> Callable[..., str]:
    """`figure(name, caption)` for the texts; a figure without its trainings is a sentence."""
    def figure(name: str, caption: str) -> str:
        draw = FIGURES[name]
        encoded = drawing.encoded(draw, d if name in detection_figures.FIGURES else k)
        bar.update()
        if encoded is None:
            return "*The figure that belongs here waits for its trainings.*"
        return page.figure_of(name, *encoded, caption)

    return figure


def _values(stored, group: str, *keys: str) -> list[float]:
    values = []
    for result in stored.of(group):
        for key in keys:
            result = result[key]
        values.append(result)
    return values


def _pooling_isolated(stored) -> bool | None:
    """Whether every head that keeps places beats every pooled one at .20, dropout aside."""
    pooled = ("keypoints-pooling", "keypoints-pooling-no-dropout")
    placed = ("keypoints-flatten", "keypoints-flatten-no-dropout", "keypoints-soft-argmax")
    if not stored.has(*pooled, *placed):
        return None
    return (max(v for group in pooled for v in _values(stored, group, "pck", "0.20"))
            < min(v for group in placed for v in _values(stored, group, "pck", "0.20")))


def _anchors_by_map(stored) -> list[tuple[str, float]]:
    """Choices of anchors with their mean mAP, the best first; empty with fewer than two."""
    found = [(name.replace("-", " ") + ("" if "anchor" in name else " anchors"),
              float(np.mean(_values(stored, group, "map"))))
             for name, group in tables.ANCHORS.items() if stored.has(group)]
    return sorted(found, key=lambda entry: -entry[1]) if len(found) > 1 else []


def _calibrations(stored) -> list[tuple[str, float, str]]:
    """What the peaks are compared with: network, threshold, words."""
    asked = [("reference", keypoints.STRICT, "reference"), ("reference", 0.05, "reference"),
             ("keypoints-heatmap", keypoints.STRICT, "as the reference, fewer epochs"),
             ("keypoints-sigma-1", keypoints.STRICT, "sigma 1"),
             ("keypoints-classic", 0.05, "hands, classic data")]
    return [entry for entry in asked if entry[0] == "reference" or stored.has(entry[0])]
