"""Probes of the two datasets: write a few images and their JSON, read them through the student."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from ...engine.sandbox.keys import Unrecorded
from ...engine.sandbox.probes import kind, unchanged
from ...engine.sandbox.recording import replace
from ...engine.sandbox.student import Missing


def write(folder: Path, images: dict, annotations: dict, name: str = "asked") -> tuple[Path, Path]:
    """Write `{file name: uint8 array [H, W] or [H, W, 3 or 4]}` and the JSON; both paths.

    Args:
        name: of the folder of images, with which that of the JSON begins.
    """
    image_dir = folder / name
    image_dir.mkdir(parents=True)
    for file, pixels in images.items():
        Image.fromarray(pixels.numpy()).save(image_dir / file)
    annotation_file = folder / f"{name}_annotations.json"
    annotation_file.write_text(json.dumps(annotations), encoding="utf-8")
    return image_dir, annotation_file


def with_paths(make, *paths):
    """`make(*paths)` with paths as text and, if that raises, as `pathlib.Path`: the interface names
    no type, so both are right."""
    try:
        return make(*map(str, paths))
    except NotImplementedError:
        raise
    except (TypeError, AttributeError) as error:
        try:
            return make(*paths)
        except (TypeError, AttributeError):
            raise error from None


def annotated_items(student, images, annotations, transform=None):
    """Every item of a ShapeDetectionDataset, and its length.

    Args:
        transform: None, or "size": a transform that returns the size and mode of what it is given.
            There are `tensors` then as well: all images with one that returns `[3, 4, 6]` in -1..1.
    """
    paths = write(student.folder, images, annotations)
    dataset_class = student("dataset.ShapeDetectionDataset")

    def items(own=None):
        options = {"transform": own} if own else {}
        return with_paths(lambda *paths: _items(dataset_class(*paths, **options)), *paths)

    if transform is None:
        return items()
    found = items(lambda image: [*image.size, image.mode])
    return {**found, "tensors": [image for image, _ in items(_small)["items"]]}


def _small(image):
    pixels = np.array(image.resize((6, 4)), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)


def _items(dataset):
    """Its length and its items as they are in the second epoch: code may change what it keeps."""
    for _ in range(2):
        items = [dataset[i] for i in range(len(dataset))]
    return {"length": len(dataset), "items": items}


def collated(student, batch):
    """What `collate_fn` makes of a list of (image, target) pairs, which it leaves as they were."""
    collate_fn, batch = student("dataset.collate_fn"), [tuple(item) for item in batch]
    with unchanged("collate_fn", [batch]):
        return collate_fn(batch)


def keypoint_items(student, images, annotations, options):
    """Every item of a KeypointDataset made with the keyword `options`, and its length."""
    paths = write(student.folder, images, annotations)
    dataset_class = student("dataset.KeypointDataset")
    return with_paths(lambda *paths: _items(dataset_class(*paths, **options)), *paths)


def output_types(student, images, annotations, words):
    """What a KeypointDataset raises with each word as its `output_type`, here or at an item.

    Returns:
        list of the names of the exceptions' types; None where there is no exception.
    """
    paths = write(student.folder, images, annotations)
    dataset_class = student("dataset.KeypointDataset")
    raised = []
    for word in words:
        try:
            with_paths(lambda *paths, word=word: _items(dataset_class(*paths, output_type=word)),
                       *paths)
            raised.append(None)
        except (NotImplementedError, Missing, Unrecorded):
            raise
        except Exception as error:
            raised.append(kind(error))
    return raised


def heatmaps(student, images, annotations, options, keypoints, height, width, pure=False):
    """`generate_heatmap` of a KeypointDataset, for keypoints `[K, 2]` in heatmap pixels.

    The keypoints go in as a tensor and, if that raises, as a numpy array: the interface names no
    type, and a student's own `__getitem__` decides which of the two the method sees. Where the
    dataset cannot be made, which another task asks, the method gets one that has the options alone.

    Args:
        images: uint8 by file name; annotations: the content of the JSON file.
        options: keywords of the dataset; height, width: of the heatmaps.
        pure: the keypoints must stay as they were.
    """
    paths = write(student.folder, images, annotations)
    dataset_class = student("dataset.KeypointDataset")
    try:
        dataset = with_paths(lambda *paths: dataset_class(*paths, **options), *paths)
    except Exception as error:
        dataset = dataset_class.__new__(dataset_class)
        vars(dataset).update(options)
        try:
            return _drawn(dataset, keypoints, height, width, pure)
        except NotImplementedError:
            raise
        except Exception:
            raise error from None
    return _drawn(dataset, keypoints, height, width, pure)


def _drawn(dataset, keypoints, height, width, pure):
    own = keypoints.clone()
    with unchanged("generate_heatmap", (own,) * pure):
        try:
            return dataset.generate_heatmap(own, height, width)
        except NotImplementedError:
            raise
        except Exception:
            return dataset.generate_heatmap(own.numpy(), height, width)


def beside_wrong_targets(student, splits, run):
    """What `run()` answers; what it answers with right items of a KeypointDataset is added as
    "again", or takes its place if it raises, where the items of the student's own are wrong: tasks
    2.1 and 2.2 ask what they are, and code may fit its own dataset.

    Args:
        splits: `(images, annotations)` as in `write`, by the paths that this has returned.
    """
    answer = error = None
    try:
        answer = run()
    except Exception as failure:
        error = failure
    if not _all_right(student, splits):
        replace(student, "dataset.KeypointDataset", lambda own: _with_right_items(own, splits))
        replace(student, "dataset.split_paths", lambda own: own or _split_paths)
        try:
            again = run()
            return {**(answer or again), "again": answer and again}
        except Exception as failure:
            # What is not written here says more than what is not written there.
            if error is not None and isinstance(failure, NotImplementedError):
                error = failure
    if error is not None:
        raise error
    return {**answer, "again": None}


def _split_paths(data, split):
    """As the handout gives it: a file that cannot be imported has none."""
    return Path(data) / split, Path(data) / f"{split}_annotations.json"


def _right_items(images, annotations):
    """`(image, target)` of a dataset of coordinates."""
    for entry in annotations["images"]:
        pixels = images[entry["file_name"]]
        yield pixels[None] / 255, torch.tensor(entry["keypoints"]).flatten() / len(pixels)


def _all_right(student, splits):
    """Whether the student's datasets have the right images and coordinates, and heatmaps of the
    right size that depend on sigma."""
    try:
        make = student("dataset.KeypointDataset")
        for paths, content in splits.items():
            own = with_paths(lambda *paths: make(*paths, output_type="regression"), *paths)
            wide, narrow = (torch.as_tensor(with_paths(lambda *paths, sigma=sigma: make(
                *paths, heatmap_size=32, sigma=sigma), *paths)[0][1]) for sigma in (3.0, 1.0))
            right = list(_right_items(*content))
            if (len(own) != len(right) or wide.shape[1:] != (32, 32)
                    or torch.allclose(wide, narrow)):
                return False
            for index, item in enumerate(right):
                for got, want in zip(own[index], item):
                    if not torch.allclose(torch.as_tensor(got), want):
                        return False
    except Exception:
        return False
    return True


def _with_right_items(own, splits):
    """A KeypointDataset like the student's `own`, whose coordinates are right. Its heatmaps have
    the right size, and sigma for every value: nobody looks at them but `baseline.ablation`."""
    known = {str(paths[1]): content for paths, content in splits.items()}

    class KeypointDataset(own if isinstance(own, type) else Dataset):
        def __init__(self, image_dir, annotation_file, output_type="heatmap", heatmap_size=64,
                     sigma=2.0):
            with suppress(Exception):  # what else it has, other code may use
                super().__init__(image_dir, annotation_file, output_type, heatmap_size, sigma)
            self._items = [
                (image, target if output_type == "regression"
                 else torch.full((len(target) // 2, heatmap_size, heatmap_size), float(sigma)))
                for image, target in _right_items(*known[str(annotation_file)])]

        def __len__(self):
            return len(self._items)

        def __getitem__(self, index):
            return self._items[index]

    return KeypointDataset
