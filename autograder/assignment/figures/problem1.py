"""Figures of problem 1: boxes, masks and maps, as expected and as they came back.

Every function is `draw(answer, expected, question) -> Figure`; one without panels has nothing to
show. They raise `Wrong` (or whatever numpy raises) where the answer cannot be drawn.
"""

from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from datasets.constants import IMAGE_SIZE

from ...engine.check import Question
from ...engine.compare import array, entries, sequence
from ...engine.pages import canvas
from ...engine.pages.canvas import EXPECTED, FAINT, GOT, GREEN, GREY, INK, YELLOW, Figure, Key
from ..measure import iou_matrix, precisions, ranked_hits

MOST_PANELS = 3


def items(answer: Any, expected: Any, question: Question) -> Figure:
    """Items of the dataset: the boxes on their image, and the image itself where it differs."""
    figure = Figure("The first item that differs.")
    for index, (item, (image, target)) in enumerate(zip(answer["items"], expected["items"])):
        got_image, got_target = sequence(item, 2, "the item")
        if isinstance(image, np.ndarray) and len(figure.panels) < MOST_PANELS:
            _item(figure, index, image, target, got_image, got_target)
    return figure


def _item(figure: Figure, index: int, image, target, got_image, got_target) -> None:
    boxes, = entries(got_target, ["boxes"], "the target")
    boxes, want = canvas.boxes_of(boxes), target["boxes"]
    height, width = image.shape[1:]
    if boxes.shape != want.shape or canvas.differing(boxes, want).any():
        figure.caption = "The first items that differ, on their images."
        figure.key = canvas.compared()
        with figure.panel(f"item {index}: {len(want)} boxes expected, {len(boxes)} came back "
                          "or lie elsewhere") as axes:
            canvas.picture(axes, 0.7 + 0.3 * image)
            canvas.both(axes, want, boxes[:20])
            canvas.view(axes, np.array([[0.0, 0.0, width, height]]), boxes[:20])
            axes.set_title(f"item {index}")
    got_image = array(got_image, "the image", (3, *np.shape(got_image)[1:3]))
    if figure.panels or got_image.size > 2**18 or (
            got_image.shape == image.shape and not canvas.differing(got_image, image).any()):
        return
    draw_images(figure, index, image, got_image)


def draw_images(figure: Figure, index: int, expected: np.ndarray, got: np.ndarray) -> None:
    """The image of an item `[3 or 1, H, W]` as expected and as it came back."""
    for pixels, title in ((expected, "expected"), (got, "yours")):
        _, height, width = pixels.shape
        with figure.panel(f"item {index}: the image, {title}",
                          height=canvas.height_for(height, width)) as axes:
            canvas.picture(axes, pixels)
            axes.set_title(f"item {index}, {title}: {height} x {width}, up to {pixels.max():.3g}")


def anchors(answer: Any, expected: Any, question: Question) -> Figure:
    """The anchors of the first cell that differs, for every map."""
    sizes, scales, *rest = question.inputs["args"]
    side = rest[0] if rest else IMAGE_SIZE
    figure = Figure(
        "Of every map that differs, the rows of the list that belong to one cell (the dot is its "
        "centre), in the image with the cells of the map.",
        canvas.compared(Key("cells of the map", FAINT), Key("image", INK)))
    for index, (got, want) in enumerate(zip(sequence(answer, len(expected), "the list"), expected)):
        got = canvas.boxes_of(got)
        both_have = min(len(got), len(want))
        wrong = np.flatnonzero(canvas.differing(got[:both_have], want[:both_have]))
        if not both_have or not len(wrong) and len(got) == len(want):
            continue
        count, (height, width) = len(scales[index]), sizes[index]
        cell = int(wrong[0]) // count if len(wrong) else 0
        rows = slice(cell * count, (cell + 1) * count)
        row, column = divmod(cell, width)
        place = f"rows {rows.start} to {rows.stop - 1}"
        with figure.panel(f"map {index} of {height} x {width} cells: anchors of row {row}, column "
                          f"{column}, scales {', '.join(map(str, scales[index]))}, expected and "
                          f"yours; {place} of the list") as axes:
            for lines, draw in ((width, axes.vlines), (height, axes.hlines)):
                draw(np.arange(1, lines) * side / lines, 0, side, color=FAINT, lw=0.8 if
                     lines < 15 else 0.3)
            canvas.box(axes, (0, 0, side, side), INK, width=1)
            canvas.both(axes, want[rows], got[rows])
            axes.plot((column + 0.5) * side / width, (row + 0.5) * side / height, ".",
                      color=EXPECTED)
            canvas.view(axes, np.concatenate([[[0.0, 0.0, side, side]], want[rows]]), got[rows])
            axes.set_title(f"map {index}, row {row}, column {column}\n{place} of the list")
    return figure


def iou(answer: Any, expected: Any, question: Question) -> Figure:
    """A few wrong pairs as boxes, or the matrices where many are wrong or the shape is."""
    if question.probe == "calls":
        for got, want, arguments in zip(answer, expected, question.inputs["argument_lists"]):
            if want.size and (np.shape(got) != want.shape
                              or canvas.differing(got, want, 1e-5).any()):
                return _iou(array(got, "iou"), want, *arguments)
        return Figure("")
    return _iou(array(answer, "iou"), expected, *question.inputs["args"])


def _iou(got: np.ndarray, want: np.ndarray, boxes1: np.ndarray, boxes2: np.ndarray) -> Figure:
    if got.shape != want.shape or want.size > 9:
        figure = Figure("IoU of every box of the first argument (rows) with every box of the "
                        "second (columns).")
        canvas.side_by_side(figure, want, array(got, "iou", got.shape[:2]), "IoU of all pairs",
                            xlabel="boxes2", ylabel="boxes1")
        return figure
    figure = Figure("Pairs of boxes whose IoU differs. It is the filled area over the area that "
                    "both boxes cover together.",
                    (Key("box of boxes1", INK), Key("box of boxes2", GREY, "dashed"),
                     Key("overlap", EXPECTED, "filled")))
    wrong = ~np.isclose(got.astype(np.float64), want, 1e-4, 1e-6, equal_nan=True)
    for i, j in np.argwhere(wrong)[:MOST_PANELS]:
        pair = np.stack([boxes1[i], boxes2[j]]).astype(np.float64)
        title = f"iou[{i}, {j}] is {want[i, j]:.4g}\nyours: {got[i, j]:.6g}"
        with figure.panel(title.replace("\n", ", "), 2.6, 2.6) as axes:
            low, high = pair[:, :2].max(axis=0), pair[:, 2:].min(axis=0)
            if (high > low).all():
                axes.add_patch(Rectangle(low, *(high - low), color=EXPECTED, alpha=0.35, lw=0))
            canvas.box(axes, pair[0], INK, width=2.2)
            canvas.box(axes, pair[1], GREY, "--", 2.2)
            canvas.view(axes, pair)
            axes.set_title(title)
    return figure


def _decoded(deltas: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """The boxes `[n, 4]` that offsets mean."""
    size, centre = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    centre = centre + deltas[:, :2] * size
    half = size * np.exp(np.clip(deltas[:, 2:], -8, 8)) / 2
    return np.clip(np.concatenate([centre - half, centre + half], axis=1), -canvas.FAR, canvas.FAR)


def encoded(answer: Any, expected: Any, question: Question) -> Figure:
    """What the offsets that came back mean as boxes."""
    boxes, anchors = question.inputs["args"]
    deltas = array(answer, "deltas", expected.shape).astype(np.float64)
    return _coded(canvas.differing(deltas, expected), boxes, _decoded(deltas, anchors), anchors,
                  "Where your offsets lead: the box that they mean when they are applied to their "
                  "anchor, and the box that was encoded.")


def decoded(answer: Any, expected: Any, question: Question) -> Figure:
    """Decoded boxes beside their anchors."""
    got = canvas.boxes_of(array(answer, "boxes", expected.shape))
    return _coded(canvas.differing(got, expected), expected, got, question.inputs["args"][1],
                  "Boxes that were decoded from offsets, each with its anchor.")


def _coded(wrong, want, got, anchors, caption) -> Figure:
    figure = Figure(caption, canvas.compared(Key("anchor", GREY, "dotted")))
    for row in np.flatnonzero(wrong)[:MOST_PANELS]:
        with figure.panel(f"row {row}: anchor, expected box, your box", 2.6, 2.6) as axes:
            canvas.box(axes, anchors[row], GREY, ":", 1.8)
            canvas.both(axes, want[row:row + 1], got[row:row + 1])
            near = np.stack([anchors[row], want[row]]).astype(np.float64)
            canvas.view(axes, near, got[row:row + 1])
            axes.set_title(f"row {row}")
    return figure


STATES = {  # (positive, negative) -> name, colour, line
    (True, False): ("positive", GREEN, "solid"),
    (False, True): ("negative", INK, "solid"),
    (False, False): ("ignored", YELLOW, "dashed"),
    (True, True): ("both at once", canvas.PURPLE, "dotted"),
}


def matching(answer: Any, expected: Any, question: Question) -> Figure:
    """Anchors that differ, each as expected and as it came back."""
    anchors, objects = (canvas.boxes_of(value) for value in question.inputs["args"][:2])
    got = [array(value, "the result", np.shape(want)) for value, want in
           zip(sequence(answer, 4, "the result"), expected)]
    wrong = np.flatnonzero(np.any([canvas.differing(a, b) for a, b in zip(got, expected)], axis=0))
    seen = set()
    figure = Figure("")
    for i in wrong[:2]:
        near = iou_matrix(anchors[i:i + 1], objects)[0] > 0
        shown = np.flatnonzero(near) if near.any() else np.arange(len(objects))[:6]
        for values, title in ((expected, "expected"), (got, "yours")):
            label, matched, *masks = (value[i] for value in values)
            state = bool(masks[0]), bool(masks[1])
            seen.add(state)
            name, colour, line = STATES[state]
            with figure.panel(f"anchor {i}, {title}: {name}, label {label:g}, matched box "
                              f"{matched.tolist()}", 2.5, 2.6) as axes:
                for o in shown:
                    canvas.box(axes, objects[o], FAINT, width=5)
                canvas.box(axes, anchors[i], colour, line, 2.4)
                for o in shown:
                    canvas.named(axes, objects[o], o, f"object {o}", INK)
                if np.isfinite(matched).all() and matched.any():
                    ends = canvas.boxes_of(np.stack([anchors[i], matched]))
                    middles = ends.reshape(2, 2, 2).mean(axis=1)
                    axes.plot(*middles.T, color=colour, marker=".", markevery=[1])
                canvas.view(axes, np.concatenate([anchors[i:i + 1], objects[shown]]))
                axes.set_title(f"anchor {i}, {title}:\n{name}, label {label:g}")
    some = "the first two are drawn" if len(wrong) > 2 else "drawn"
    figure.caption = (f"{len(wrong)} of {len(anchors)} anchors came back otherwise; {some} with "
                      "the objects there. A line with a dot leads to the middle of the anchor's "
                      "box in matched_boxes.")
    figure.key = (Key("object", FAINT), *(
        Key(f"anchor: {name}", colour, line) for state, (name, colour, line) in STATES.items()
        if state in seen))
    return figure


def mining(answer: Any, expected: Any, question: Question) -> Figure:
    """The losses in falling order, and which of them were mined."""
    loss, positive, negative = (question.inputs[k] for k in ("loss", "pos_mask", "neg_mask"))
    got = array(answer, "the mask", expected.shape, "bool")
    order = np.argsort(-loss, kind="stable")
    colours = np.where(positive, GREEN, np.where(negative, GREY, YELLOW))
    figure = Figure("Anchors by falling loss, equal ones by index. The marks below say which were "
                    "mined: as expected in the upper row, by you in the lower one.",
                    (Key("positive", GREEN, "filled"), Key("negative", GREY, "filled"),
                     Key("ignored", YELLOW, "filled"), Key("mined, expected", EXPECTED, "filled"),
                     Key("mined, yours", GOT, "filled")))
    with figure.panel(f"{int(expected.sum())} negatives should be mined, {int(got.sum())} anchors "
                      "are", 4.6, 2.6) as axes:
        place, top, step = np.arange(len(loss)), loss.max(), max(1, len(loss) // 14)
        axes.bar(place, loss[order], color=colours[order], width=0.85)
        for mask, height, colour in ((expected, -0.09, EXPECTED), (got, -0.2, GOT)):
            chosen = place[mask[order]]
            axes.plot(chosen, np.full(len(chosen), height * top), "s", color=colour, ms=3)
        axes.axhline(0, color=GREY, lw=0.8)
        axes.set(xticks=place[::step], ylabel="loss", xlabel="anchor",
                 ylim=(-0.28 * top, 1.05 * top))
        axes.set_xticklabels(order[::step], fontsize=7)
    return figure


TERMS = {"objectness logits": slice(4, 5), "class logits": slice(5, None), "offsets": slice(0, 4)}


def gradients(answer: Any, expected: Any, question: Question) -> Figure:
    """Where the loss looks: size of its gradient at every cell, for two terms that differ."""
    figure = Figure("Where the loss looks: size of the gradient of loss_total at every cell, all "
                    "anchors together, in the image that differs most. Cells that stay dark have "
                    "no part in the loss.")
    different = []
    of_anchor = 5 + question.inputs["num_classes"]
    for index, (got, want) in enumerate(zip(answer["gradients"], expected["gradients"])):
        images, channels, height, width = want.shape
        got, want = (np.abs(array(value, "the gradient", want.shape).astype(np.float64)).reshape(
            images, channels // of_anchor, of_anchor, height, width) for value in (got, want))
        terms = 0
        for term, part in TERMS.items():
            mine, right = (value[:, :, part].sum(axis=(1, 2)) for value in (got, want))
            apart = np.nan_to_num(np.abs(mine - right), nan=np.inf).max(axis=(1, 2))
            image = int(apart.argmax())
            if apart[image] > 1e-3 * right.max() + 1e-6:
                different.append((terms, index, image, term, mine[image], right[image]))
                terms += 1
    # The first term of every map before the second of any: a map too many should be seen.
    for _, index, image, term, mine, right in sorted(different, key=lambda entry: entry[:2])[:2]:
        for value, title in ((right, "expected"), (mine, "yours")):
            with figure.panel(f"{title}: gradient at the {term} of map {index}, image {image}",
                              2.5, 2.6) as axes:
                canvas.maps(axes, value, 0.0, right.max())
                axes.set_title(f"{title}: {term}\nmap {index}, image {image}")
    return figure


def nms(answer: Any, expected: Any, question: Question) -> Figure:
    """Which boxes stay."""
    if question.probe == "calls":
        return Figure("")
    boxes, scores, threshold = question.inputs["args"]
    got = array(answer, "the kept indices").ravel()
    order = np.argsort(-scores, kind="stable")
    if len(boxes) > 50:  # a box that differs, and what overlaps it
        apart = [*np.intersect1d(np.setxor1d(got, expected), order), *expected][0].astype(int)
        order = order[iou_matrix(boxes[order], boxes[apart][None])[:, 0] > 0]
    width, height = boxes[order, 2:].max(axis=0) - boxes[order, :2].min(axis=0)
    ranked = ", ".join(f"{i} ({scores[i]:.2f})" for i in order)
    figure = Figure("The boxes by index. A box is suppressed if its IoU with a better one that "
                    f"stays is above {threshold:g}. From best to worst: {ranked}.",
                    (Key("kept", GREEN), Key("suppressed", GREY, "dashed")))
    for kept, title in ((expected, "expected"), (got, "yours")):
        kept = kept[np.isin(kept, order)][:50].astype(int).tolist()
        with figure.panel(f"{title}: {', '.join(map(str, kept))} kept", 3.4,
                          canvas.height_for(height, width)) as axes:
            for i in order[::-1]:
                colour = GREEN if i in kept else GREY
                canvas.box(axes, boxes[i], colour, *(("-", 2.2) if i in kept else ("--", 1.2)))
                canvas.named(axes, boxes[i], i, str(i), colour)
            canvas.view(axes, boxes[order].astype(np.float64))
            axes.set_title(f"{title}: {kept}")
    return figure


def detections(answer: Any, expected: Any, question: Question) -> Figure:
    """Decoded detections of the first image that differs."""
    figure = Figure("Detections of the first image that differs, with score and class; in the "
                    "right panel the expected boxes lie beneath yours.",
                    canvas.compared(Key("expected, beneath", FAINT)))
    if question.probe == "calls":  # the images of all calls
        answer, expected = ([image for images in side for image in images]
                            for side in (answer, expected))
    for image, (got, want) in enumerate(zip(sequence(answer, len(expected), "images"), expected)):
        mine, right = _drawable(got), _drawable(want)
        if all(a.shape == b.shape and not canvas.differing(a, b).any()
               for a, b in zip(mine, right)):
            continue
        for (boxes, scores, labels), colour, style, title in (
                (right, EXPECTED, "-", "expected"), (mine, GOT, "--", "yours")):
            with figure.panel(f"image {image}, {title}: {len(boxes)} detections, scores "
                              f"{', '.join(f'{s:.2f}' for s in scores[:10])}", 3.4, 3.4) as axes:
                if title == "yours":
                    for corners in right[0][:20]:
                        canvas.box(axes, corners, FAINT, width=5)
                for i, corners in enumerate(boxes[:20]):
                    canvas.box(axes, corners, colour, style)
                    canvas.named(axes, corners, i, f"{scores[i]:.2f}, {labels[i]:g}", colour)
                whole = np.concatenate([right[0], [[0.0, 0.0, 64.0, 64.0]]])
                canvas.view(axes, whole, boxes)
                axes.set_title(f"image {image}, {title}: {len(boxes)}")
        break
    return figure


def _drawable(found: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores and labels of an image, as many of each."""
    boxes, scores, labels = entries(found, ("boxes", "scores", "labels"), "the detections")
    boxes = canvas.boxes_of(boxes)
    scores, labels = (array(value, "the detections", (len(boxes),)).astype(np.float64)
                      for value in (scores, labels))
    return boxes, scores, labels


def average_precision(answer: Any, expected: Any, question: Question) -> Figure:
    """The precision-recall curve whose area was asked for."""
    if question.probe == "calls":
        return Figure("")
    predictions, truths = question.inputs["args"]
    total = sum(map(len, truths))
    value = array(answer, "AP").reshape(())
    scored = [(p["boxes"].astype(np.float64), p["scores"]) for p in predictions]
    hits = ranked_hits(scored, truths, question.inputs["kwargs"].get("iou_threshold", 0.5))
    figure = Figure("By the right matches, a dot per detection, best first. The filled area below "
                    "the interpolated curve is the expected AP; yours has a number and no curve.",
                    (Key("as measured", GREY, "dashed"), Key("interpolated", EXPECTED)))
    if not total or not len(hits):
        return Figure("")
    with figure.panel(f"precision-recall curve with the area {expected:.3f}; yours is "
                      f"{float(value):.3f}", 3.4, 2.9) as axes:
        precision_recall(axes, hits, total, EXPECTED)
        raw, _ = precisions(hits)
        axes.plot(np.cumsum(hits) / total, raw, ".--", color=GREY, lw=1.2)
        axes.set_title(f"area {expected:.3f}, yours {float(value):.3f}")
    return figure


def precision_recall(axes, hits: np.ndarray, total: int, colour: str, style: str = "-",
                     fill: float = 0.15) -> None:
    """The interpolated curve of `hits` (bool `[D]`, best first) among `total` objects, from recall
    0 to the highest one reached."""
    if hits.any():
        recall = np.concatenate([[0], np.cumsum(hits)[hits] / total])
        precision = precisions(hits)[1][hits]
        steps = np.concatenate([precision[:1], precision])
        axes.step(recall, steps, where="pre", color=colour, ls=style, lw=1.8)
        axes.fill_between(recall, steps, step="pre", color=colour, alpha=fill, lw=0)
    axes.set(xlim=(0, 1.03), ylim=(0, 1.05), xlabel="recall", ylabel="precision")
    axes.grid(color=FAINT, lw=0.5)
