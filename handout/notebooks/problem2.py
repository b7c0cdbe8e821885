# %% [markdown]
# # Problem 2: look at what your keypoint networks do
#
# Run this notebook from top to bottom, as often as you like: it takes your code from
# `starter/problem2` (or from the folder in the environment variable `HOMEWORK`) and reloads it
# when you have changed a file. Its kernel is the Python of `.venv`. Where a task is not done yet,
# the cell says so and the rest goes on. Nothing here is graded; `make grade` is.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image, display
from torch.nn import functional
from torch.utils.data import DataLoader
from tqdm import tqdm

import walkthrough as show
from walkthrough import step

mine = show.use("problem2")
import evaluate
import model
from dataset import KEYPOINT_NAMES, KeypointDataset

folder = show.data("keypoints", train=16, val=32)
pictures = Path(tempfile.mkdtemp(prefix="notebook-"))


def dataset(split="train", **options):
    """Your dataset of a split."""
    return KeypointDataset(folder / split, folder / f"{split}_annotations.json", **options)


def keypoints(split="val"):
    """Images `[N, 1, 128, 128]` and keypoints `[N, 5, 2]` in pixels, through your dataset."""
    items = [dataset(split, output_type="regression")[i] for i in range(len(dataset(split)))]
    return (torch.stack([image for image, _ in items]),
            torch.stack([target.reshape(5, 2) * 128 for _, target in items]))


def placed(network, images):
    """Keypoints `[N, 5, 2]` in pixels of the image that one of your networks answers."""
    with torch.no_grad():
        output = network.eval()(images)
    if output.dim() == 2:
        return output.reshape(-1, 5, 2) * 128
    return evaluate.extract_keypoints_from_heatmaps(output) * 128 / output.shape[-1]


# %% [markdown]
# ## 2.1 The dataset
#
# Both targets of one image. The points come from `output_type="regression"`, the colours are the
# sum of the five heatmaps, laid over the image. The dots should sit on the blobs, and both on the
# figure; each has the letters of its keypoint, and left is the left of the image.

# %%
with step("tasks 2.1, 2.2"):
    figure, panels = plt.subplots(1, 4, figsize=(12, 3.2))
    for index, axes in enumerate(panels):
        image, points = dataset(output_type="regression")[index]
        _, heatmaps = dataset(output_type="heatmap")[index]
        show.picture(axes, image, fade=0.6)
        axes.imshow(heatmaps.sum(dim=0), extent=(-1, 127, 127, -1), alpha=0.5, cmap="Reds",
                    vmin=0, vmax=1)
        axes.plot(*(points.reshape(5, 2) * 128).T, ".", color="black")
        for (x, y), name in zip(points.reshape(5, 2) * 128, KEYPOINT_NAMES):
            axes.text(x + 2, y, "".join(part[0] for part in name.split("_")), fontsize=8)
    plt.show()
    print("image", tuple(image.shape), image.dtype, "heatmaps", tuple(heatmaps.shape),
          "coordinates", tuple(points.shape))

# %% [markdown]
# ## 2.2 Heatmap encoding
#
# One keypoint at (20, 12.4) on a map of 24 rows and 40 columns, at three widths. The cross is the
# keypoint. Beside it, the column through it.
#
# **Before you run it:** how high is the highest pixel, and for which sigma is it lowest?

# %%
with step("tasks 2.1, 2.2"):
    figure, panels = plt.subplots(1, 4, figsize=(13, 2.6))
    for axes, sigma in zip(panels, (1.0, 2.0, 4.0)):
        heatmap = dataset(sigma=sigma).generate_heatmap(torch.tensor([[20.0, 12.4]]), 24, 40)[0]
        axes.imshow(heatmap, vmin=0, vmax=1)
        axes.plot(20, 12.4, "x", color="red")
        axes.set_title(f"sigma {sigma:g}, highest {float(heatmap.max()):.3f}")
        panels[3].plot(heatmap[:, 20], ".-", label=f"sigma {sigma:g}")
    panels[3].axvline(12.4, color="red", lw=1)
    panels[3].set(xlabel="row", title="column 20")
    panels[3].legend(fontsize=7)
    plt.show()

# %% [markdown]
# ## 2.3 and 2.4 The networks
#
# Shapes, sizes, and what the untrained networks say about one image.

# %%
with step("tasks 2.1, 2.3, 2.4"):
    images, truth = keypoints()
    torch.manual_seed(0)
    networks = {"HeatmapNet": model.HeatmapNet().eval(),
                "RegressionNet": model.RegressionNet().eval()}
    with torch.no_grad():
        outputs = {name: network(images[:2]) for name, network in networks.items()}
    for name, network in networks.items():
        print(f"{name}: {tuple(outputs[name].shape)} from {tuple(images[:2].shape)}, "
              f"{sum(p.numel() for p in network.parameters()):,} parameters")
    figure, panels = plt.subplots(1, 6, figsize=(13, 2.4))
    for axes, heatmap, name in zip(panels, outputs["HeatmapNet"][0], KEYPOINT_NAMES):
        axes.imshow(heatmap)
        axes.set(title=name, xticks=[], yticks=[])
    show.picture(panels[5], images[0], "RegressionNet", fade=0.5)
    panels[5].plot(*(outputs["RegressionNet"][0].reshape(5, 2) * 128).T, "x", color=show.PREDICTED)
    plt.show()

# %% [markdown]
# ## 2.5 Keypoints from heatmaps
#
# Perfect heatmaps of all figures, read back by argmax: how many image pixels are lost on the way?
# That is the best any network can do with maps of this size and this reading.
#
# **Before you run it:** how large can the error be on a map of 64 x 64, and how large is it on
# average?

# %%
with step("tasks 2.1, 2.2, 2.5"):
    _, truth = keypoints()
    plt.figure(figsize=(6, 2.8))
    for size in (32, 64, 128):
        maps = torch.stack([dataset("val", heatmap_size=size)[i][1] for i in range(len(truth))])
        found = evaluate.extract_keypoints_from_heatmaps(maps) * 128 / size
        error = (found - truth).norm(dim=2).flatten()
        plt.hist(error.clamp(max=3), bins=np.linspace(-0.05, 3.05, 32).tolist(), alpha=0.6,
                 label=f"{size} x {size}: mean {error.mean():.2f} px")
    plt.xlabel("distance from the truth in image pixels (at 3: 3 and more)")
    plt.legend()
    plt.show()

# %% [markdown]
# ## 2.6 PCK
#
# The true keypoints, with noise added that grows from 0 to 20 pixels.
#
# **Before you run it:** where does each curve begin, which one falls first, and at how many
# pixels of noise is PCK@.05 down to a half? (A figure's diagonal is about 70 pixels.)

# %%
with step("tasks 2.1, 2.6"):
    _, truth = keypoints()
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(truth.shape, generator=generator)
    levels = np.linspace(0, 20, 21)
    values = [evaluate.compute_pck(truth + noise * level, truth, [0.05, 0.1, 0.2])
              for level in levels]
    plt.figure(figsize=(5, 3))
    for threshold in (0.05, 0.1, 0.2):
        plt.plot(levels, [pck[threshold] for pck in values], ".-", label=f"PCK@{threshold:.2f}")
    plt.xlabel("standard deviation of the noise in pixels")
    plt.legend()
    plt.show()

# %% [markdown]
# ## 2.7 Pictures
#
# What your own functions draw of predictions that are made up here: the truth with noise of 2
# pixels in the place of HeatmapNet's, and of 8 pixels in that of RegressionNet's.

# %%
with step("tasks 2.1, 2.6, 2.7"):
    images, truth = keypoints()
    thresholds = np.linspace(0, 0.5, 26).tolist()
    noisy = [truth + torch.randn(truth.shape, generator=torch.Generator().manual_seed(2)) * level
             for level in (2, 8)]
    evaluate.plot_pck_curves(*(evaluate.compute_pck(points, truth, thresholds) for points in noisy),
                             pictures / "curves.png")
    evaluate.visualize_predictions(images[0], noisy[1][0], truth[0], pictures / "predictions.png")
    display(Image(pictures / "curves.png", width=420),
            Image(pictures / "predictions.png", width=320))

# %% [markdown]
# ## 2.8 Learn sixteen images by heart
#
# Two minutes that can save an evening, with a constant learning rate and nothing else of yours than
# the networks. **The goal:** HeatmapNet puts nine of ten keypoints within .05 of the diagonal. Its
# loss begins by falling to .0031, that of answering 0 everywhere: look at how PCK leaves that place
# long before the loss does. The two losses cannot be compared: each is a mean over other things.
#
# **Before you run it:** will RegressionNet know sixteen images by heart as well?

# %%
EPOCHS, EVERY = (2, 1) if show.SHORT else (150, 10)

with step("tasks 2.1 to 2.6"):
    images, truth = keypoints("train")
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
    for axes, kind, name in zip(panels, ("heatmap", "regression"), ("HeatmapNet", "RegressionNet")):
        torch.manual_seed(0)
        network = getattr(model, name)()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        losses, pck = {}, {}
        for epoch in tqdm(range(1, EPOCHS + 1), name, leave=False):
            for batch, targets in DataLoader(dataset(output_type=kind), 8, shuffle=True):
                loss = functional.mse_loss(network.train()(batch), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if epoch % EVERY == 0:
                losses[epoch] = loss.item()
                pck[epoch] = evaluate.compute_pck(placed(network, images), truth, [0.05])[0.05]
        axes.semilogy(*zip(*losses.items()), ".-", color=show.NEGATIVE)
        if kind == "heatmap":
            nothing = np.pi * 2**2 / 64**2  # see task 2.8: sigma 2, 64 x 64 pixels
            axes.axhline(nothing, color=show.NEGATIVE, ls=":")
            axes.annotate(f"0 everywhere: {nothing:.4f}", (EPOCHS, nothing), ha="right",
                          va="bottom")
        axes.set(title=f"{name}: PCK@0.05 {pck[EPOCHS]:.2f} in the end", xlabel="epoch",
                 ylabel="loss (grey)")
        right = axes.twinx()
        right.plot(*zip(*pck.items()), ".-", color=show.PREDICTED)
        right.set(ylim=(-0.05, 1.05), ylabel="PCK@0.05 (red)")
    plt.show()

# %% [markdown]
# ## 2.8 Your training
#
# The curves of `results/training_log.json`. HeatmapNet may first learn to answer 0 everywhere
# (.0031), and stay there for some epochs.

# %%
with step("task 2.8"):
    logs = show.log(mine / "results" / "training_log.json")
    figure, panels = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for axes, (name, values) in zip(panels, logs.items()):
        show.curves(axes, {key: values[key] for key in ("train_loss", "val_loss")}, name)
    plt.show()

# %% [markdown]
# ## 2.10 and 2.11 Your trained networks on figures they have not seen
#
# Truth as dots, predictions as crosses, each keypoint in a colour of its own.
#
# **Before you run it:** which network is better, and by how much? Then: what does RegressionNet
# answer when it is wrong? Compare its crosses across the images.

# %%
with step("tasks 2.1, 2.3 to 2.6, 2.10"):
    images, truth = keypoints()
    found = {name: placed(show.trained(getattr(model, name)(), mine / "results" / file), images)
             for name, file in (("HeatmapNet", "heatmap_model.pth"),
                                ("RegressionNet", "regression_model.pth"))}
    figure, panels = plt.subplots(2, 4, figsize=(12, 6.4))
    for row, (name, points) in zip(panels, found.items()):
        for index, axes in enumerate(row):
            show.picture(axes, images[index], name, fade=0.4)
            for k in range(len(KEYPOINT_NAMES)):
                axes.plot(*truth[index, k], "o", color=f"C{k}")
                axes.plot(*points[index, k], "x", color=f"C{k}", mew=2)
    plt.show()
    for name, points in found.items():
        pck = evaluate.compute_pck(points, truth, [0.05, 0.1, 0.15, 0.2])
        print(f"{name:14s}", "  ".join(f"PCK@{t:.2f} {value:.3f}" for t, value in pck.items()))

# %% [markdown]
# The heatmaps behind the first image, with their highest values. A network that is unsure paints
# a wide or a double blob.

# %%
with step("tasks 2.1, 2.3, 2.10"):
    images, _ = keypoints()
    network = show.trained(model.HeatmapNet(), mine / "results" / "heatmap_model.pth")
    with torch.no_grad():
        heatmaps = network(images[:1])
    figure, panels = plt.subplots(1, 5, figsize=(12, 2.6))
    for axes, heatmap, name in zip(panels, heatmaps[0], KEYPOINT_NAMES):
        axes.imshow(heatmap, vmin=0, vmax=1)
        axes.set(title=f"{name}, {float(heatmap.max()):.2f}", xticks=[], yticks=[])
    plt.show()
