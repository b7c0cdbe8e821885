"""Task 2.9: the ablation and the failure cases, on prepared answers."""

import numpy as np

from datasets.constants import FIGURE_SIZE, KEYPOINT_NAMES

from ...engine.check import Question, check
from ...engine.compare import Wrong, array, close, entries, number, sequence
from .inputs import pictures, whole
from .pictures import LEAST

# Those of the starter, that of the smallest maps first: a network of a variant which a submission
# adds answers the cells of the first one, and these must lie on maps of any size.
VARIANTS = [[32, 2.0, True], [64, 2.0, True], [128, 2.0, True], [64, 1.0, True], [64, 3.0, True],
            [64, 4.0, True], [64, 2.0, False]]
THRESHOLDS = (0.02, 0.05, 0.10, 0.20)  # likewise
MARGIN = 0.004  # of the diagonal: no answer lies closer to a limit
CASES = ("both_right", "only_heatmap", "only_regression", "both_wrong")


def _split(rng, count, first):
    """Images of a split, whose first pixels count from `first`, and their true keypoints."""
    base = np.array([(0, -24), (-16, 0), (16, 0), (-10, 28), (10, 28)])
    shown = (pictures(rng, count, 1, FIGURE_SIZE)[:, 0] * 255).round().astype(np.uint8)
    shown[:, 0, 0] = first + np.arange(count)
    truth = (rng.uniform(44, 84, (count, 1, 2)) + rng.uniform(0.7, 1.2, (count, 1, 1)) * base
             + rng.uniform(-4, 4, (count, 5, 2))).round(2)
    names = [f"{i:06d}.png" for i in rng.permutation(900)[:count]]
    listed = [{"id": i, "file_name": name, "keypoints": points.tolist()}
              for i, (name, points) in enumerate(zip(names, truth))]
    return (dict(zip(names, shown)), {"images": listed, "keypoint_names": list(KEYPOINT_NAMES),
                                      "num_keypoints": 5}), truth


def _answered(rng, truth, size, limits):
    """Cells int64 `[N, K, 2]` of maps of this size, within the limits of the truth and beyond, but
    not close to any of them."""
    diagonal = np.linalg.norm(np.ptp(truth, axis=1), axis=-1)[:, None]
    ends = np.array([0, *limits, 1.4 * limits[-1]])
    cells, bad = np.zeros(truth.shape, np.int64), np.ones(truth.shape[:2], bool)
    while bad.any():
        band = rng.integers(0, len(limits) + 1, bad.shape)
        far = diagonal * rng.uniform(ends[band], ends[band + 1])
        angle = rng.uniform(0, 7, bad.shape)
        place = truth + far[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        tried = (place * size / FIGURE_SIZE).round().clip(0, size - 1).astype(np.int64)
        cells = np.where(bad[..., None], tried, cells)
        distance = np.linalg.norm(cells * FIGURE_SIZE / size - truth, axis=-1) / diagonal
        bad = (np.abs(distance[..., None] - limits) < MARGIN).any(axis=-1)
    return cells


def _ablation(count=0, save=False):
    """An ablation with so many seeds, which are not in order; or with the defaults."""
    def ask(rng):
        # Few, since some draw heatmaps pixel by pixel; a tenth that is left out shows once.
        train, _ = _split(rng, 4 if count else 10, 200)
        val, truth = _split(rng, whole(rng, 6, 7), 0)
        seeds = sorted(rng.permutation(90)[:count].tolist(), reverse=True) or [0]
        own = {"seeds": seeds, "epochs": whole(rng, 2, 6) if count else 10,
               "batch_size": 2}
        cells = [[_answered(rng, truth, size, THRESHOLDS) for _ in seeds] for size, *_ in VARIANTS]
        return Question("problem2", "ablation", {
            "splits": {"train": train, "val": val}, "variants": VARIANTS, "cells": np.array(cells),
            **own, "save": save,
            "options": own if count else {"batch_size": own["batch_size"]}}, cpu_seconds=60)
    return ask


def _rows(rows, right, question, per_seed=False, name="the result"):
    """Every variant has its row with the right PCK."""
    if not isinstance(rows, (list, tuple)):
        sequence(rows, len(right), name)
    for want in right:
        variant = {key: want[key] for key in ("heatmap_size", "sigma", "skip")}
        of_variant = ", ".join(f"{key} {value}" for key, value in variant.items())
        row = next((row for row in rows if isinstance(row, dict)
                    and all(_is(row.get(key), value) for key, value in variant.items())), None)
        if row is None:
            raise Wrong(f"{name} should have a row with {of_variant}.")
        for key in ("pck_per_seed", "pck") if per_seed else ("pck",):
            shares, = entries(row, [key], f"the row with {of_variant}")
            for limit, value in zip(THRESHOLDS, _of_thresholds(shares, key)):
                close(value, np.array(want[key][f"{limit:.2f}"]), f"{key} at {limit:g} of the "
                      f"variant with {of_variant}", atol=1e-4,
                      where=(lambda p: f"seed {question.inputs['seeds'][p[0]]}")
                      if key == "pck_per_seed" else None)


def _is(value, want):
    try:
        return bool(array(value, "", ()) == want)
    except Wrong:
        return False


def _of_thresholds(shares, key):
    """What belongs to each threshold, which may be a number or text."""
    found = {}
    for limit, value in shares.items() if isinstance(shares, dict) else ():
        try:
            found[float(limit)] = value
        except (TypeError, ValueError):
            continue
    return entries(found if isinstance(shares, dict) else shares, THRESHOLDS, key)


def _either(answer, judge):
    """Judge an answer and, where it is wrong, the one that came of a right dataset."""
    try:
        judge(answer)
    except Wrong:
        if answer["again"] is None:
            raise
        judge(answer["again"])


def _returned(answer, expected, question, per_seed=False):
    """Judge the rows; where they are wrong, say which training was another than asked for."""
    try:
        _rows(answer["rows"], expected["rows"], question, per_seed)
    except Wrong as wrong:
        raise Wrong(f"{_cause(answer['trainings'], **question.inputs)}{wrong}") from None


def _saved(answer, expected, question):
    _returned(answer, expected, question, per_seed=True)
    if answer["file"] is None:
        raise Wrong("nothing was saved to save_path.")
    _rows(answer["file"], expected["file"], question, True, "what is saved to save_path")


def _cause(trainings, splits, variants, seeds, epochs, **_):
    for size, sigma, skip in variants:
        for seed in seeds:
            own = [given for given in trainings
                   if given["variant"] == [size, sigma, skip] and given["seed"] == seed]
            name = f"heatmap_size {size}, sigma {sigma:g}, skip {skip} and the seed {seed}"
            if len(own) != 1:
                return (f"train_heatmap_model should be called once with {name}, but was called "
                        f"{len(own)} times with these. ")
            if own[0]["val"]:
                return f"Images of val are among those trained on, with {name}. "
            if own[0]["again"]:
                return f"With {name} a network is trained that had been trained before. "
            given, asked = ((it["images"], it["epochs"]) for it in (
                own[0], {"images": len(splits["train"][0]), "epochs": epochs}))
            if given != asked:
                return (f"With {name}, {given[0]} images are trained on for {given[1]} epochs, "
                        f"instead of {asked[0]} for {asked[1]}. ")
    return ""


@check("2.9.1", "P2.ablation.pck", _ablation())
def test_ablation(answer, expected, question):
    """Every variant is trained once and measured by PCK against the true keypoints of val."""
    _either(answer, lambda given: _returned(given, expected, question))


@check("2.9.2", "P2.ablation.seeds", _ablation(2, save=True))
def test_ablation_seeds(answer, expected, question):
    """Every variant is trained once per seed, and the rows hold each PCK and their mean."""
    _either(answer, lambda given: _saved(given, expected, question))


# A figure with a box of 48 x 64 pixels, and so a diagonal of 80.
EXACT = np.array([(24, 0), (0, 20), (48, 24), (16, 64), (36, 60)], float)


def _failures(exact=False, thresholds=lambda rng: [0.1], options=lambda rng, limits: [{}]):
    """Failure cases at thresholds, in calls with these keywords; `exact`: in one image, answers
    lie at the first limit, which is a whole number of pixels there.
    """
    def ask(rng):
        (images, annotations), truth = _split(rng, whole(rng, 9, 11), 0)
        if exact:
            truth[0] = EXACT + rng.integers(16, 48, 2)
            annotations["images"][0]["keypoints"] = truth[0].tolist()
        size, limits = 32 if exact else 64, thresholds(rng)
        cells = _answered(rng, truth, size, limits)
        points = _answered(rng, truth, FIGURE_SIZE, limits) / FIGURE_SIZE
        # The second network alone finds a keypoint in one image only, fewer than may be pictured.
        alone = whole(rng, 1, len(truth) - 1)
        others = np.where(rng.random((len(truth), 5, 1)) < 0.5, cells / size, 0.99)
        points = np.where((np.arange(len(truth)) == alone)[:, None, None], points, others)
        cells[alone, 0], points[alone, 0] = 0, truth[alone, 0] / FIGURE_SIZE
        if exact:
            away = limits[0] * 8 * rng.permutation([(6, 8), (-8, 6), (0, 10), (-10, 0), (8, -6)])
            points[0] = (truth[0] + away) / FIGURE_SIZE
        return Question("problem2", "failure_cases", {
            "images": images, "annotations": annotations, "size": size, "cells": cells,
            "points": points.reshape(len(points), -1).astype(np.float32),
            "options": options(rng, limits)})
    return ask


@check("2.9.3", "P2.failures.counts", _failures(
    exact=True, thresholds=lambda rng: [0.0625, float(rng.choice([0.125, 0.1875]))],
    options=lambda rng, limits: [{"threshold": limit, "max_images": 1} for limit in limits]))
def test_failure_counts(answer, expected):
    """Every keypoint of every image is counted in one of the four cases."""
    _either(answer, lambda given: _counts(given, expected))


def _counts(answer, expected):
    for report, wanted in zip(sequence(answer["reports"], 2, "the results"), expected["reports"]):
        for case, found in zip(CASES, entries(report, CASES, "the result")):
            keypoints, = entries(found, ["keypoints"], f"the case {case}")
            for name, count in zip(KEYPOINT_NAMES, entries(keypoints, KEYPOINT_NAMES, case)):
                close(count, np.array(wanted[case]["keypoints"][name]), f"{case}, {name}", atol=0)


@check("2.9.4", "P2.failures.images", _failures(
    options=lambda rng, limits: [{}, {"max_images": whole(rng, 1, 2)},
                                 {"max_images": whole(rng, 4, 5)}]))
def test_failure_images(answer, expected):
    """Those images are pictured that have the most keypoints of a case."""
    _either(answer, lambda given: _pictured(given, expected))


def _pictured(answer, expected):
    reports = sequence(answer["reports"], len(expected["reports"]), "the results")
    for report, wanted in zip(reports, expected["reports"]):
        for case, found in zip(CASES, entries(report, CASES, "the result")):
            images, = entries(found, ["images"], f"the case {case}")
            right = wanted[case]["images"]
            got = [array(i, f"an image of {case}", ()) for i in sequence(
                images, len(right), f"the images of {case}")]
            if [float(i) for i in got] != right:
                raise Wrong(f"the images of {case} should be {right}, but are "
                            f"[{', '.join(map(number, got))}].")
    missing = sorted({*expected["pictures"]} - {str(name) for name in answer["pictures"]})
    if missing:
        raise Wrong(f"{missing[0]} should be a PNG of at least {LEAST} x {LEAST} pixels, not all "
                    f"of one colour, in save_dir; {len(missing)} of {len(expected['pictures'])} "
                    f"are missing. It has {', '.join(map(str, answer['pictures'][:2])) or 'none'}.")
