"""Tasks 1.18 and 2.13: what a report claims of the trained networks is measured again."""

import math

import numpy as np

from datasets import draw, term
from datasets.constants import FIGURE_SIZE

from ...engine.check import Measured, Question, check
from ...engine.compare import Wrong, array, sequence
from .. import report
from ..measure import (
    COCO,
    assignment_anchors,
    average_precision,
    coverage,
    decode,
    detected,
    found_by_map,
    from_images,
    mean_average_precision,
    of_class,
    pck,
)
from . import test_p1_training, test_p2_networks
from .accuracy import CANDIDATES, DELIVERED, DETECTIONS, FRESH, learned, untrained
from .test_p2_networks import NETWORKS

IMAGES = 200  # of the validation split
VALIDATION = "of the validation split"
ABLATION = "problem2/results/ablation.json"
CASES_AT = 0.1  # of PCK, for the cases of `analyze_failure_cases`


def _data(made):
    return {"profile": made["profile"], "seed": term.SEED, "count": IMAGES}


def _pay(judgement, found, rows, measured, keypoints=0, lacks=()):
    """Points by the rows of a table that are true.

    Args:
        measured, keypoints: as for `report.true_rows`.
        lacks: sentences that say why values are nan, which is to say not measured.
    """
    said = report.true_rows(found, rows, measured, keypoints)
    finite = {row: value for row, value in measured[0].items() if math.isfinite(value)}
    judgement.accuracy = rows[0] in finite and {
        "name": rows[0], "measured": finite[rows[0]],
        "claimed": [(f"{report.NAME}, line {claim.line}", claim.value)
                    for claim in found.get(rows[0], []) if claim.value is not None][:1],
        "rows": finite} or None
    if not any(said.values()):
        return
    part, guessed = report.earned(said, measured[0])
    judgement.score = round(judgement.check.points * part, 2)
    raise Wrong(" ".join([report.told(said) + guessed, *(
        why + "." * (why[-1:] not in ".?!") for why in lacks)]))


def _of_claims(question):
    """Whether a question is the one about validation images. They are known, so that a network may
    know them by heart: on hidden inputs it has to show on other images that it has learned.
    """
    return "networks" not in question.inputs


def _validation_scenes(rng, made):
    if made["tier"] == "hidden":
        return test_p1_training.delivered(rng, made)
    samples = draw(made["profile"], "detection", "val", term.SEED, IMAGES)
    return Question(
        "problem1", "validated_detector", {
            **_data(made), "candidates": CANDIDATES, "detections": DETECTIONS,
            "fresh": FRESH["detector"]},
        [{"boxes": s.boxes, "labels": s.labels} for s in samples], ("best_model.pth",),
        (report.NAME,), cpu_seconds=60, then="networks_apart")


def detector_rows(detections, truths, anchors):
    """Row of the report -> value; arguments as for `measure.found_by_map` and `coverage`."""
    aps = [average_precision(*of_class(c, detections, truths)) for c in range(len(report.AP_ROWS))]
    counts, covered = found_by_map(detections, truths), coverage(anchors, truths)
    shares = counts.diagonal() / np.maximum(1, counts.sum(axis=0))
    values = [np.nanmean(aps), mean_average_precision(detections, truths, COCO), *aps, *shares,
              *covered.diagonal()]
    return dict(zip(report.DETECTOR, map(float, values)))


@check("1.18.1", "P1.report.numbers", _validation_scenes, Measured())
def test_numbers_of_the_detector(answer, question, judgement, handed, seen):
    """What report.md says of your detector is what your weights do on the validation images."""
    if not _of_claims(question):
        return test_p1_training.learned_on(answer, question)
    claims = report.claims(handed.get(report.NAME))
    found = detected(answer, question)
    few = DELIVERED["detector"]
    # By the grader's decoding: the student's own one might know the validation images.
    ways = [found.grader] if found.anchors is None else [
        found.grader, [decode(image, found.anchors) for image in found.raw[:few]]]
    beyond = max(from_images(mean_average_precision, way[:few], question.truth[:few])
                 for way in ways)
    without = untrained(judgement, seen, 0, "best_model.pth", found.accuracy(found.fresh),
                        found.seen)
    learned(beyond - without, "mAP@0.5", "best_model.pth", VALIDATION)
    anchors = assignment_anchors() if found.anchors is None else found.anchors
    own = [detector_rows(found.own, question.truth, anchors)] if found.own else []
    _pay(judgement, claims, report.DETECTOR,
         [*own, detector_rows(found.grader, question.truth, assignment_anchors())])


def _validation_figures(rng, made):
    if made["tier"] == "hidden":
        return test_p2_networks.delivered("weights_load", "heatmap", "regression", each=True)(
            rng, made)
    samples = draw(made["profile"], "keypoints", "val", term.SEED, IMAGES)
    return Question(
        "problem2", "validated_keypoints", {**_data(made), "fresh": DELIVERED["keypoints"]},
        np.stack([s.keypoints for s in samples]).astype(np.float64) / FIGURE_SIZE,
        ("heatmap_model.pth", "regression_model.pth"), (report.NAME, ABLATION), cpu_seconds=60,
        then="networks_apart")


def keypoint_rows(heatmap, subpixel, regression, truth):
    """Row of the report -> value, from positions `[N, K, 2]` in 0..1 of the image."""
    diagonal = np.linalg.norm(truth.max(axis=1) - truth.min(axis=1), axis=-1)[:, None]
    error, finer, other = (np.linalg.norm(points.astype(np.float64) - truth, axis=-1)
                           for points in (heatmap, subpixel, regression))
    good, also_good = error <= CASES_AT * diagonal, other <= CASES_AT * diagonal
    values = [pck(points, truth, threshold) for points in (heatmap, regression)
              for threshold in report.THRESHOLDS]
    values += [FIGURE_SIZE * error.mean(), FIGURE_SIZE * finer.mean()]
    values += [np.mean(case) for case in (good & ~also_good, ~good & also_good, ~good & ~also_good)]
    return dict(zip(report.KEYPOINTS, map(float, values)))


@check("2.13.1", "P2.report.numbers", _validation_figures, Measured())
def test_numbers_of_the_keypoint_networks(answer, question, judgement, handed, seen):
    """What report.md says of your keypoint networks is what their weights do on validation images.
    """
    lacks: dict[str, str] = {}  # network that fails or has learned nothing -> why
    if not _of_claims(question):
        for name, found, truth in zip(
                NETWORKS, sequence(answer, len(NETWORKS), "the answer"), question.truth):
            try:
                test_p2_networks.learned_one(found, truth, name)
            except Wrong as error:
                lacks[name] = str(error)
        true = [row for row in report.KEYPOINTS if not _rests_on(row, lacks)]
        if lacks:
            judgement.score = round(judgement.check.points * len(true) / len(report.KEYPOINTS), 2)
            raise Wrong(" ".join(lacks.values()))
        return
    claims, truth = report.claims(handed.get(report.NAME)), question.truth
    judgement.remarks += report.about_ablation(handed.get(ABLATION))
    lacks |= {name: f"{answer['failed'][name]}" for name in NETWORKS if name in answer["failed"]}
    points = {way: np.full(truth.shape, np.nan) if network in lacks else
              array(answer[way], "the predicted keypoints", truth.shape)
              for way, network in (("heatmap",) * 2, ("subpixel", "heatmap"), ("regression",) * 2)}
    own = {name: array(answer[f"own_{name}"], "the predicted keypoints", truth.shape)
           for name in ("heatmap", "subpixel") if answer[f"own_{name}"] is not None}
    few = question.inputs["fresh"]
    for number, (name, (_, file, threshold)) in enumerate(NETWORKS.items()):
        if name in lacks:
            continue

        def beyond(some, true, threshold=threshold):
            return from_images(lambda listed, true: pck(np.array(listed), true, threshold), some,
                               true)

        without = test_p2_networks.without_training(
            judgement, answer, seen, number, name, truth, few, beyond, f"fresh_{name}")
        try:
            learned(beyond(points[name][:few], truth[:few]) - without, f"PCK@{threshold:.2f}",
                    file, VALIDATION)
        except Wrong as error:
            lacks[name] = str(error)

    def rows(**ways):
        return {row: math.nan if _rests_on(row, lacks) else value
                for row, value in keypoint_rows(**ways, truth=truth).items()}

    _pay(judgement, claims, report.KEYPOINTS,
         [rows(**{**points, **own}), rows(**points)], truth[..., 0].size, lacks.values())


def _rests_on(row, networks):
    """Whether a row of the report rests on one of some networks."""
    return any(row in report.CASE_ROWS or row.startswith(name) for name in networks)
