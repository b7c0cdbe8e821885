"""Probes of the ablation and of failure cases: nothing is trained, and all answers are prepared.

A network knows an image by its first pixel: i / 255 in image i of the validation split.
"""

import functools
import json
import secrets
import shutil

import torch
import torch.nn as nn
from PIL import Image

from ...engine.sandbox.recording import replace
from ...engine.sandbox.student import Unusable
from .data import beside_wrong_targets, with_paths, write

TRAINING = 200  # first pixels of training images begin here


def _index(images):
    return (images[:, 0, 0, 0] * 255).round().long()


def _peaks(cells, size):
    """Maps `[N, K, size, size]` that are 1 at cells `[N, K, 2]` and 0 elsewhere."""
    flat = torch.zeros(*cells.shape[:2], size * size)
    return flat.scatter(2, cells[..., 1:] * size + cells[..., :1], 1).unflatten(2, (size, size))


class Answers(nn.Module):
    """Answers each image with its row of what is prepared, and with that of image 0 in training
    mode."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows
        self.weight = nn.Parameter(torch.zeros(1))  # for code that asks for the model's device

    def forward(self, x):
        return self.rows[_index(x) * (not self.training)]


def ablation(student, splits, variants, cells, seeds, epochs, batch_size, save, options):
    """What `ablation_study` returns where training is scripted.

    A network that has been trained as the rules say peaks at the cells of its variant and seed on
    validation images. One that has been trained otherwise peaks in the corner on the image whose
    number tells what was wrong, and any network does so in training mode.

    Args:
        splits: for `train` and `val` the images by file name and the content of the JSON file.
        variants: `[heatmap_size, sigma, skip]` each; cells: int64 `[variants, seeds, N, K, 2]`.
        epochs, seeds, batch_size: that each training must have; options: the keywords of the call,
            which may leave them to their defaults.
        save: whether the rows are to be saved as well.

    Returns:
        `rows`: what the student's function returned; `file`: what it saved; `trainings`: what each
        training was given; `again`: see `beside_wrong_targets`.
    """
    folder, trainings = student.folder / "asked_data", []
    # The variant and the seed that a trained network answers for, and what is wrong, by the number
    # in its state: nobody can write down the number of a training that was not made.
    results = {}
    paths = {split: write(folder, *content, split) for split, content in splits.items()}
    file = student.folder / "asked" / "rows.json"

    class Network(nn.Module):
        def __init__(self, num_keypoints=5, skip=True, heatmap_size=64):
            super().__init__()
            self.skip, self.heatmap_size = skip, heatmap_size
            self.weight = nn.Parameter(torch.rand(1))
            self.register_buffer("state", torch.zeros(1, dtype=torch.int64))  # see `results`

        def forward(self, x):
            index, number = _index(x) % cells.shape[2], int(self.state)
            variant, seed, fault = results.get(number, (0, 0, 0))
            right = (index + 1 != fault) & (number in results) & (not self.training)
            return _peaks(cells[variant, seed, index] * right[:, None, None], self.heatmap_size)

    @functools.cache
    def target_of(split, size, sigma, place):
        """What the student's own dataset has for a variant."""
        dataset = with_paths(lambda *paths: student("dataset.KeypointDataset")(
            *paths, heatmap_size=size, sigma=sigma), *paths[split])
        return torch.as_tensor(dataset[place][1])

    def is_of(variant, index, targets):
        """Whether targets are those of a variant."""
        split, first = ("train", TRAINING) if (index >= TRAINING).any() else ("val", 0)
        # The first image of the split, so that few are drawn, in whatever order they come.
        place = int(torch.where(index >= first, index, 999).argmin())
        return torch.allclose(target_of(split, *variant[:2], int(index[place]) - first),
                              targets[place])

    def train(model, train_loader, val_loader=None, num_epochs=30, **_):
        seed = torch.initial_seed()
        images, targets = (torch.cat(parts) for parts in zip(*train_loader))
        if targets.shape[2:] != (model.heatmap_size,) * 2:
            raise ValueError(f"HeatmapNet answers maps of {model.heatmap_size} x "
                             f"{model.heatmap_size}, but the targets are {list(targets.shape)}")
        index = _index(images)
        done = [given["variant"] for given in trainings if given["seed"] == seed]
        fitting = [variant for variant in variants if variant[::2] == [
            model.heatmap_size, bool(model.skip)] and is_of(variant, index, targets)]
        given = {"variant": next((v for v in fitting if v not in done), (fitting or [None])[0]),
                 "seed": seed, "epochs": num_epochs, "images": len(index.unique()),
                 "val": bool((index < TRAINING).any()), "again": int(model.state) in results}
        faults = (given["val"], given["again"], num_epochs != epochs,
                  # some drop the last batch, if it is not full
                  given["images"] < len(splits["train"][0]) // batch_size * batch_size,
                  seed not in seeds or given["variant"] in done, not fitting)
        model.state.fill_(secrets.randbits(60))
        results[int(model.state)] = (
            variants.index(given["variant"]) if fitting else 0,
            seeds.index(seed) if seed in seeds else 0,
            next((place for place, wrong in enumerate(faults, 1) if wrong), 0))
        trainings.append(given)
        losses = [1 / (1 + epoch) for epoch in range(num_epochs)]
        return {"train_loss": losses, "val_loss": losses}

    replace(student, "model.HeatmapNet", lambda _: Network)
    replace(student, "train.train_heatmap_model", lambda _: train)

    def run():
        function = student("baseline.ablation_study")
        file.unlink(missing_ok=True)
        target_of.cache_clear()

        def once(data, *path):
            trainings.clear()
            return function(data, *path, **{
                key: tuple(value) if key == "seeds" else value for key, value in options.items()})

        rows, saved = with_paths(once, folder, *[file] * save), None
        if file.is_file():
            try:
                saved = json.loads(file.read_text(encoding="utf-8-sig"))
            except ValueError:
                raise Unusable("what ablation_study writes to save_path is no JSON") from None
        return {"rows": _untimed(rows), "file": _untimed(saved), "trainings": [*trainings]}

    return beside_wrong_targets(student, {paths[split]: splits[split] for split in splits}, run)


def _untimed(rows):
    """Rows without `seconds`, which differ from run to run."""
    return [{key: value for key, value in row.items() if key != "seconds"}
            if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else rows


def failure_cases(student, images, annotations, size, cells, points, options):
    """What `analyze_failure_cases` returns about prepared answers, and the pictures it writes.

    Args:
        images, annotations: of a KeypointDataset.
        size: of the heatmaps; cells: int64 `[N, K, 2]`, their peaks.
        points: `[N, 2K]` in 0..1, answers of the other network; options: keywords of each call.
    """
    paths, folder = write(student.folder, images, annotations), student.folder / "asked_pictures"

    def run():
        function, pictures = student("baseline.analyze_failure_cases"), set()
        dataset = with_paths(lambda *paths: student("dataset.KeypointDataset")(
            *paths, output_type="regression"), *paths)

        def called(own):
            shutil.rmtree(folder, ignore_errors=True)
            report = with_paths(lambda path: function(
                Answers(_peaks(cells, size)), Answers(points), dataset, path, **own), folder)
            pictures.update(path.name for path in folder.glob("*") if _is_picture(path))
            return report

        return {"reports": [called(own) for own in options], "pictures": sorted(pictures)}

    return beside_wrong_targets(student, {paths: (images, annotations)}, run)


def _is_picture(path):
    try:
        with Image.open(path) as image:
            darkest, lightest = image.convert("L").getextrema()
            return image.format == "PNG" and min(image.size) >= 50 and darkest < lightest
    except OSError:
        return False
