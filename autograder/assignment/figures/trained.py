"""Figures of training and of trained networks: always worth a look, passed or not.

Conventions as in `problem1.py`. Images and labels are the public ones made for grading.
"""

from typing import Any

import numpy as np

from datasets.constants import CLASSES, KEYPOINT_NAMES

from ...engine.check import Question
from ...engine.compare import array
from ...engine.pages import canvas
from ...engine.pages.canvas import EXPECTED, FAINT, GOT, GREEN, GREY, INK, YELLOW, Figure, Key
from .. import measure, stand_in
from .problem1 import precision_recall
from .problem2 import POINTS, draw_points

SHAPES = tuple(zip(CLASSES, (GREEN, canvas.PURPLE, YELLOW), ("solid", "dashed", "dotted")))
KEYPOINTS = [name.replace("_", " ") for name in KEYPOINT_NAMES]
THRESHOLDS = {"model.HeatmapNet": 0.05, "model.RegressionNet": 0.20}  # of 2.11.1 and 2.11.2
MOST_EPOCHS = 2000
SURE = 0.5  # score from which a detection is drawn


def logs(answer: Any, expected: Any, question: Question) -> Figure:
    """The loss curves of the training log, one panel per network."""
    figure = Figure("The losses in your training log. The validation loss should fall with the "
                    "training loss; where it turns up while the other falls, the network learns "
                    "its training images by heart.",
                    (Key("training", EXPECTED), Key("validation", GOT, "dashed")))
    networks: dict[str, list[np.ndarray]] = {}
    for (*network, _), values in zip(question.inputs["curves"], answer["curves"]):
        values = array(values, "the curve").astype(np.float64)[:MOST_EPOCHS]
        networks.setdefault(" ".join(network), []).append(np.clip(values, -1e12, 1e12))
    for network, curves in networks.items():
        lengths = " and ".join(str(len(values)) for values in curves)
        with figure.panel(f"losses of {lengths} epochs {network}".strip(), 3.4) as axes:
            _losses(axes, curves)
            axes.set_title(network or "detector")
    return figure


def _losses(axes, curves: list[np.ndarray]) -> None:
    for values, colour, style in zip(curves, (EXPECTED, GOT), ("-", "--")):
        mark = "." if len(values) < 40 else ""
        axes.plot(np.arange(1, len(values) + 1), values, mark, ls=style, color=colour, lw=1.8)
    if all(len(values) and (values > 0).all() for values in curves):
        axes.set_yscale("log")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.grid(color=FAINT, lw=0.5)


def epochs(answer: Any, expected: Any, question: Question) -> Figure:
    """The error of the stand-in network after each of the epochs that were asked for."""
    figure = Figure("The squared error of a small stand-in network, while your train_epoch trains "
                    "it.", canvas.compared())
    asked = question.inputs
    got, want = (np.array([stand_in.errors(
        asked["images"], asked["boxes"], stand_in.weights_of(state, asked["weight"].shape),
        asked["gain"]).mean() for state in side["states"][:asked["epochs"]]])
        for side in (answer, expected))
    with figure.panel(f"error per epoch: expected from {want[0]:.3g} to {want[-1]:.3g}, yours from "
                      f"{got[0]:.3g} to {got[-1]:.3g}", 3.4) as axes:
        _losses(axes, [want, np.clip(got, 0, 1e12)])
    return figure


def detector(answer: Any, expected: Any, question: Question) -> Figure:
    """Precision against recall of every class, and the images with most mistakes."""
    truth, images = question.truth, question.inputs["images"]
    raw, _, found = measure.predictions(answer, question)
    raw = [measure.decode(image, measure.assignment_anchors()) for image in raw]
    accuracy = measure.mean_average_precision(raw, truth)
    if found is not None and measure.mean_average_precision(found, truth) >= accuracy:
        accuracy = measure.mean_average_precision(found, truth)
    else:
        found = raw
    sure = [_sure(*pair) for pair in zip(found, truth)]
    mistakes = np.array([(~hits).sum() + len(true["boxes"]) - hits.sum()
                         for (_, hits), true in zip(sure, truth)])
    worst = np.argsort(-mistakes, kind="stable")[:3]
    figure = Figure(
        f"Left: precision against recall at IoU .5 on the {len(truth)} images made for grading; "
        "mAP is the mean of the three areas. Then the three images with most mistakes (objects "
        f"missed, detections too many, at scores from {SURE}), with the true boxes.",
        (*(Key(*shape) for shape in SHAPES), Key("true box", EXPECTED),
         Key("detection of it", GOT, "dashed"), Key("detection too many", INK, "dotted")))
    size = 2.55, 2.4  # four side by side
    with figure.panel(f"precision-recall curves of circles, squares and triangles; mAP@0.5 "
                      f"{accuracy:.3f}", *size) as axes:
        for c, (_, colour, style) in enumerate(SHAPES):
            scored, boxes = measure.of_class(c, found, truth)
            hits = measure.ranked_hits(scored, boxes)
            precision_recall(axes, hits, sum(map(len, boxes)), colour, style, fill=0)
        axes.set_title(f"mAP@0.5 {accuracy:.3f}")
    for i in worst:
        boxes, hits = sure[i]
        with figure.panel(f"grading image {i}: {len(truth[i]['boxes'])} objects, {len(boxes)} "
                          f"detections, {mistakes[i]} mistakes", *size) as axes:
            canvas.picture(axes, 0.6 + 0.4 * images[i].transpose(2, 0, 1) / 255)
            axes.set(autoscale_on=False, title=f"image {i}: {_plural(mistakes[i], 'mistake')}")
            for corners in truth[i]["boxes"]:
                canvas.box(axes, corners, EXPECTED, width=2.2)
            for corners, hit in zip(np.clip(boxes, -canvas.FAR, canvas.FAR), hits):
                canvas.box(axes, corners, *((GOT, "--") if hit else (INK, ":")))
    return figure


def _plural(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _sure(found: dict, truth: dict) -> tuple[np.ndarray, np.ndarray]:
    """The boxes with scores from `SURE`, and which of them are true positives."""
    kept = {key: found[key][found["scores"] >= SURE] for key in ("boxes", "scores", "labels")}
    boxes, hits = [], []
    for c in range(len(SHAPES)):
        scored, true = measure.of_class(c, [kept], [truth])
        (of_shape, scores), = scored
        boxes.append(of_shape[np.argsort(-scores, kind="stable")])
        hits.append(measure.ranked_hits(scored, true))
    return np.concatenate(boxes), np.concatenate(hits)


def keypoints(answer: Any, expected: Any, question: Question) -> Figure:
    """PCK against its threshold, by keypoint, and three images: the best, the middle, the worst."""
    truth, images = question.truth, question.inputs["images"]
    found = np.clip(array(answer["trained"], "the keypoints", truth.shape).astype(np.float64),
                    -1e3, 1e3)
    asked = THRESHOLDS[question.inputs["model"]]
    length = np.linalg.norm(truth.max(axis=1) - truth.min(axis=1), axis=-1)
    errors = np.linalg.norm(found - truth, axis=-1) / length[:, None]  # [N, K] in diagonals
    mean = np.broadcast_to(truth.mean(axis=0), truth.shape)
    figure = Figure(
        f"On the {len(truth)} images made for grading: share of keypoints within a distance, as a "
        f"share of the figure's diagonal (the bar spans floor and target at {asked:.2f}); the same "
        f"by keypoint at {asked:.2f}; and the images with the smallest, the middle and the largest "
        "error, with the true keypoints.",
        (Key("your network", GOT), Key("the mean pose for every image", GREY, "dotted"),
         Key("floor and target", INK), *POINTS))
    with figure.panel(f"PCK curve: {measure.pck(found, truth, asked):.3f} at {asked}") as axes:
        limits = np.linspace(0, 0.3, 61)
        for points, colour, style in ((found, GOT, "-"), (mean, GREY, ":")):
            axes.plot(limits, [measure.pck(points, truth, limit) for limit in limits], color=colour,
                      ls=style, lw=2)
        axes.plot([asked, asked], [expected["floor"], expected["target"]], "_-", color=INK, ms=9,
                  mew=2, lw=2)
        axes.set(xlabel="threshold", ylabel="PCK", ylim=(0, 1.03), xlim=(0, 0.3))
        axes.grid(color=FAINT, lw=0.5)
        axes.set_title(f"PCK@{asked:.2f} {measure.pck(found, truth, asked):.3f}")
    shares = (errors <= asked).mean(axis=0)
    with figure.panel("; ".join(f"{name} {share:.2f}" for name, share in zip(KEYPOINTS, shares)),
                      ) as axes:
        bars = axes.barh(KEYPOINTS[:len(shares)], shares, color=GOT, height=0.6)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        axes.set(xlim=(0, 1.16), title=f"PCK@{asked:.2f} by keypoint", xticks=(0, 0.5, 1))
        axes.invert_yaxis()
    order = np.argsort(np.nan_to_num(errors, nan=np.inf).mean(axis=1), kind="stable")
    for i, title in ((order[0], "smallest error"), (order[len(order) // 2], "middle"),
                     (order[-1], "largest error")):
        with figure.panel(f"grading image {i}, {title}: true and predicted keypoints") as axes:
            canvas.picture(axes, images[i][None] / 255)
            axes.set(autoscale_on=False, title=f"image {i}: {title}")
            draw_points(axes, truth[i] * images.shape[2], found[i] * images.shape[2])
    return figure


