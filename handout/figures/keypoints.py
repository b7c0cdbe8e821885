"""The figures of problem 2."""

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle

import datasets
from autograder.engine.pages.canvas import box

from .. import drawing
from ..drawing import BLUE, GREY, IGNORED, INK, MINED, POSITIVE
from ..problems import solution


def _stick_figure() -> datasets.KeypointSample:
    return datasets.draw("standard", "keypoints", "handout", 641, 3)[2]


def stick_figure() -> Figure:
    """A stick figure of black lines on white with its five named keypoints: head, left and right
    hand, left and right foot; left is the left of the image."""
    sample, names = _stick_figure(), solution(2).dataset.KEYPOINT_NAMES
    figure, axes = drawing.subplots(1, 3.2, 3.2)
    drawing.show_image(axes, sample.image)
    for (x, y), name in zip(sample.keypoints, names):
        axes.plot(x, y, "o", color=MINED, ms=5)
        offset, ha = {"left": ((-14, 0), "right"), "right": ((14, 0), "left")}.get(
            name.split("_")[0], ((0, 25), "center"))
        axes.annotate(f"{name}\n({x:.0f}, {y:.0f})", (x, y), offset, color=MINED, ha=ha,
                      textcoords="offset points", fontsize=8, va="center")
    return figure


def sigmas() -> Figure:
    """One keypoint on a 64 x 64 heatmap at sigma 1, 2, 3 and 4: a dot that grows wider while its
    peak stays 1."""
    figure, panels = drawing.subplots(4, 7, 2.1)
    for axes, sigma in zip(panels, (1.0, 2.0, 3.0, 4.0)):
        heatmap = _heatmap((24.0, 40.0), 64, sigma)
        axes.imshow(heatmap, cmap="viridis", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[],
                 title=f"sigma {sigma:g}\nhighest {heatmap.max():.3g}, sum {heatmap.sum():.1f}")
    return figure


def between_pixels() -> Figure:
    """One row of a heatmap with sigma 2 as bars under the Gaussian they sample: for a keypoint at
    x = 4 the middle bar is 1; for one at x = 4.4 the highest bar, at pixel 4, is 0.98."""
    figure, panels = drawing.subplots(2, 6.6, 2.2, sharey=True)
    x = np.linspace(-0.5, 8.5, 200)
    for axes, keypoint in zip(panels, (4.0, 4.4)):
        row = _heatmap((keypoint, 4.0), 9, 2.0)[4]
        axes.bar(range(9), row, color=BLUE, alpha=0.5, width=0.9)
        for column, value in enumerate(row):
            axes.text(column, value + 0.02, f"{value:.2f}".lstrip("0"), ha="center", fontsize=7,
                      bbox=drawing.BARE)
        axes.plot(x, np.exp(-((x - keypoint) ** 2) / 8), color=INK, lw=1)
        axes.axvline(keypoint, color=MINED, ls="--", lw=1)
        axes.set(title=f"keypoint at x = {keypoint:g}", xticks=range(9), xlabel="pixel of the row",
                 ylim=(0, 1.15))
    return figure


def _heatmap(point: tuple[float, float], size: int, sigma: float) -> np.ndarray:
    return heatmaps(torch.tensor([point]), size, sigma)[0].numpy()


def heatmaps(points: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """Heatmaps `[K, size, size]` of points `[K, 2]` in their pixels, as the solution draws them."""
    dataset = object.__new__(solution(2).dataset.KeypointDataset)  # no files are needed
    dataset.sigma = sigma
    return dataset.generate_heatmap(points, size, size)


def quantisation() -> Figure:
    """The same foot on heatmaps of 32, 64 and 128 pixels: the highest pixel, brought back to the
    image, misses the true point by 2.24, 1 and 0 pixels."""
    figure, panels = drawing.subplots(3, 7.2, 2.7)
    point = np.array([77.0, 106.0])
    for axes, size in zip(panels, (32, 64, 128)):
        x, y = found_at(point, size)
        heatmap = _heatmap(tuple(point * size / 128), size, 2.0)
        half = 64 / size
        axes.imshow(heatmap, cmap="viridis", vmin=0, vmax=1,
                    extent=(-half, 128 - half, 128 - half, -half))
        axes.plot(*point, "o", color="white", fillstyle="none", ms=8, mew=2, label="truth")
        axes.plot(x, y, "x", color=MINED, ms=8, mew=2, label="argmax")
        axes.set(xlim=(63, 91), ylim=(121, 93), xticks=[], yticks=[],
                 title=f"{size} x {size}: argmax says ({x:g}, {y:g}),\n"
                       f"{np.hypot(x - point[0], y - point[1]):.2f} px off ({point[0]:g}, "
                       f"{point[1]:g})")
    panels[0].legend(loc="lower left", fontsize=7)
    return figure


def found_at(point: np.ndarray, size: int) -> np.ndarray:
    """Where in the image a perfect heatmap of `size` pixels puts a keypoint of the image."""
    heatmap = torch.tensor(_heatmap(tuple(point * size / 128), size, 2.0))
    found = solution(2).evaluate.extract_keypoints_from_heatmaps(heatmap[None, None])[0, 0]
    return found.numpy() * 128 / size


def finer() -> Figure:
    """The logarithm of one row of a heatmap whose keypoint lies at x = 4.4: the parabola through
    the three highest pixels has its maximum at 4.4. Argmax answers 4, a quarter step 4.25."""
    row = _heatmap((4.4, 4.0), 9, 2.0)[None]
    found = solution(2).evaluate.decode_subpixel(torch.tensor(row)[None])[0, 0, 0].item()
    figure, axes = drawing.subplots(1, 4.6, 2.3)
    logs = np.log(row[0, 4])
    x = np.linspace(1.5, 7.3, 100)
    axes.plot(x, np.polyval(np.polyfit([3, 4, 5], logs[3:6], 2), x), color=INK, lw=1)
    axes.plot(range(2, 8), logs[2:8], "o", color=BLUE, ms=4)
    for place, colour, text in ((4, MINED, "argmax"), (4.25, IGNORED, "quarter step"),
                                (found, POSITIVE, "parabola")):
        axes.axvline(place, color=colour, ls="--", lw=1.2, label=f"{text}: {place:.2f}")
    axes.set(xlabel="pixel of the row", ylabel="log of the value", xticks=range(2, 8))
    axes.legend(frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0.53, 0))
    return figure


def pck_circles() -> Figure:
    """A stick figure with circles of radius .05, .10 and .20 times its box diagonal around the true
    keypoints, and five predictions: one within .05, two more within .10 and .20, two outside."""
    sample = _stick_figure()
    truth = sample.keypoints
    diagonal = float(np.linalg.norm(truth.max(axis=0) - truth.min(axis=0)))
    shares = np.array([0.03, 0.08, 0.17, 0.26, 0.08])
    angles = np.radians([20, 200, 60, 160, 330])
    steps = (shares * diagonal)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    predicted = (truth + steps).astype(np.float32)
    limits = (0.05, 0.10, 0.20)
    pck = solution(2).evaluate.compute_pck(predicted[None], truth[None], limits)
    figure, axes = drawing.subplots(1, 3.8, 3.8)
    drawing.show_image(axes, sample.image, 0.4)
    box(axes, (*truth.min(axis=0), *truth.max(axis=0)), GREY, "--", 1)
    for point in truth:
        for limit, colour in zip(limits, (POSITIVE, BLUE, IGNORED)):
            axes.add_patch(Circle(point, limit * diagonal, fill=False, color=colour, lw=1.2))
    axes.plot(*truth.T, "o", color=POSITIVE, ms=3)
    axes.plot(*predicted.T, "x", color=MINED, ms=7, mew=2)
    axes.set_title(f"diagonal {diagonal:.1f} px; "
                   + ", ".join(f"PCK@{limit:.2f} = {value:g}" for limit, value in pck.items()),
                   fontsize=8)
    axes.margins(0)
    return figure
