"""The figures of problem 2. Each is a function of `Keypoints`; see `handout.drawing`."""

import numpy as np
from matplotlib.figure import Figure

from ... import drawing
from ...drawing import BLUE, GREY, IGNORED, INK, MINED, NEGATIVE, POSITIVE
from .keypoints import CURVE, HANDS, HEADS, PUBLISHED, STRICT, THRESHOLDS, VARIANTS, Keypoints

HEATMAP, REGRESSION = BLUE, MINED


def pck_curves(data: Keypoints) -> Figure:
    """PCK over the threshold: HeatmapNet rises to 1 almost at once, RegressionNet climbs slowly and
    a little above the mean pose; the published values lie beside the curves as crosses."""
    figure, axes = drawing.subplots(1, 6.2, 2.8)
    for points, colour, name in ((data.heatmap.points, HEATMAP, "HeatmapNet"),
                                 (data.regression.points, REGRESSION, "RegressionNet"),
                                 (data.everywhere_the_mean, GREY, "mean pose")):
        _curve(axes, data, points, color=colour, label=name)
    for key, colour in (("heatmap", HEATMAP), ("regression", REGRESSION)):
        axes.plot(THRESHOLDS[1:], np.array(PUBLISHED[key]) / 100, "x", color=colour,
                  label=f"published, {key}")
    figure.legend(loc="outside right center", frameon=False, fontsize=7.5)
    return figure


def _curve(axes, data: Keypoints, points: np.ndarray, **options) -> None:
    pck = data.pck(points, thresholds=CURVE)
    axes.plot(pck.keys(), pck.values(), **options)
    axes.set(xlabel="threshold, in diagonals of the figure", ylabel="PCK", ylim=(0, 1.03),
             xlim=(0, CURVE[-1]))


def heatmaps_over_training(data: Keypoints) -> Figure:
    """A validation image, and what HeatmapNet answers for its left hand, and for all keypoints at
    once, after more and more epochs: nothing, a blur, and sharp peaks in the reference."""
    watched = {f"epoch {epoch}": np.array(maps)
               for epoch, maps in data.study["keypoints-heatmap"][0]["watched"].items()}
    watched[f"reference,\nepoch {data.metrics['heatmap']['epochs']}"] = data.first_heatmaps
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    grid = figure.subplots(2, len(watched) + 1)
    for axes, text in zip(grid[:, 0], ("left hand", "all five")):
        drawing.show_image(axes, data.images[0])
        axes.set_ylabel(text)
    for column, (title, maps) in enumerate(watched.items(), 1):
        for axes, shown in zip(grid[:, column], (maps[1], maps.max(axis=0))):
            axes.imshow(shown, cmap="viridis", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[], xlabel=f"highest {shown.max():.2f}")
        grid[0, column].set_title(title)
    return figure


def errors(data: Keypoints) -> Figure:
    """Error in pixels of each keypoint: a dot at the median on a line from the tenth to the
    ninetieth percentile, HeatmapNet close to 0, RegressionNet far to the right of it."""
    figure, axes = drawing.subplots(1, 6, 2.1)
    for offset, points, colour, name in ((-0.12, data.heatmap.points, HEATMAP, "HeatmapNet"),
                                         (0.12, data.regression.points, REGRESSION,
                                          "RegressionNet")):
        distance = np.linalg.norm(points - data.truth, axis=2)
        low, middle, high = np.percentile(distance, (10, 50, 90), axis=0)
        rows = np.arange(len(data.names)) + offset
        axes.hlines(rows, low, high, color=colour, lw=2, alpha=0.5)
        axes.plot(middle, rows, "o", color=colour, ms=5, label=name)
    axes.set(xlabel="pixels", xlim=(0, None), yticks=range(len(data.names)),
             yticklabels=data.names)
    axes.invert_yaxis()
    figure.legend(loc="outside right center", frameon=False)
    return figure


def failures(data: Keypoints) -> Figure:
    """Stick figures with the truth as circles, HeatmapNet as plus signs and RegressionNet as
    crosses, two per case: HeatmapNet alone right, RegressionNet alone right, both wrong."""
    cases = data.cases(STRICT)
    titles = {"only HeatmapNet": "HeatmapNet alone", "only RegressionNet": "RegressionNet alone",
              "both wrong": "both wrong"}
    chosen = [(name, image) for name in titles for image in _most(cases[name], 2)]
    rows = -(-len(chosen) // 4)
    figure = Figure(figsize=(7.2, 2.1 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, 4, squeeze=False).flat
    for axes in grid[len(chosen):]:
        axes.axis("off")
    for axes, (name, image) in zip(grid, chosen):
        _figure(axes, data.images[image])
        axes.set_title(f"{titles[name]}\nimage {image}", fontsize=7.5)
        for points, text, marker, colour, size in (
                (data.truth, "truth", "o", POSITIVE, 8),
                (data.heatmap.points, "HeatmapNet", "+", HEATMAP, 8),
                (data.regression.points, "RegressionNet", "x", REGRESSION, 6)):
            axes.plot(*points[image, cases[name][image]].T, marker, color=colour, ms=size,
                      fillstyle="none", label=text)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
                  frameon=False)
    return figure


def _figure(axes, image: np.ndarray) -> None:
    """A stick figure in grey, in a frame."""
    drawing.show_image(axes, image, 0.4)
    axes.spines[:].set(visible=True, color=NEGATIVE)


def _most(occurs: np.ndarray, count: int) -> list[int]:
    """Images with the most keypoints of a case, the most first."""
    per_image = occurs.sum(axis=1)
    best = np.argsort(-per_image, kind="stable")[:count]
    return [int(image) for image in best if per_image[image]]


def collapse(data: Keypoints) -> Figure:
    """Where the figure is said to be against where it is, in x and in y, and the hands about the
    middle of their figure: the truth is a wide cloud, RegressionNet's answers a knot in it."""
    figure, (across, down, pose) = drawing.subplots(3, 7.2, 2.8)
    middle = {"truth": data.truth.mean(axis=1)}
    for name, points, colour in (("HeatmapNet", data.heatmap.points, HEATMAP),
                                 ("RegressionNet", data.regression.points, REGRESSION)):
        middle[name] = points.mean(axis=1)
        for axis, axes in enumerate((across, down)):
            axes.plot(middle["truth"][:, axis], middle[name][:, axis], ".", color=colour, ms=3,
                      label=name)
    for axes, word in ((across, "x"), (down, "y")):
        axes.axline((64, 64), slope=1, color=GREY, lw=0.6, zorder=0)
        axes.set(xlabel=f"true {word} of the figure", ylabel=f"answered {word}", aspect="equal")
    for points, key, colour in ((data.truth, "truth", GREY),
                                (data.regression.points, "RegressionNet", REGRESSION)):
        hands = (points - middle[key][:, None])[:, HANDS].reshape(-1, 2)
        pose.plot(*hands.T, ".", color=colour, ms=2.5, label=key)
    pose.set(xlabel="x about the middle", ylabel="y about the middle", aspect="equal")
    pose.invert_yaxis()
    handles = [*across.get_legend_handles_labels()[0], *pose.get_legend_handles_labels()[0][:1]]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False,
                  markerscale=2)
    return figure


def heads(data: Keypoints) -> Figure:
    """PCK curves of the heads on one encoder, one line per seed: those that pool stay low, those
    that keep the place of features rise, soft-argmax and heatmaps steeply."""
    figure, axes = drawing.subplots(1, 5.6, 2.9)
    colours = (MINED, "#ff9d9d", IGNORED, "#e3b341", POSITIVE, BLUE)
    for (group, name), colour in zip(HEADS.items(), colours):
        for seed, answer in enumerate(data.stored_answers(group)):
            _curve(axes, data, answer.points, color=colour, lw=1.2, label=None if seed else name)
    figure.legend(loc="outside right center", frameon=False, fontsize=7.5)
    return figure


def ablation(data: Keypoints) -> Figure:
    """PCK of each variant at two thresholds, a dot per seed and a bar at their mean; at the strict
    one also a tick where perfect heatmaps of that size end up."""
    figure, panels = drawing.subplots(2, 7.2, 0.9 + 0.27 * len(VARIANTS), sharey=True)
    for axes, threshold in zip(panels, THRESHOLDS[:2]):
        for group, (size, _, name) in VARIANTS.items():
            values = [result["pck"][f"{threshold:.2f}"] for result in data.study[group]]
            axes.plot(values, [name] * len(values), "o", color=BLUE, ms=5, alpha=0.7)
            axes.plot(np.mean(values), name, "|", color=INK, ms=14)
            if threshold == STRICT:
                axes.plot(data.ceiling[size][threshold], name, "|", color=MINED, ms=14)
        axes.set_xlabel(f"PCK at {threshold:.2f}")
        axes.grid(axis="x", alpha=0.3)
    panels[0].invert_yaxis()
    return figure


def losses(data: Keypoints) -> Figure:
    """Validation loss against PCK of every training, on a logarithmic axis: dots of one variant lie
    together, and from variant to variant a lower loss does not go with a higher PCK."""
    figure, axes = drawing.subplots(1, 6.4, 3.0)
    names = {**HEADS, **{group: name for group, (_, _, name) in VARIANTS.items()}}
    for place, group in enumerate(dict.fromkeys([*VARIANTS, *HEADS])):
        axes.semilogx([result["log"]["val_loss"][-1] for result in data.study[group]],
                      data.strict_pck(group), "o" if group in VARIANTS else "s",
                      color=f"C{place % 10}", ms=5, label=names[group],
                      fillstyle="full" if group in VARIANTS else "none")
    axes.set(xlabel="validation loss (mean squared error)", ylabel=f"PCK at {STRICT:.2f}")
    figure.legend(loc="outside right center", frameon=False, fontsize=7)
    return figure


def hands(data: Keypoints) -> Figure:
    """Figures of the classic data with both hands wrong: each cross lies on the circle of the other
    hand, and the arms look alike."""
    figure, panels = drawing.subplots(4, 7.2, 2.5)
    for axes, image in zip(panels, _most(data.wrong_hands, 4)):
        _figure(axes, data.classic_images[image])
        axes.set_title(f"image {image}", fontsize=7.5)
        for hand, colour, text in zip(HANDS, (BLUE, MINED), ("left hand", "right hand")):
            axes.plot(*data.classic_truth[image, hand], "o", color=colour, fillstyle="none", ms=9,
                      label=f"true {text}")
            axes.plot(*data.classic[image, hand], "x", color=colour, ms=6,
                      label=f"answered {text}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4,
                  frameon=False)
    return figure


def calibration(data: Keypoints) -> Figure:
    """Share of right keypoints over the height of their peak, in bins whose dots grow with their
    number, and the diagonal on which a height would be a probability."""
    shown = (("reference", STRICT, "reference"), ("keypoints-heatmap", STRICT, "fewer epochs"),
             ("keypoints-classic", 0.05, "classic hands"))
    figure, panels = drawing.subplots(3, 7.2, 2.6, sharey=True)
    for axes, (name, threshold, text) in zip(panels, shown):
        bins = np.array(data.calibration(name, threshold).bins)
        axes.plot((0, 1), (0, 1), color=GREY, lw=0.8)
        axes.plot(bins[:, 0], bins[:, 1], color=BLUE, lw=1)
        axes.scatter(bins[:, 0], bins[:, 1], s=6 + 150 * bins[:, 2] / bins[:, 2].sum(), color=BLUE)
        axes.set(title=f"{text}, at {threshold:.2f}", xlabel="height of the peak", xlim=(0, 1.1),
                 ylim=(0, 1.03), aspect="equal")
    panels[0].set_ylabel("share right")
    return figure


FIGURES = drawing.named(pck_curves, heatmaps_over_training, errors, failures, collapse, heads,
                        ablation, losses, hands, calibration)
