"""Figures of problem 2: heatmaps, peaks and keypoints. Conventions as in `problem1.py`."""

from typing import Any

import numpy as np
from matplotlib.patches import Circle

from ...engine.check import Question
from ...engine.compare import array, entries, sequence
from ...engine.pages import canvas
from ...engine.pages.canvas import EXPECTED, FAINT, GOT, GREY, INK, Figure, Key
from .problem1 import MOST_PANELS, draw_images

SMALL = 0.1  # differences below cannot be seen in the colours
POINTS = (Key("expected", EXPECTED, "ring"), Key("yours", GOT, "cross"))


def items(answer: Any, expected: Any, question: Question) -> Figure:
    """Items of the dataset: heatmaps, coordinates, or the image, of the first that differs."""
    for index, (item, (image, target)) in enumerate(zip(answer["items"], expected["items"])):
        got_image, got = sequence(item, 2, "the item")
        name = f"item {index}"
        if question.inputs["options"].get("output_type") == "regression":
            if canvas.differing(array(got_image, "the image", image.shape), image).any():
                figure = Figure("The first image that differs.")
                draw_images(figure, index, image, got_image)
                return figure
            got = array(got, "the target", target.shape)
            if canvas.differing(got, target, 1e-5).any():
                return _coordinates(name, image, target, got)
        else:
            figure = _heatmaps(got, target, name)
            if figure.panels:
                return figure
    return Figure("")


def _coordinates(name: str, image: np.ndarray, target: np.ndarray, got: np.ndarray) -> Figure:
    figure = Figure("The first target that differs, read as x0, y0, x1, y1, ... and multiplied by "
                    "the image size.", POINTS)
    height, width = image.shape[1:]
    with figure.panel(f"{name}: keypoints expected and yours") as axes:
        canvas.picture(axes, 0.75 + 0.25 * image)
        draw_points(axes, *(value.reshape(-1, 2) * [width, height] for value in (target, got)))
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), title=name)
    return figure


def draw_points(axes, expected: np.ndarray, got: np.ndarray, lines: bool = True) -> None:
    """Keypoints `[K, 2]` as expected (rings) and as they came back (crosses), each with a line to
    its partner if there are `lines`."""
    got = np.clip(got.astype(np.float64), -1e6, 1e6)
    if lines:
        for start, end in zip(expected, got):
            axes.plot(*np.stack([start, end]).T, color=GOT, lw=0.8)
    axes.plot(*expected.T, "o", mfc="none", mec=EXPECTED, ms=8, mew=2, ls="")
    axes.plot(*got.T, "x", color=GOT, ms=7, mew=2, ls="")


def heatmaps(answer: Any, expected: Any, question: Question) -> Figure:
    """The channel that differs most, and a cut through its peak."""
    return _heatmaps(answer, expected, "")


def _heatmaps(answer: Any, expected: np.ndarray, name: str) -> Figure:
    got = array(answer, "the heatmaps", expected.shape).astype(np.float64)
    apart = np.nan_to_num(np.abs(got - expected), nan=np.inf).max(axis=(1, 2))
    k = int(apart.argmax())
    if not apart[k] > 1e-4:
        return Figure("")
    want, mine = expected[k], got[k]
    row = int(np.unravel_index(np.argmax(want if want.max() > 0 else np.nan_to_num(mine)),
                               want.shape)[0])
    where = f"{name}, channel {k}".removeprefix(", ")
    figure = Figure("The channel that differs most, in one scale of colours from 0 to 1")
    tall = canvas.height_for(*want.shape)
    for values, title in ((want, "expected"), (mine, "yours")):
        with figure.panel(f"{title}: heatmap of {where}", height=tall) as axes:
            canvas.maps(axes, values, 0.0, 1.0)
            axes.set_title(f"{title}: {where}")
            if apart[k] >= SMALL:
                axes.axhline(row, color="white", lw=1, ls=":")
    if apart[k] < SMALL:
        with figure.panel(f"yours - expected, up to {apart[k]:.2g}", height=tall) as axes:
            canvas.maps(axes, mine - want, -apart[k], apart[k], "PuOr")
            axes.set_title(f"yours - expected, up to {apart[k]:.2g}")
        figure.caption += "; the difference has its own."
        return figure
    figure.caption += f", and the values along row {row} (dotted)."
    figure.key = canvas.compared()
    with figure.panel(f"values along row {row} of {where}, expected and yours",
                      height=tall) as axes:
        axes.plot(want[row], color=EXPECTED, lw=2.4)
        axes.plot(np.clip(mine[row], -1e3, 1e3), color=GOT, ls="--", lw=1.8)
        axes.set(title=f"row {row}", xlabel="x")
        axes.grid(color=FAINT, lw=0.5)
    return figure


def peaks(answer: Any, expected: Any, question: Question) -> Figure:
    """Maps with the place of their maximum and the one that came back."""
    heat, = question.inputs["args"]
    got = array(answer, "keypoints", expected.shape)
    figure = Figure("Maps whose maximum was looked for.", POINTS)
    wrong = canvas.differing(got.reshape(-1, 2), expected.reshape(-1, 2))
    for place in np.flatnonzero(wrong)[:MOST_PANELS]:
        b, k = divmod(int(place), heat.shape[1])
        values = heat[b, k]
        tall = canvas.height_for(*values.shape) + 0.15
        with figure.panel(f"image {b}, keypoint {k}: maximum at {expected[b, k].tolist()}, yours "
                          f"{got[b, k].tolist()}", height=tall) as axes:
            canvas.maps(axes, values, values.min(), values.max())
            axes.set(autoscale_on=False)
            draw_points(axes, expected[b, k:k + 1], got[b, k:k + 1], lines=False)
            x, y = got[b, k]
            axes.set_title(f"image {b}, keypoint {k}\nyours: x = {x:.4g}, y = {y:.4g}")
    return figure


def pck(answer: Any, expected: Any, question: Question) -> Figure:
    """The shares at every threshold; and the figure itself, where there is only one."""
    if question.probe == "calls" or not np.isfinite(list(expected.values())).all():
        return Figure("")
    got = [float(array(value, "PCK").reshape(()))
           for value in entries(answer, list(expected), "the result")]
    predictions, truths, limits = question.inputs["args"]
    figure = Figure("PCK at the thresholds that were asked for.", canvas.compared())
    if len(truths) == 1:
        figure.caption = ("The keypoints that were measured, around each true one (dot) a circle "
                          "for every threshold, and PCK at these thresholds.")
        figure.key = canvas.compared(Key("limit of a threshold", GREY, "dotted"))
        with figure.panel("true and predicted keypoints with circles of the thresholds") as axes:
            _limits(axes, predictions[0].astype(np.float64), truths[0].astype(np.float64), limits)
    with figure.panel("PCK at " + "; ".join(
            f"{limit:g}: {want:.3f} expected, {mine:.3f} yours"
            for (limit, want), mine in zip(expected.items(), got))) as axes:
        axes.plot(list(expected), list(expected.values()), "o-", color=EXPECTED, lw=1.8, ms=7)
        axes.plot(list(expected), np.clip(got, -1e3, 1e3), "x--", color=GOT, lw=1.8, ms=8, mew=2)
        axes.set(xlabel="threshold", ylabel="PCK", xticks=list(expected))
        axes.set_ylim(min(-0.05, axes.get_ylim()[0]), max(1.05, axes.get_ylim()[1]))
        axes.grid(color=FAINT, lw=0.5)
    return figure


def _limits(axes, predicted: np.ndarray, truth: np.ndarray, limits) -> None:
    length = np.linalg.norm(truth.max(axis=0) - truth.min(axis=0))
    for point, found in zip(truth, predicted):
        for limit in limits:
            axes.add_patch(Circle(point, limit * length, fill=False, color=GREY, ls=":", lw=1.2))
        axes.plot(*np.stack([point, found]).T, color=INK, lw=1)
    axes.plot(*truth.T, "o", color=INK, ms=4, ls="")
    axes.plot(*predicted.T, "x", color=INK, ms=6, mew=1.6, ls="")
    axes.set(aspect="equal", title=f"diagonal of the box {length:.4g}")
    axes.invert_yaxis()
    axes.tick_params(labelsize=7, colors=GREY, length=2)
