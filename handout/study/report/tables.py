"""The tables of the report, as Markdown."""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from datasets.constants import CLASSES

from ... import facts
from .. import runs
from .detection import DETECTORS, MAPS, SCALES, Detection, shares
from .keypoints import (
    CASES,
    HANDS,
    HEADS,
    PUBLISHED,
    STRICT,
    THRESHOLDS,
    VARIANTS,
    Keypoints,
    correct,
)
from .stored import GROUPS, Stored, spread

ANCHORS = {"given": "detector-standard", **{name: f"detector-{name}" for name in SCALES
                                            if name != "given"}}


def of_seeds(values: list[float], pattern: str = "{} ({}–{})") -> str:
    """`0.791 (0.780–0.803)`: the mean, and the lowest and highest where there are several."""
    texts = [f"{value:.3f}" for value in spread(values)]
    return pattern.format(*texts) if len(values) > 1 else texts[0]


def _cell(values: list[float]) -> str:
    return of_seeds(values, "{} <small>{}–{}</small>")


def _seeds(results: list[dict]) -> str:
    return ", ".join(str(result["seed"]) for result in results)


def _grouped(stored: Stored, groups: dict[str, str],
             cells: Callable[[str, list[dict]], Iterable[str]], width: int) -> list[tuple]:
    """One row per group of trainings: its name, its seeds, `cells`; dashes where there is none."""
    rows = []
    for group, name in groups.items():
        results = stored.of(group)
        rows.append((name, _seeds(results), *cells(group, results)) if results else
                    (name, "*not\u00a0trained\u00a0yet*", *["–"] * width))
    return rows


# --- problem 1 -------------------------------------------------------------------------------


def _accuracy(_: str, results: list[dict]) -> list[str]:
    return [_cell([r["map"] for r in results]),
            *(_cell([r["ap"][name] for r in results]) for name in CLASSES)]


def accuracy(data: Detection) -> str:
    """mAP and AP per class: reference, plain backbone, classic data."""
    return facts.table(("detector", "seeds", "mAP:", *(f"{name}:" for name in CLASSES)),
                       _grouped(data.stored, DETECTORS, _accuracy, 4))


def anchors(data: Detection) -> str:
    """What each choice of scales covers: shares of objects by class, above .5 and above .3."""
    rows = []
    for name, scales in SCALES.items():
        cells = [f"{(best >= 0.5).mean():.2f} / {(best >= 0.3).mean():.2f}"
                 for best in data.coverage(name).values()]
        rows.append((name.replace("-", " "),
                     " · ".join(",\u00a0".join(map(str, sizes)) for sizes in scales), *cells))
    return facts.table(("anchors", "scales per map", *(f"{c}s:" for c in CLASSES)), rows)


def anchors_trained(data: Detection) -> str:
    """mAP and AP per class for each choice of scales."""
    names = {group: name.replace("-", " ") for name, group in ANCHORS.items()}
    return facts.table(("anchors", "seeds", "mAP:", *(f"{name}:" for name in CLASSES)),
                       _grouped(data.stored, names, _accuracy, 4))


def fields(data: Detection) -> str:
    """Receptive fields per map, of the plain backbone and of the reference."""
    rows = [(name, f"{low} to {high}", plain.theoretical, plain.measured, field.theoretical,
             field.measured, field.half, field.most)
            for name, (low, high), plain, field in zip(
                MAPS, data.size_ranges, data.plain_fields, data.reference_fields)]
    return facts.table(
        ("map", "its objects:", "backbone: layers:", "gradient:", "reference: layers:",
         "gradient:", "half:", "most:"), [tuple(map(str, row)) for row in rows])


def specialisation(data: Detection) -> str:
    """Per training and class, the most frequent map and its share of the true positives."""
    def cells(counts) -> list[str]:
        parts = shares(counts)
        return [f"{parts[:, c].max():.2f} on {MAPS[int(parts[:, c].argmax())]}"
                for c in range(len(CLASSES))]

    rows = [("best anchor of each object", *cells(data.by_anchors))]
    rows += [(f"{name}, seed {r['seed']}", *cells(r["true_positives_by_map_and_class"]))
             for group, name in DETECTORS.items() for r in data.stored.of(group)]
    return facts.table(("", *(f"{name}s:" for name in CLASSES)), rows)


# --- problem 2 -------------------------------------------------------------------------------


def pck(data: Keypoints) -> str:
    """PCK of the reference's networks beside what was published, and of the mean pose."""
    rows = []
    for key, name, answer in (("heatmap", "HeatmapNet", data.heatmap),
                              ("regression", "RegressionNet", data.regression)):
        values = data.pck(answer.points).values()
        rows.append((f"**{name}**", *(f"**{100 * value:.1f}**" for value in values)))
        rows.append((f"{name}, published", "–", *(f"{value:.1f}" for value in PUBLISHED[key])))
    values = data.pck(data.everywhere_the_mean).values()
    rows.append(("mean training pose", *(f"{100 * value:.1f}" for value in values)))
    return facts.table(("percent", *(f"PCK@{t:.2f}:" for t in THRESHOLDS)), rows)


def errors(data: Keypoints) -> str:
    """Mean error in pixels and PCK of each keypoint."""
    columns = []
    for answer in (data.heatmap, data.regression):
        distance = np.linalg.norm(answer.points - data.truth, axis=2).mean(axis=0)
        columns += [[f"{d:.2f}" for d in distance],
                    [f"{s:.3f}" for s in correct(answer.points, data.truth, 0.05).mean(axis=0)]]
    return facts.table(("keypoint", "HeatmapNet, px:", "PCK@0.05:", "RegressionNet, px:",
                        "PCK@0.05:"), list(zip(data.names, *columns)))


def cases(data: Keypoints) -> str:
    """How many keypoints fall in each case, by threshold."""
    found = {threshold: data.cases(threshold) for threshold in THRESHOLDS[:3]}
    return facts.table(
        ("keypoints", *(f"at {threshold:.2f}:" for threshold in found)),
        [(name.replace("_", " ").replace("heatmap", "HeatmapNet").replace("regression",
                                                                         "RegressionNet"),
          *(str(int(of_case[name].sum())) for of_case in found.values())) for name in CASES])


def collapse(data: Keypoints) -> str:
    """Spread of answers against the spread of the truth."""
    names = {"truth": "truth", "heatmap": "HeatmapNet", "regression": "RegressionNet"}
    spreads = data.collapse
    return facts.table(
        ("standard deviation, px", "place x:", "place y:", "pose x:", "pose y:"),
        [(text, *(f"{spreads[part][key][axis]:.2f}" for part in ("place", "pose")
                  for axis in (0, 1))) for key, text in names.items()])


def _pck_of(thresholds: Iterable[float], results: list[dict]) -> list[str]:
    return [_cell([r["pck"][f"{t:.2f}"] for r in results]) for t in thresholds]


def heads(data: Keypoints) -> str:
    """The heads on one encoder: parameters and PCK."""
    limits = (0.02, 0.05, 0.10, 0.20)
    return facts.table(
        ("head", "seeds", "parameters:", *(f"PCK@{t:.2f}:" for t in limits)),
        _grouped(data.stored, HEADS, lambda _, results: [
            f"{results[0]['parameters']:,}", *_pck_of(limits, results)], 5))


def ablation(data: Keypoints) -> str:
    """The variants of HeatmapNet: PCK, and what perfect heatmaps of that size would reach."""
    limits = (0.02, 0.05, 0.10)
    names = {group: name for group, (_, _, name) in VARIANTS.items()}
    return facts.table(
        ("variant", "seeds", f"perfect maps @{STRICT:.2f}:", *(f"PCK@{t:.2f}:" for t in limits)),
        _grouped(data.stored, names, lambda group, results: [
            f"{data.ceiling[VARIANTS[group][0]][STRICT]:.3f}", *_pck_of(limits, results)], 4))


def losses(data: Keypoints) -> str:
    """The last validation loss of each variant, that of answering 0, and PCK."""
    names = {group: name for group, (_, _, name) in VARIANTS.items()}

    def cells(group: str, results: list[dict]) -> list[str]:
        loss = float(np.mean([r["log"]["val_loss"][-1] for r in results]))
        zeros = data.loss_of_zeros[group]
        return [f"{1000 * loss:.3f}", f"{1000 * zeros:.3f}", f"{loss / zeros:.2f}",
                *_pck_of((STRICT,), results)]

    return facts.table(("variant", "seeds", "loss × 1000:", "of answering 0:", "ratio:",
                        f"PCK@{STRICT:.2f}:"),
                       _grouped(data.stored, names, cells, 4))


def hands(data: Keypoints) -> str:
    """The net trained on classic data beside the oracle: PCK of all keypoints and of the hands."""
    answers = [("sort-by-x oracle", data.oracle)]
    answers += [(f"HeatmapNet, {result['epochs']} epochs", answer.points)
                for result, answer in zip(data.stored.of("keypoints-classic"),
                                          data.stored_answers("keypoints-classic"))]
    rows = []
    for name, points in answers:
        right = [correct(points, data.classic_truth, t) for t in THRESHOLDS[1:]]
        rows.append((name, *(f"{r.mean():.3f}" for r in right),
                     f"{right[0][:, HANDS].mean():.3f}",
                     f"{np.delete(right[0], HANDS, axis=1).mean():.3f}"))
    return facts.table(("classic", *(f"PCK@{t:.2f}:" for t in THRESHOLDS[1:]), "hands @0.05:",
                        "others @0.05:"), rows)


def calibration(data: Keypoints, asked: Iterable[tuple[str, float, str]]) -> str:
    """Heights of right and wrong peaks, and how well height and distance go together."""
    rows = []
    for name, threshold, text in asked:
        found = data.calibration(name, threshold)
        heights = [f"{found.peak[mask].mean():.2f}" if mask.any() else "none"
                   for mask in (found.right, ~found.right)]
        rows.append((f"{text}, at {threshold:.2f}", str(len(found.peak)),
                     f"{found.right.mean():.3f}", *heights, f"{found.gap:.2f}",
                     f"{found.rank:+.2f}"))
    return facts.table(("", "keypoints:", "right:", "peak if right:", "if wrong:", "gap:",
                        "rank correlation:"), rows)


# --- how it was measured ---------------------------------------------------------------------


def trainings(stored: Stored) -> str:
    """Every group of trainings: epochs, seeds, seconds, and which are missing."""
    rows = []
    for group, members in GROUPS.items():
        results = stored.of(group)
        seconds = [result["seconds"] for result in results]
        rows.append((f"`{group}`", str(members[0].epochs), f"{len(results)} of {len(members)}",
                     f"{min(seconds):.0f} to {max(seconds):.0f}" if seconds else "–"))
    return facts.table(("trainings", "epochs:", "there:", "seconds:"), rows)


def machines(stored: Stored) -> str:
    """Where the trainings ran, and with which versions."""
    counts = Counter(tuple(result["machine"].items()) for result in stored.results.values())
    names = list(dict(next(iter(counts))))
    return facts.table((*names, "trainings:"),
                       [(*(str(value) for _, value in machine), str(count))
                        for machine, count in counts.most_common()])


def total_hours(stored: Stored) -> float:
    """Hours that the trainings there took together."""
    return sum(result["seconds"] for result in stored.results.values()) / 3600


def named(names: Iterable[str]) -> str:
    """Trainings by group: `detector-plain (1, 2)`."""
    seeds: dict[str, list[str]] = {}
    for name in names:
        group, seed = name.rsplit("-", 1)
        seeds.setdefault(group, []).append(seed)
    return ", ".join(f"{group} ({', '.join(of)})" for group, of in seeds.items())


def expected() -> int:
    """How many trainings the study has."""
    return len(runs.RUNS)
