"""Probes of the two datasets: write a few images and their JSON, read them through the student."""

import json
from pathlib import Path

from PIL import Image

from ...engine.sandbox.probes import kind


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
    """
    paths = write(student.folder, images, annotations)
    options = {}
    if transform == "size":
        options["transform"] = lambda image: [*image.size, image.mode]
    dataset_class = student("dataset.ShapeDetectionDataset")
    return with_paths(lambda *paths: _items(dataset_class(*paths, **options)), *paths)


def _items(dataset):
    return {"length": len(dataset), "items": [dataset[i] for i in range(len(dataset))]}


def collated(student, batch):
    """What `collate_fn` makes of a list of (image, target) pairs."""
    return student("dataset.collate_fn")([(image, target) for image, target in batch])


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
        except NotImplementedError:
            raise
        except Exception as error:
            raised.append(kind(error))
    return raised


def heatmaps(student, images, annotations, options, keypoints, height, width):
    """`generate_heatmap` of a KeypointDataset, for keypoints `[K, 2]` in heatmap pixels.

    The keypoints go in as a tensor and, if that raises, as a numpy array: the interface names no
    type, and a student's own `__getitem__` decides which of the two the method sees.

    Args:
        images: uint8 by file name; annotations: the content of the JSON file.
        options: keywords of the dataset; height, width: of the heatmaps.
    """
    paths = write(student.folder, images, annotations)
    dataset_class = student("dataset.KeypointDataset")
    dataset = with_paths(lambda *paths: dataset_class(*paths, **options), *paths)
    try:
        return dataset.generate_heatmap(keypoints.clone(), height, width)
    except NotImplementedError:
        raise
    except Exception:
        return dataset.generate_heatmap(keypoints.numpy().copy(), height, width)
