# %% [markdown]
# # Problem 1: look at what your detector does
#
# Run this notebook from top to bottom, as often as you like: it takes your code from
# `starter/problem1` (or from the folder in the environment variable `HOMEWORK`) and reloads it
# when you have changed a file. Its kernel is the Python of `.venv`. Where a task is not done yet,
# the cell says so and the rest goes on. Nothing here is graded; `make grade` is.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image, display
from torch.utils.data import ConcatDataset, DataLoader
from tqdm import tqdm

import walkthrough as show
from walkthrough import step

mine = show.use("problem1")
import evaluate
import loss
import model
import train
import utils
from dataset import ShapeDetectionDataset, collate_fn

folder = show.data("detection")
SIZES, SCALES = utils.MAP_SIZES, utils.ANCHOR_SCALES
MAPS = ["56 x 56", "28 x 28", "14 x 14"]
CLASSES = ["circle", "square", "triangle"]


def images_and_targets(split="train"):
    """All items of a split, through your dataset."""
    dataset = ShapeDetectionDataset(folder / split, folder / f"{split}_annotations.json")
    return dataset, [dataset[i] for i in range(len(dataset))]


def all_anchors():
    """Your anchors: one tensor per map, and all together."""
    per_map = utils.generate_anchors(SIZES, SCALES)
    return per_map, torch.cat(per_map)


def perfect_maps(target):
    """Maps `[1, 24, S, S]` that say exactly what is in an image, through your own functions."""
    per_map, anchors = all_anchors()
    labels, boxes, positive, _ = utils.match_anchors_to_targets(
        anchors, target["boxes"], target["labels"])
    rows = torch.zeros(len(anchors), 8)
    rows[:, 4] = torch.where(positive, 12.0, -12.0)
    rows[positive, :4] = utils.encode_boxes(boxes[positive], anchors[positive])
    rows[positive, 4 + labels[positive]] = 12.0  # label is class + 1, class logits start at 5
    maps = []
    for part, (height, width) in zip(rows.split([len(a) for a in per_map]), SIZES):
        maps.append(part.reshape(1, height, width, -1).permute(0, 3, 1, 2))
    return maps


# %% [markdown]
# ## 1.1 The dataset
#
# Boxes should sit tight around their shapes (later shapes may cover a part). If colours are
# swapped, channels are in the wrong order; if a box is far off, `bbox` was taken for x, y, width,
# height.

# %%
with step("task 1.1"):
    dataset, items = images_and_targets()
    figure, panels = plt.subplots(1, 4, figsize=(12, 3.2))
    for axes, (image, target) in zip(panels, items):
        show.picture(axes, image)
        for box, label in zip(target["boxes"], target["labels"]):
            show.box(axes, box, "black", "--", CLASSES[label])
    plt.show()
    images, targets = collate_fn(items)
    print("batch:", tuple(images.shape), images.dtype, "and", len(targets), "targets; pixels from",
          f"{images.min():g} to {images.max():g}")

# %% [markdown]
# ## 1.2 Anchors
#
# The anchors of the cell in the middle of each map, and the middle of its right and lower
# neighbour: the right one is the next cell of the row (`A` rows further in the tensor), the lower
# one is `W * A` rows further.
#
# **Before you run it:** which of the three maps has anchors larger than half of the image?

# %%
with step("tasks 1.1, 1.2"):
    _, items = images_and_targets()
    per_map, _ = all_anchors()
    figure, panels = plt.subplots(1, 3, figsize=(12, 4.2))
    for axes, anchors, (height, width), scales, name in zip(panels, per_map, SIZES, SCALES, MAPS):
        show.picture(axes, items[0][0], f"{name}: {len(anchors)} anchors", fade=0.4)
        cell = (height // 2 * width + width // 2) * len(scales)
        for anchor in anchors[cell:cell + len(scales)]:
            show.box(axes, anchor, show.POSITIVE)
        for label, row in (("right", cell + len(scales)), ("below", cell + width * len(scales))):
            x, y = (anchors[row, :2] + anchors[row, 2:]) / 2
            axes.plot(x, y, "o", ms=3, label=label)
        axes.set(xlim=(-30, 254), ylim=(254, -30))
        axes.legend(loc="upper right", fontsize=7)
    plt.show()

# %% [markdown]
# ## 1.3 IoU
#
# The best IoU of each cell's anchors with the objects of one image. A pattern that is not where the
# objects are means that anchors or IoU are wrong.
#
# **Before you run it:** on which map will a circle light up, and on which a triangle?

# %%
with step("tasks 1.1, 1.2, 1.3"):
    _, items = images_and_targets()
    image, target = items[0]
    per_map, _ = all_anchors()
    figure, panels = plt.subplots(1, 4, figsize=(13, 3.2))
    show.picture(panels[0], image)
    for axes, anchors, (height, width), name in zip(panels[1:], per_map, SIZES, MAPS):
        best = utils.compute_iou(anchors, target["boxes"]).max(dim=1).values
        shown = axes.imshow(best.reshape(height, width, -1).max(dim=2).values, vmin=0, vmax=1)
        axes.set(title=f"{name}, best {best.max():.2f}", xticks=[], yticks=[])
    figure.colorbar(shown, ax=panels, shrink=0.8)
    plt.show()

# %% [markdown]
# ## 1.4 Box coding
#
# From an anchor (dashed) to its object: the offsets times 0, 1/2 and 1, decoded. The last box
# should be the object.

# %%
with step("tasks 1.1, 1.2, 1.3, 1.4"):
    _, items = images_and_targets()
    image, target = items[0]
    _, anchors = all_anchors()
    best = utils.compute_iou(anchors, target["boxes"]).argmax(dim=0)
    deltas = utils.encode_boxes(target["boxes"], anchors[best])
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.8))
    for axes, share in zip(panels, (0, 0.5, 1)):
        show.picture(axes, image, f"{share:g} of the offsets", fade=0.5)
        for anchor, box in zip(anchors[best], utils.decode_boxes(share * deltas, anchors[best])):
            show.box(axes, anchor, "black", "--")
            show.box(axes, box, show.PREDICTED)
    plt.show()
    back = utils.decode_boxes(deltas, anchors[best])
    print(f"there and back again, boxes differ by {(back - target['boxes']).abs().max():.2g} px")

# %% [markdown]
# ## 1.5 Matching
#
# The centres of positive (green) and ignored (ochre) anchors of each map.
#
# **Before you run it:** how many of the 12,348 anchors will be positive: ten, a hundred, a
# thousand? And on which map are those of the circles?

# %%
with step("tasks 1.1, 1.2, 1.3, 1.5"):
    _, items = images_and_targets()
    image, target = items[0]
    per_map, anchors = all_anchors()
    labels, _, positive, negative = utils.match_anchors_to_targets(
        anchors, target["boxes"], target["labels"])
    figure, panels = plt.subplots(1, 3, figsize=(12, 4.2))
    begin = 0
    for axes, of_map, name in zip(panels, per_map, MAPS):
        part = slice(begin, begin + len(of_map))
        begin += len(of_map)
        ignored = ~positive[part] & ~negative[part]
        show.picture(axes, image, fade=0.4)
        for mask, colour in ((ignored, show.IGNORED), (positive[part], show.POSITIVE)):
            centres = (of_map[mask][:, :2] + of_map[mask][:, 2:]) / 2
            axes.scatter(*centres.T, s=10, color=colour)
        counts = [int((labels[part] == c + 1).sum()) for c in range(3)]
        axes.set_title(f"{name}: {int(positive[part].sum())} positive\n"
                       + ", ".join(f"{n} {c}" for n, c in zip(counts, CLASSES)), fontsize=9)
    plt.show()

# %% [markdown]
# ## 1.6 Hard negative mining
#
# Sixty anchors with losses at random. The red bars are what you mine: the highest grey ones,
# three times as many as there are green ones.

# %%
with step("task 1.6"):
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(60, generator=generator).sort(descending=True).values
    kind = torch.ones(60, dtype=torch.int64)
    kind[[2, 9, 30]], kind[[0, 5, 12, 40]] = 0, 2
    mined = loss.DetectionLoss().hard_negative_mining(values, kind == 0, kind == 1)
    plt.figure(figsize=(10, 2.4))
    for mask, colour, name in ((kind == 0, show.POSITIVE, "positive"),
                               (kind == 2, show.IGNORED, "ignored"),
                               ((kind == 1) & ~mined, show.NEGATIVE, "negative, left out"),
                               (mined, show.PREDICTED, "mined")):
        plt.bar(np.flatnonzero(mask), values[mask], color=colour,
                label=f"{name} ({int(mask.sum())})")
    plt.legend()
    plt.show()

# %% [markdown]
# ## 1.7 The loss
#
# Two made-up networks: one answers 0 everywhere, the other is right about everything. It is
# written into maps through your own anchors, matches and coding, so that all your conventions are
# used together. The second loss should be nearly 0. If it is not, two of your functions disagree
# about an order.

# %%
with step("tasks 1.1 to 1.7"):
    _, items = images_and_targets()
    per_map, _ = all_anchors()
    target = items[0][1]
    perfect = perfect_maps(target)
    for name, maps in (("zeros", [torch.zeros_like(m) for m in perfect]), ("perfect", perfect)):
        losses = loss.DetectionLoss()(maps, [target], per_map)
        print(f"{name:8s}", "  ".join(f"{key} {float(value):.4f}" for key, value in losses.items()))

# %% [markdown]
# ## 1.8 The network
#
# Shapes, size, and what one cell in the middle of each map sees of the image: bright where the
# output depends on the pixel. Compare with the sizes of the objects (16 to 32, 48 to 96, 96 to
# 192).
#
# **Before you run it:** how many pixels does one cell of each map see? The handout says how to
# add it up.

# %%
with step("task 1.8"):
    torch.manual_seed(0)
    network = model.MultiScaleDetector().eval()
    image = torch.rand(1, 3, 224, 224, requires_grad=True)
    outputs = network(image)
    print([tuple(output.shape) for output in outputs],
          f"{sum(p.numel() for p in network.parameters()):,} parameters")
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.6))
    for axes, output, name in zip(panels, outputs, MAPS):
        middle = output.shape[-1] // 2
        gradient, = torch.autograd.grad(output[0, :, middle, middle].square().sum(), image,
                                        retain_graph=True)
        seen = gradient[0].abs().sum(dim=0)
        rows, columns = torch.nonzero(seen > 0).T
        axes.imshow((seen / seen.max()) ** 0.25, cmap="magma")
        axes.set(title=f"{name}: sees {int(columns.max() - columns.min()) + 1} x "
                       f"{int(rows.max() - rows.min()) + 1} px", xticks=[], yticks=[])
    plt.show()

# %% [markdown]
# ## 1.9 NMS, 1.19 decoding
#
# The perfect maps of 1.7 again, decoded: every object once, with the right class and a score near
# 1.

# %%
with step("tasks 1.1 to 1.5, 1.9, 1.19"):
    _, items = images_and_targets()
    per_map, _ = all_anchors()
    figure, panels = plt.subplots(1, 4, figsize=(12, 3.2))
    for axes, (image, target) in zip(panels, items):
        found, = evaluate.decode_predictions(perfect_maps(target), per_map)
        show.picture(axes, image, f"{len(target['boxes'])} objects, {len(found['boxes'])} found",
                     fade=0.5)
        for box, score, label in zip(found["boxes"], found["scores"], found["labels"]):
            show.box(axes, box, show.PREDICTED, text=f"{CLASSES[int(label)]} {float(score):.2f}")
    plt.show()

# %% [markdown]
# ## 1.10 Average precision
#
# The true boxes of all images as detections, moved to the right by a growing share of their
# width.
#
# **Before you run it:** a shift by s of the width gives the IoU (1 - s) / (1 + s). At which s
# will AP fall for an IoU threshold of .5, and for one of .75? Slowly, or at once?

# %%
with step("tasks 1.1, 1.3, 1.10"):
    _, items = images_and_targets()
    truth = [target["boxes"] for _, target in items]
    shares = np.linspace(0, 0.6, 25)
    plt.figure(figsize=(5, 3))
    for threshold in (0.5, 0.75):
        aps = []
        for share in shares:
            right = torch.tensor([1, 0, 1, 0]) * share
            moved = [b + right * (b[:, 2:3] - b[:, 0:1]) for b in truth]
            detections = [{"boxes": b, "scores": torch.full((len(b),), 0.9)} for b in moved]
            aps.append(evaluate.compute_ap(detections, truth, threshold))
        plt.plot(shares, aps, ".-", label=f"IoU threshold {threshold}")
    plt.xlabel("shift / width")
    plt.ylabel("AP")
    plt.legend()
    plt.show()

# %% [markdown]
# ## 1.11 Learn eight images by heart
#
# A minute or two that can save an evening: a network that cannot learn eight images will not
# learn a thousand. **The goal:** the loss keeps falling, and the best detections of an image sit on
# its objects. How fast it falls hangs on your network: a plain backbone needs about twice the steps
# of one that hands context down. If boxes do not come to sit on objects, compare your curve with
# those of the handout, under "When training does not work".
#
# **Before you run it:** what is the loss of a network that answers 0 everywhere? (1.7 has shown
# it.)

# %%
ROUNDS, STEPS = (2, 1) if show.SHORT else (10, 10)

with step("tasks 1.1 to 1.9, 1.11, 1.19"):
    dataset, items = images_and_targets()
    per_map, _ = all_anchors()
    torch.manual_seed(0)
    network = model.MultiScaleDetector()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    loader: DataLoader = DataLoader(ConcatDataset([dataset] * STEPS), batch_size=8,
                                    collate_fn=collate_fn)
    totals = [train.train_epoch(network, loader, loss.DetectionLoss(), optimizer,
                                torch.device("cpu"), per_map)["loss_total"]
              for _ in tqdm(range(ROUNDS), leave=False)]
    figure, panels = plt.subplots(1, 4, figsize=(13, 3.2))
    panels[0].semilogy(np.arange(1, ROUNDS + 1) * STEPS, totals, ".-")
    panels[0].set(xlabel="step", title="loss_total on eight images")
    network.eval()
    with torch.no_grad():
        maps = network(torch.stack([image for image, _ in items[:3]]))
    found = evaluate.decode_predictions(maps, per_map, max_detections=5)
    for axes, (image, _), detections in zip(panels[1:], items, found):
        show.picture(axes, image, f"{len(detections['boxes'])} found", fade=0.5)
        for box, label in zip(detections["boxes"], detections["labels"]):
            show.box(axes, box, show.PREDICTED, text=CLASSES[int(label)])
    plt.show()

# %% [markdown]
# ## 1.15 What each map can learn
#
# The share of the objects of a class that have an anchor of a map with IoU .5 or more. This is
# known before any training, and question 1 of the report asks about it.
#
# **Before you run it:** will a class have such anchors on more than one map?

# %%
with step("tasks 1.1 to 1.3, 1.15"):
    import analysis

    per_map, _ = all_anchors()
    _, items = images_and_targets()
    shares = np.asarray(analysis.anchor_coverage(per_map, [target for _, target in items]))
    figure, axes = plt.subplots(figsize=(3.2, 3.2))
    axes.imshow(shares, vmin=0, vmax=2, cmap="Greens")
    axes.set(xticks=range(3), xticklabels=CLASSES, yticks=range(3), yticklabels=MAPS)
    for (row, column), share in np.ndenumerate(shares):
        axes.text(column, row, f"{share:.2f}", ha="center", va="center")
    plt.show()

# %% [markdown]
# ## 1.11 Your training
#
# The curves of `results/training_log.json`. Training far below validation means learning by
# heart; both flat and high means that something is wrong earlier.

# %%
with step("task 1.11"):
    show.curves(plt.figure(figsize=(5, 3)).gca(), show.log(mine / "results" / "training_log.json"),
                "your training")
    plt.show()

# %% [markdown]
# ## 1.12 to 1.14 Your trained detector on images it has not seen
#
# Truth dashed, detections of score .5 and more in red. Surplus boxes beside an object mostly come
# from anchors of the ignored band, which nothing has taught to be quiet; average precision
# forgives them as long as they score below the hits.
#
# **Before you run it:** which class will have the highest AP?

# %%
with step("tasks 1.1 to 1.4, 1.8 to 1.10, 1.13, 1.19"):
    per_map, _ = all_anchors()
    network = show.trained(model.MultiScaleDetector(), mine / "results" / "best_model.pth")
    dataset, items = images_and_targets("val")
    loader = DataLoader(dataset, batch_size=1, collate_fn=collate_fn)
    detections, targets = evaluate.detect(network, tqdm(loader, leave=False), per_map)
    figure, panels = plt.subplots(1, 4, figsize=(12, 3.2))
    for axes, (image, target), found in zip(panels, items, detections):
        show.picture(axes, image, fade=0.5)
        for box in target["boxes"]:
            show.box(axes, box, "black", "--")
        for box, score, label in zip(found["boxes"], found["scores"], found["labels"]):
            if score >= 0.5:
                text = f"{CLASSES[int(label)]} {float(score):.2f}"
                show.box(axes, box, show.PREDICTED, text=text)
    plt.show()
    aps = evaluate.ap_per_class(detections, targets)
    print("AP on", len(dataset), "images:",
          ", ".join(f"{name} {ap:.2f}" for name, ap in zip(CLASSES, aps)))

# %% [markdown]
# Which map finds which class: the picture that your `analyze_scale_performance` has drawn.
#
# **Before you run it:** where should the large numbers stand if every map takes care of its own
# class?

# %%
with step("task 1.12"):
    picture = mine / "results" / "visualizations" / "scale_performance.png"
    display(Image(show.left(picture, "let train.py call analyze_scale_performance"), width=420))
