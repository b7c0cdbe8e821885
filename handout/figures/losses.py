"""The figures of losses over a training."""

import json

from matplotlib.figure import Figure

from .. import curves, drawing
from ..drawing import BLUE, IGNORED, MINED, POSITIVE
from ..problems import SOLUTION


def training() -> Figure:
    """Training and validation loss over the epochs of the reference's detector and of its two
    keypoint networks, on logarithmic axes: all fall steeply first and flatten."""
    detector, keypoints = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(
        SOLUTION.glob("*/results/training_log.json")))
    figure, panels = drawing.subplots(3, 7.2, 2.3)
    for axes, log, title in zip(panels, (detector, *keypoints.values()),
                                ("detector", "HeatmapNet", "RegressionNet")):
        drawing.losses(axes, log)
        axes.set_title(title)
    panels[0].legend(frameon=False)
    return figure


def sick_runs() -> Figure:
    """The loss while the detector learns eight images by heart, over 60 steps: it falls most in the
    healthy run, to 0.6. With a learning rate too high it first jumps to 70 and ends at 1.3, with
    anchors in another order at 1.6, and where gradients are never set to zero it stays at 3."""
    figure, axes = drawing.subplots(1, 6.4, 2.9)
    for (name, losses), colour in zip(curves.load().items(), (POSITIVE, MINED, IGNORED, BLUE)):
        axes.semilogy(range(1, len(losses) + 1), losses, color=colour, label=name,
                      lw=2 if colour == POSITIVE else 1.2)
    axes.set(xlabel="step", ylabel="loss_total")
    axes.legend(frameon=False, fontsize=8)
    return figure
