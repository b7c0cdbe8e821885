"""The figures of problem 1. Each is a function of `Detection`; see `handout.drawing`."""

import numpy as np
from matplotlib.figure import Figure

from autograder.engine.pages.canvas import box
from datasets.constants import CLASSES, MAP_SIZES
from datasets.shapes import SIZE_RANGES

from ... import drawing
from ...drawing import BLUE, GREY, IGNORED, INK, MINED, NEGATIVE, POSITIVE
from .detection import MAPS, Detection

OF_CLASS = (MINED, POSITIVE, BLUE)  # the colours that the shapes have
OF_MAP = ("#f0b429", "#8250df", "#1b7c83")
SHOWN = 10
SQUARES = {"backbone sees": (MINED, "-"), "half of the gradient": (BLUE, "-"),
           "smallest object": (IGNORED, ":"), "largest": (IGNORED, "--")}


def training(data: Detection) -> Figure:
    """Training and validation loss of the reference detector over its epochs, on a logarithmic
    axis, and the average precision of each class at the end as bars."""
    figure, (axes, bars) = drawing.subplots(2, 7.2, 2.4, width_ratios=(3, 2))
    drawing.losses(axes, data.log)
    axes.set_ylabel("loss")
    axes.legend(frameon=False)
    values = list(data.metrics["ap"].values())
    bars.barh(CLASSES, values, color=OF_CLASS, height=0.6)
    for row, value in enumerate(values):
        bars.text(value - 0.02, row, f"{value:.3f}", ha="right", va="center", color="white")
    bars.set(xlim=(0, 1), xlabel="AP at IoU .5")
    bars.invert_yaxis()
    return figure


def detections(data: Detection) -> Figure:
    """Ten validation images with objects as dashed boxes and, in the colour of the map that made
    them, the detections that find them, with their scores; surplus ones are dotted."""
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    panels = figure.subplots(3, 4).flat
    for axes, sample, found, hits in zip(panels, data.samples[:SHOWN], data.detections, data.hits):
        drawing.show_image(axes, sample.image, 0.4)
        axes.spines[:].set(visible=True, color=NEGATIVE)
        for corners in sample.boxes:
            box(axes, corners, INK, "--", 0.8)
        for number, (corners, score, place) in enumerate(zip(
                found["boxes"].tolist(), found["scores"], found["maps"])):
            if number in hits:
                box(axes, corners, OF_MAP[place], width=1.8)
                axes.text(corners[0], corners[1] - 4, f"{score:.2f}", fontsize=6,
                          color=OF_MAP[place], weight="bold", clip_on=True)
            elif score >= 0.5:
                box(axes, corners, OF_MAP[place], ":", 0.7)
    legend, empty = figure.axes[SHOWN:]
    for axes in (legend, empty):
        axes.axis("off")
    drawing.explain(legend, {
        **{f"found by {name}": {"color": colour, "lw": 2} for name, colour in zip(MAPS, OF_MAP)},
        "surplus": {"color": GREY, "ls": ":"}, "object": {"color": INK, "ls": "--"}})
    legend.legend(loc="center", frameon=False)
    return figure


def coverage(data: Detection) -> Figure:
    """Best IoU of each validation object with the given anchors over the side of the object, in the
    colour of its class: in waves between the scales, all above the line at .5."""
    figure, axes = drawing.subplots(1, 7.2, 2.5)
    best = data.objects.iou.max(axis=1)
    for label, (name, colour) in enumerate(zip(CLASSES, OF_CLASS)):
        own = data.objects.label == label
        axes.scatter(data.objects.size[own], best[own], s=5, color=colour, label=f"{name}s", lw=0)
    for limit in (0.3, 0.5):
        axes.axhline(limit, color=GREY, ls="--", lw=0.8)
    axes.set(xlabel="side of the object, pixels", ylabel="best IoU with an anchor", ylim=(0, 1.02))
    axes.legend(frameon=False, loc="lower right", ncols=3)
    return figure


def receptive_fields(data: Detection) -> Figure:
    """Three panels, one per map: how strongly the middle cell's answer depends on each pixel of the
    image, as measured by gradients, fading from a dark centre; squares show what the backbone sees
    alone, what holds half of the reference's gradient, and the objects of the map."""
    figure, panels = drawing.subplots(3, 7.2, 2.8)
    for axes, field, plain, side, (low, high) in zip(
            panels, data.reference_fields, data.plain_fields, MAP_SIZES, SIZE_RANGES):
        strength = np.log10(field.gradient / field.gradient.max() + 1e-4)
        axes.imshow(strength, cmap="Greys")
        centre = (side // 2 + 0.5) * 224 / side - 0.5
        for size, (colour, style) in zip((plain.theoretical, field.half, low, high),
                                         SQUARES.values()):
            low_edge, high_edge = centre - size / 2, centre + size / 2
            box(axes, (low_edge, low_edge, high_edge, high_edge), colour, style, 1.4)
        axes.set(xticks=[], yticks=[], title=f"{side} x {side}")
    drawing.explain(panels[0], {text: {"color": colour, "ls": style}
                                for text, (colour, style) in SQUARES.items()})
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def features(data: Detection) -> Figure:
    """Two validation images, each beside the mean over channels of the three maps: as the backbone
    makes them, mostly edges, and as the heads receive them, blobs where objects of the map are."""
    chosen = [number for number, sample in enumerate(data.samples)
              if len(set(sample.labels)) == len(CLASSES)][:2]
    found = data.features(chosen)
    figure = Figure(figsize=(7.2, 7.2), layout="constrained")
    rows = [(row, key) for row in range(len(chosen)) for key in ("backbone", "head")]
    for line, (row, key) in zip(figure.subplots(len(rows), 4), rows):
        drawing.show_image(line[0], data.samples[chosen[row]].image)
        line[0].spines[:].set(visible=True, color=NEGATIVE)
        line[0].set_title("image" if key == "backbone" else "the same")
        for axes, name, maps in zip(line[1:], MAPS, found[key]):
            axes.imshow(maps[row], cmap="viridis", interpolation="nearest")
            axes.set(xticks=[], yticks=[],
                     title=f"{name}, {'backbone' if key == 'backbone' else 'into its head'}")
    return figure


def found_by_size(data: Detection) -> Figure:
    """Objects by their side, stacked in the colour of the map that found them, above a strip that
    says on which maps such an object has an anchor of IoU .5: the maps change over inside the
    band of sizes that two maps can match."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    axes, strip = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    objects = data.objects
    edges = np.arange(16, 201, 8)
    places = [*range(3), -1]
    axes.hist([objects.size[objects.found == place] for place in places], edges, stacked=True,
              color=[*OF_MAP, GREY], label=[*(f"found by {name}" for name in MAPS), "not found"])
    axes.set(ylabel="objects")
    axes.legend(frameon=False)
    for place, colour in enumerate(OF_MAP):
        matched = objects.size[objects.iou[:, place] >= 0.5]
        if len(matched):
            strip.barh(place, np.ptp(matched), left=matched.min(), color=colour, height=0.8)
    strip.set(yticks=range(3), yticklabels=MAPS, xlabel="side of the object, pixels")
    strip.invert_yaxis()
    return figure


def specialisation(data: Detection) -> Figure:
    """For each class bars of shares per map: the maps of the best anchors first, then the true
    positives of each training, seed by seed: references, plain backbones, classic data."""
    names, shares = zip(*data.shares)
    widths = np.array(shares)  # [row, map, class]
    lefts = widths.cumsum(axis=1) - widths
    figure, panels = drawing.subplots(3, 7.2, 0.6 + 0.23 * len(names), sharey=True)
    for label, (axes, name) in enumerate(zip(panels, CLASSES)):
        for place, colour in enumerate(OF_MAP):
            axes.barh(names, widths[:, place, label], left=lefts[:, place, label], color=colour,
                      height=0.75, label=MAPS[place])
        axes.set(title=f"{name}s", xlim=(0, 1))
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
                  frameon=False)
    return figure


FIGURES = drawing.named(training, detections, coverage, receptive_fields, features, found_by_size,
                        specialisation)
