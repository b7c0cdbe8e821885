"""The figures of problem 1, and what the study measures in the same way."""

from functools import cache

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import datasets
from autograder.engine.pages.canvas import box
from datasets.constants import CLASSES

from .. import drawing
from ..drawing import BLUE, GREY, IGNORED, INK, MINED, NEGATIVE, POSITIVE
from ..problems import SOLUTION, solution


def _detection_image() -> datasets.DetectionSample:
    """The first image made for the handout that shows all three classes and no more than four."""
    samples = datasets.draw("standard", "detection", "handout", 641, 40)
    return next(s for s in samples if set(s.labels.tolist()) == {0, 1, 2} and len(s.labels) == 4)


def scenes() -> Figure:
    """Three images with coloured shapes on white and their boxes: small red circles, green squares
    of middle size, large blue triangles."""
    samples = datasets.draw("standard", "detection", "handout", 641, 3)
    figure, panels = drawing.subplots(3, 7, 2.5)
    for axes, sample in zip(panels, samples):
        drawing.show_image(axes, sample.image)
        for corners, label in zip(sample.boxes, sample.labels):
            box(axes, corners, INK, "--", 1.2)
            y = corners[3 if CLASSES[label] == "triangle" else 1]  # circles lie on its top
            axes.text(corners[0] + 2, y + 3, CLASSES[label], fontsize=7.5, color=INK, va="bottom",
                      bbox={"color": "white", "alpha": 0.75, "pad": 0.8, "lw": 0})
    return figure


def anchors() -> Figure:
    """One image under the cells of the three maps; at one cell of each map its three anchors, small
    squares on the 56 x 56 map and squares larger than half the image on the 14 x 14 map."""
    utils, sample = solution(1).utils, _detection_image()
    per_map = utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES)
    figure, panels = drawing.subplots(3, 7.2, 2.9)
    for axes, boxes, (side, _), scales in zip(panels, per_map, utils.MAP_SIZES,
                                              utils.ANCHOR_SCALES):
        drawing.show_image(axes, sample.image, 0.35)
        step = 224 / side
        for edge in np.arange(0, 225, step) - 0.5:  # the finer the grid, the fainter
            axes.axhline(edge, color=GREY, lw=0.3, alpha=step / 16)
            axes.axvline(edge, color=GREY, lw=0.3, alpha=step / 16)
        row = column = side // 2
        cell = (row * side + column) * len(scales)
        for corners, colour in zip(boxes[cell:cell + len(scales)], (POSITIVE, BLUE, MINED)):
            box(axes, corners, colour, width=2)
        axes.plot((column + 0.5) * step, (row + 0.5) * step, ".", color=INK, ms=4)
        axes.set(xlim=(-24, 247), ylim=(247, -24),
                 title=f"{side} x {side}: cells of {step:g} px\n"
                       f"scales {', '.join(map(str, scales))}")
    return figure


def iou_pairs() -> Figure:
    """Five pairs of boxes: half overlapping with IoU 0.33, one inside the other with IoU 0.25, the
    same box twice with IoU 1, boxes that touch with IoU 0, boxes apart with IoU 0."""
    first = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    others = torch.tensor([[5.0, 0.0, 15.0, 10.0], [0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 10.0, 10.0],
                           [10.0, 0.0, 20.0, 10.0], [12.0, 12.0, 20.0, 20.0]])
    values = solution(1).utils.compute_iou(first, others)[0]
    figure, panels = drawing.subplots(5, 7, 1.7)
    for axes, other, value in zip(panels, others, values):
        low, high = torch.maximum(first[0, :2], other[:2]), torch.minimum(first[0, 2:], other[2:])
        if (high > low).all():
            (x, y), (width, height) = low.tolist(), (high - low).tolist()
            axes.add_patch(Rectangle((x, y), width, height, color=BLUE, alpha=0.25, lw=0))
        box(axes, first[0], INK, width=2)
        box(axes, other, BLUE, "--", 2)
        axes.set(xlim=(-1, 21), ylim=(21, -1), aspect="equal", title=f"IoU {value:.3g}")
        axes.axis("off")
    return figure


def match_bands() -> Figure:
    """Left: the best IoU of anchors against the two thresholds .3 and .5: negative below, ignored
    between, positive above. Right: an image with a square; the centres of the 28 x 28 map's anchors
    of scale 64 are positive near its middle, ignored in a ring around and negative elsewhere."""
    utils, sample = solution(1).utils, _detection_image()
    figure, (bar, axes) = drawing.subplots(2, 7.2, 3.1, width_ratios=(1, 1))
    bands = ((0, 0.3, NEGATIVE, "negative"), (0.3, 0.5, IGNORED, "ignored"),
             (0.5, 1, POSITIVE, "positive"))
    for left, right, colour, text in bands:
        bar.barh(0, right - left, left=left, color=colour, height=0.5)
        bar.text((left + right) / 2, 0, text, ha="center", va="center",
                 color="white" if colour != NEGATIVE else INK)
    bar.set(xlim=(0, 1), ylim=(-0.9, 0.9), yticks=[], xticks=[0, 0.3, 0.5, 1],
            xlabel="best IoU of an anchor with any object",
            title="A threshold itself belongs to the right:\n"
                  ".3 is ignored, .5 is positive")
    bar.spines["left"].set_visible(False)

    square = int(np.flatnonzero(sample.labels == 1)[0])
    scale = 64
    boxes = utils.generate_anchors([(28, 28)], [[scale]])[0]
    _, _, positive, negative = utils.match_anchors_to_targets(
        boxes, torch.tensor(sample.boxes[square:square + 1]),
        torch.tensor(sample.labels[square:square + 1]))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    drawing.show_image(axes, sample.image, 0.35)
    box(axes, sample.boxes[square], INK, width=2)
    for mask, colour, size in ((negative, NEGATIVE, 3), (~negative & ~positive, IGNORED, 9),
                               (positive, POSITIVE, 9)):
        axes.scatter(*centres[mask].T, s=size, color=colour)
    axes.set_title(f"28 x 28 map, scale {scale}, one square:\n{int(positive.sum())} positive, "
                   f"{int((~positive & ~negative).sum())} ignored, {int(negative.sum())} negative")
    return figure


def claim() -> Figure:
    """A small object inside two anchors of equal IoU 1/8 with it, below both thresholds: without a
    claim no anchor would have to find it; it claims the better one, which becomes positive."""
    utils = solution(1).utils
    boxes = torch.tensor([[0.0, 0.0, 16.0, 16.0], [0.0, 0.0, 16.0, 32.0]])
    target = torch.tensor([[0.0, 0.0, 4.0, 8.0]])
    iou = utils.compute_iou(boxes, target)[:, 0]
    _, _, positive, _ = utils.match_anchors_to_targets(boxes, target, torch.tensor([1]))
    figure, panels = drawing.subplots(2, 4.2, 2.4)
    for axes, corners, value, is_positive in zip(panels, boxes, iou, positive):
        box(axes, target[0], INK, width=2)
        box(axes, corners, POSITIVE if is_positive else GREY, width=2)
        axes.set(xlim=(-1, 18), ylim=(33, -1), aspect="equal",
                 title=f"IoU {value:.3g}: {'claimed' if is_positive else 'negative'}")
        axes.axis("off")
    return figure


def mining() -> Figure:
    """Bars of the objectness loss of forty anchors, highest first: two positives, four ignored, and
    of the other thirty-four, all negative, the six with the highest loss, which are mined."""
    loss = 3 * torch.exp(-torch.arange(40) / 12)
    positive, ignored = torch.zeros(40, dtype=torch.bool), torch.zeros(40, dtype=torch.bool)
    positive[[3, 15]] = ignored[[1, 6, 11, 20]] = True
    negative = ~positive & ~ignored
    mined = solution(1).loss.DetectionLoss().hard_negative_mining(loss, positive, negative)
    figure, axes = drawing.subplots(1, 7, 2.3)
    for mask, colour, text in ((positive, POSITIVE, "positive"), (mined, MINED, "mined negative"),
                               (ignored, IGNORED, "ignored"),
                               (negative & ~mined, NEGATIVE, "negative, left out")):
        where = np.flatnonzero(mask)
        axes.bar(where, loss[mask], color=colour, label=f"{text} ({len(where)})")
    axes.set(xticks=[], xlabel="anchors of one image, by objectness loss", ylabel="loss")
    axes.legend(frameon=False, ncols=2)
    return figure


def receptive_fields() -> Figure:
    """Per map, what one output sees of the image (17, 33 and 65 pixels square in the backbone with
    its heads) beside the sizes of the objects it should box (16 to 32, 48 to 96, 96 to 192)."""
    figure, axes = drawing.subplots(1, 6.2, 2.1)
    sizes = datasets.shapes.SIZE_RANGES
    for row, (field, (low, high), name) in enumerate(zip(seen_pixels(), sizes, CLASSES)):
        axes.barh(row - 0.18, field, height=0.32, color=BLUE)
        axes.text(field + 2, row - 0.18, f"sees {field} px", va="center", fontsize=8)
        axes.barh(row + 0.2, high - low, left=low, height=0.32, color=IGNORED)
        axes.text(high + 2, row + 0.2, f"{name}s of {low} to {high} px", va="center", fontsize=8)
    axes.set(yticks=range(3), yticklabels=[f"{s} x {s}" for s in (56, 28, 14)], xlim=(0, 280),
             xlabel="pixels")
    axes.invert_yaxis()
    return figure


@cache
def seen_pixels() -> tuple[int, ...]:
    """Side of the square of the image that one output of the backbone with its heads depends on,
    per map: measured as the extent of the output's gradient at the image."""
    torch.manual_seed(0)
    model = solution(1).model.MultiScaleDetector(neck=False).eval()
    return tuple(map(extent, gradients(model, torch.rand(1, 3, 224, 224))))


def gradients(model: torch.nn.Module, images: torch.Tensor) -> list[np.ndarray]:
    """Mean magnitude `[H, W]` of the gradient of each map's middle cell at some images."""
    images = images.clone().requires_grad_()
    found = []
    for output in model(images):
        middle = output.shape[-1] // 2
        gradient, = torch.autograd.grad(output[:, :, middle, middle].sum(), images,
                                        retain_graph=True)
        found.append(gradient.abs().sum(dim=1).mean(dim=0).numpy())
    return found


def extent(magnitude: np.ndarray) -> int:
    """Side of the square of pixels outside of which there is no gradient."""
    columns = np.flatnonzero(magnitude.any(axis=0))
    return int(columns[-1] - columns[0]) + 1


def coverage() -> Figure:
    """One image three times, each time with the anchor of another map that fits each object best: a
    circle is fitted by the finest map alone, squares by the middle one, a triangle by both
    others."""
    utils, sample = solution(1).utils, _detection_image()
    figure, panels = drawing.subplots(3, 7.2, 2.7)
    for axes, anchors, (side, _) in zip(panels, utils.generate_anchors(
            utils.MAP_SIZES, utils.ANCHOR_SCALES), utils.MAP_SIZES):
        drawing.show_image(axes, sample.image, 0.35)
        best = utils.compute_iou(torch.tensor(sample.boxes), anchors).max(dim=1)
        for corners, iou, index in zip(sample.boxes, best.values, best.indices):
            box(axes, corners, INK, "--", 1.2)
            box(axes, anchors[index], POSITIVE if iou >= 0.5 else MINED)
            axes.text(corners[0], corners[1] - 4, f"{iou:.2f}", fontsize=7.5, color=INK,
                      bbox=drawing.BARE)
        axes.set(xlim=(-24, 247), ylim=(247, -24), title=f"{side} x {side}")
    return figure


def feature_maps() -> Figure:
    """An image, and where the backbone's maps of 56 x 56, 28 x 28 and 14 x 14 cells are active."""
    sample, model = _detection_image(), solution(1).model.MultiScaleDetector()
    model.load_state_dict(torch.load(SOLUTION / "problem1" / "results" / "best_model.pth",
                                     map_location="cpu", weights_only=True))
    image = torch.tensor(sample.image).permute(2, 0, 1)[None] / 255
    maps = solution(1).analysis.capture_feature_maps(
        model, image, ["stage56", "stage28", "stage14"])
    figure, panels = drawing.subplots(4, 7.2, 2.1)
    drawing.show_image(panels[0], sample.image)
    for axes, (name, values) in zip(panels[1:], maps.items()):
        axes.imshow(values[0], cmap="gray", interpolation="nearest")
        axes.set(xticks=[], yticks=[], title=name)
    return figure


def suppression() -> Figure:
    """Seven scored boxes around two objects before NMS, and the two that are left after it."""
    utils = solution(1).utils
    boxes = torch.tensor([[20.0, 22, 70, 72], [26, 18, 76, 68], [16, 27, 66, 77], [24, 26, 76, 78],
                          [90, 30, 130, 70], [93, 33, 133, 73], [88, 26, 128, 66]])
    scores = torch.tensor([0.92, 0.81, 0.77, 0.30, 0.64, 0.88, 0.41])
    kept = set(utils.nms(boxes, scores, 0.5).tolist())
    figure, panels = drawing.subplots(2, 6.4, 2.3)
    for axes, shown, title in zip(panels, (range(7), sorted(kept)),
                                  ("before: 7 boxes of one class",
                                   f"after NMS at .5: {len(kept)} boxes")):
        for i in shown:
            box(axes, boxes[i], POSITIVE if i in kept else GREY, width=2 if i in kept else 1.2)
            x, y = "lrlrlrl"[i], "ttbbbbt"[i]  # a corner of its own for every score
            axes.text(boxes[i][0 if x == "l" else 2], boxes[i][1 if y == "t" else 3],
                      f"{scores[i]:.2f}", fontsize=8, color=POSITIVE if i in kept else GREY,
                      ha="right" if x == "l" else "left", va="bottom" if y == "t" else "top")
        axes.set(xlim=(2, 148), ylim=(86, 10), aspect="equal", title=title)
        axes.axis("off")
    return figure


def precision_recall() -> Figure:
    """Precision over recall for hit, miss, hit of two objects: raw points at 1, 1/2, 2/3, and the
    interpolated staircase of height 1 up to recall 1/2 and 2/3 up to recall 1, area 5/6."""
    evaluate = solution(1).evaluate
    boxes = torch.tensor([[0.0, 0, 16, 16], [0, 90, 16, 106], [40, 0, 56, 16]])
    ap = evaluate.compute_ap([{"boxes": boxes, "scores": torch.tensor([0.9, 0.8, 0.7])}],
                             [boxes[[0, 2]]])
    recall, precision = [0.5, 0.5, 1.0], [1.0, 0.5, 2 / 3]
    figure, axes = drawing.subplots(1, 3.9, 2.6)
    axes.fill_between([0, 0.5, 0.5, 1], [1, 1, 2 / 3, 2 / 3], color=BLUE, alpha=0.2,
                      label=f"AP = {ap:.4f}")
    axes.plot([0, 0.5, 0.5, 1], [1, 1, 2 / 3, 2 / 3], color=BLUE)
    axes.plot(recall, precision, "o", color=INK)
    for x, y, text in zip(recall, precision, ("hit .9", "miss .8", "hit .7")):
        axes.annotate(text, (x, y), (6, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.15), ylim=(0, 1.15))
    axes.legend(frameon=False, loc="lower left")
    return figure
