"""Datasets on disk: written beside, renamed into place, described by a manifest.

    OUT/{detection,keypoints}/{train,val}/000000.png ...
    OUT/{detection,keypoints}/{train,val}_annotations.json
    OUT/{detection,keypoints}.png       contact sheets
    OUT/audit.json
    OUT/manifest.json                   recipe, library versions, SHA-256 of every split

Everything is first written to OUT/generate-*.partial. Only a complete set is moved to its names,
the manifest last, so a folder without a manifest holds no complete dataset. OUT may hold other
files (by default it is this package's own folder): no other name is ever touched.
"""

import hashlib
import json
import platform
import shutil
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image
from tqdm import tqdm

from datasets import audit, contact_sheet, shapes, stick_figures
from datasets.recipe import DATASETS, SPLITS, Recipe

PREFIX, SUFFIX = "generate-", ".partial"
PARTIAL = f"{PREFIX}*{SUFFIX}"
MANIFEST = "manifest.json"
SPLIT_NAMES = tuple(f"{dataset}/{split}" for dataset in DATASETS for split in SPLITS)
NAMES = ("detection", "keypoints", "detection.png", "keypoints.png", "audit.json", MANIFEST)
PNG: dict[str, Any] = {"compress_level": 1, "compress_type": zlib.Z_RLE}  # fast and small


def generate(recipe: Recipe, out: Path, force: bool = False) -> dict | None:
    """Write the dataset of a recipe into `out` and return its audit; None when the same is there
    already.

    Raises ValueError when `out` holds anything else under the generated names, unless
    `force`; `OSError` when it cannot be written. Either way `out` keeps what it held.
    """
    there = not force and _is_there(recipe, out)
    for stale in out.glob(PARTIAL):  # of a run that was killed
        shutil.rmtree(stale, ignore_errors=True)
    if there:
        return None
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=out, prefix=PREFIX, suffix=SUFFIX))
    try:
        report = _write(recipe, partial)
        _swap_in(partial, out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                out.rmdir()
        raise
    shutil.rmtree(partial, ignore_errors=True)
    return report


def _is_there(recipe: Recipe, out: Path) -> bool:
    """Say whether `out` holds this dataset, complete; refuse if it holds another one."""
    present = [name for name in NAMES if (out / name).exists()]
    if not present:
        return False
    if MANIFEST not in present:
        if any(out.glob(PARTIAL)):
            return False  # what a killed run had moved into place
        raise ValueError(f"{out / present[0]} exists without a {MANIFEST}, so it may be "
                         "someone's own data; --force (make: FORCE=1) replaces it")
    found, _ = read_manifest(out)
    if found != recipe:
        wanted = vars(recipe)
        changes = ", ".join(f"{name} {value}, not {wanted[name]}"
                            for name, value in vars(found).items() if value != wanted[name])
        raise ValueError(f"{out} holds a dataset with {changes}; --force (make: FORCE=1) replaces "
                         "it")
    return len(present) == len(NAMES) and all(
        (out / f"{name}_annotations.json").exists()
        and len(list((out / name).glob("*.png"))) == recipe.count(name.split("/")[1])
        for name in SPLIT_NAMES)


def _swap_in(partial: Path, out: Path) -> None:
    """Move the old names out and the new ones in, manifest last; undo it all on an error."""
    old = partial / "old"
    old.mkdir()
    moves = [(out / name, old / name) for name in reversed(NAMES) if (out / name).exists()]
    moves += [(partial / name, out / name) for name in NAMES]
    begun = []
    try:
        for source, target in moves:
            begun.append((source, target))
            source.rename(target)
    except BaseException:
        for source, target in reversed(begun):
            if target.exists() and not source.exists():
                target.rename(source)
        raise


def _write(recipe: Recipe, folder: Path) -> dict:
    """Write all files of a dataset into `folder` and return its audit."""
    rows, digests = _write_images(recipe, folder)
    train_rows = sum(len(rows_of_image) for rows_of_image in rows["detection/train"])
    files = {
        "detection/train": shapes.annotation_file(rows["detection/train"], 0, 0),
        "detection/val": shapes.annotation_file(rows["detection/val"], recipe.train, train_rows),
        "keypoints/train": stick_figures.annotation_file(rows["keypoints/train"], 0),
        "keypoints/val": stick_figures.annotation_file(rows["keypoints/val"], recipe.train),
    }
    for name, content in files.items():
        write_json(folder / f"{name}_annotations.json", content)
    for dataset in DATASETS:
        contact_sheet.make(recipe, dataset).save(folder / f"{dataset}.png", **PNG)
    report = audit.audit(files)
    write_json(folder / "audit.json", report)
    versions = {"python": platform.python_version(), "pillow": PIL.__version__,
                "numpy": np.__version__}
    sha256 = {name: split_digest(digests[name], files[name]) for name in SPLIT_NAMES}
    write_json(folder / MANIFEST, {**vars(recipe), "versions": versions, "sha256": sha256})
    return report


def _write_images(recipe: Recipe, folder: Path) -> tuple[dict, dict]:
    """Write every PNG; return annotations and pixel digests, one per image, by split name."""
    rows: dict[str, list] = {name: [] for name in SPLIT_NAMES}
    digests: dict[str, list[bytes]] = {name: [] for name in SPLIT_NAMES}
    total = len(DATASETS) * (recipe.train + recipe.val)
    with tqdm(total=total, unit=" images", disable=None) as progress:
        for name in SPLIT_NAMES:
            dataset, split = name.split("/")
            kind = DATASETS[dataset]
            (folder / name).mkdir(parents=True)
            scenes = recipe.scenes(dataset, split, recipe.count(split))
            for image_id, scene in enumerate(scenes, recipe.first_id(split)):
                image = kind.render(scene)
                image.save(folder / name / f"{image_id:06d}.png", **PNG)
                rows[name].append(kind.annotate(scene))
                digests[name].append(pixel_digest(image))
                progress.update()
    return rows, digests


def pixel_digest(image: Image.Image) -> bytes:
    """Return the SHA-256 of an image's mode, size and pixels (not of its PNG bytes)."""
    return hashlib.sha256(f"{image.mode} {image.size}".encode() + image.tobytes()).digest()


def split_digest(pixel_digests: list[bytes], annotations: dict) -> str:
    """Return the SHA-256 (hex) of a split: its images in order, then its annotations."""
    canonical = json.dumps(annotations, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"".join(pixel_digests) + canonical.encode()).hexdigest()


def write_json(path: Path, content: dict) -> None:
    """Write `content` as JSON with indent 2."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> tuple[Recipe, dict[str, str]]:
    """Return a dataset's recipe and its digests by split name, or raise ValueError."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        recipe = Recipe(**{name: manifest[name] for name in vars(Recipe())})
        return recipe, {name: manifest["sha256"][name] for name in SPLIT_NAMES}
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} holds no complete dataset: {MANIFEST} is missing") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is broken ({error!r}); generate --force writes it anew") from error


def read_annotations(folder: Path) -> dict[str, dict]:
    """Return the annotation files by split name, once all files have their manifest's digests.

    Raises ValueError when anything is missing, unreadable or changed.
    """
    recipe, sha256 = read_manifest(folder)
    files = {}
    for name in SPLIT_NAMES:
        path = folder / f"{name}_annotations.json"
        split = name.split("/")[1]
        ids = range(recipe.first_id(split), recipe.first_id(split) + recipe.count(split))
        try:
            files[name] = json.loads(path.read_text(encoding="utf-8"))
            digests = []
            for image_id in ids:
                path = folder / name / f"{image_id:06d}.png"
                with Image.open(path) as image:
                    digests.append(pixel_digest(image))
        except (OSError, ValueError, SyntaxError) as error:  # the last from Pillow's PNG reader
            raise ValueError(f"{path} is missing or broken: {error}") from error
        if split_digest(digests, files[name]) != sha256[name]:
            raise ValueError(f"{folder / name} or its annotations differ from {MANIFEST}")
    return files
