"""Datasets on disk: complete or not there, and never at the cost of other files."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import contact_sheet, draw, store
from datasets.recipe import Recipe

RECIPE = Recipe(train=4, val=2)
CLASSIC = Recipe(profile="classic", train=4, val=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "out"
    store.generate(RECIPE, folder)
    return folder


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


def contents(folder):
    """Return every file below `folder` with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}


def test_layout(made):
    files = set(contents(made))
    assert files == {
        *(f"{d}/train/{i:06d}.png" for d in ("detection", "keypoints") for i in range(4)),
        *(f"{d}/val/{i:06d}.png" for d in ("detection", "keypoints") for i in (4, 5)),
        *(f"{d}/{s}_annotations.json" for d in ("detection", "keypoints") for s in store.SPLITS),
        "detection.png", "keypoints.png", "audit.json", "manifest.json"}


def test_annotation_ids_run_on_into_validation(made):
    train, val = (json.loads((made / f"detection/{split}_annotations.json").read_text())
                  for split in ("train", "val"))
    ids = [row["id"] for row in train["annotations"] + val["annotations"]]
    assert ids == list(range(len(ids)))
    assert [image["id"] for image in val["images"]] == [4, 5]
    assert {row["image_id"] for row in val["annotations"]} == {4, 5}


@pytest.mark.parametrize("split", ["train", "val"])
def test_files_hold_the_samples_of_draw(made, split):
    content = json.loads((made / f"detection/{split}_annotations.json").read_text())
    samples = draw("standard", "detection", split, 641, RECIPE.count(split))
    for image, sample in zip(content["images"], samples):
        pixels = np.array(Image.open(made / "detection" / split / image["file_name"]))
        np.testing.assert_array_equal(pixels, sample.image)
        rows = [row for row in content["annotations"] if row["image_id"] == image["id"]]
        np.testing.assert_array_equal([row["bbox"] for row in rows], sample.boxes)
        np.testing.assert_array_equal([row["category_id"] for row in rows], sample.labels)
    content = json.loads((made / f"keypoints/{split}_annotations.json").read_text())
    samples = draw("standard", "keypoints", split, 641, RECIPE.count(split))
    for image, sample in zip(content["images"], samples):
        pixels = np.array(Image.open(made / "keypoints" / split / image["file_name"]))
        np.testing.assert_array_equal(pixels, sample.image)
        np.testing.assert_array_equal(image["keypoints"], sample.keypoints)


def test_manifest_states_the_recipe_and_versions(made):
    manifest = json.loads((made / "manifest.json").read_text())
    assert set(manifest) == {*vars(RECIPE), "versions", "sha256"}
    assert {name: manifest[name] for name in vars(RECIPE)} == vars(RECIPE)
    assert set(manifest["versions"]) == {"python", "pillow", "numpy"}
    assert store.read_manifest(made)[0] == RECIPE


def test_digests_follow_the_seed_and_the_palette(made, tmp_path):
    _, digests = store.read_manifest(made)
    store.generate(replace(RECIPE, seed=642), tmp_path / "seed")
    store.generate(replace(RECIPE, palette="random"), tmp_path / "palette")
    _, of_seed = store.read_manifest(tmp_path / "seed")
    _, of_palette = store.read_manifest(tmp_path / "palette")
    assert [name for name in digests if of_seed[name] == digests[name]] == []
    same = [name for name in digests if of_palette[name] == digests[name]]
    assert same == ["keypoints/train", "keypoints/val"]


def test_digests_are_over_pixels_and_not_over_png_bytes(copy):
    path = copy / "keypoints/val/000004.png"
    Image.open(path).save(path, compress_level=9)
    assert set(store.read_annotations(copy)) == set(store.SPLIT_NAMES)


def test_a_changed_pixel_is_found(copy):
    path = copy / "keypoints/val/000004.png"
    image = Image.open(path)
    image.putpixel((3, 3), 254)
    image.save(path)
    with pytest.raises(ValueError, match=r"val or its annotations differ"):
        store.read_annotations(copy)


def test_a_changed_box_is_found(copy):
    path = copy / "detection/train_annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"][0] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"train or its annotations differ"):
        store.read_annotations(copy)


@pytest.mark.parametrize("name", ["detection/train/000001.png", "keypoints/val_annotations.json"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "garbage"])
def test_a_broken_file_is_named(copy, name, damage):
    path = copy / name
    whole = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"empty": b"", "cut": whole[:-60], "garbage": b"\xff" * 99}[damage])
    with pytest.raises(ValueError) as caught:
        store.read_annotations(copy)
    assert f"{path} is missing or broken: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"profile": "modern"}', '{"profile": "standard", "seed": "x"}']
)
def test_a_broken_manifest_is_named(copy, text):
    (copy / "manifest.json").write_text(text)
    for use in (lambda: store.read_annotations(copy), lambda: store.generate(RECIPE, copy)):
        with pytest.raises(ValueError, match="manifest.json is broken"):
            use()


def test_the_same_dataset_is_left_as_it_is(copy):
    (copy / "detection/train/000000.png").write_bytes(b"touched")
    before = contents(copy)
    assert store.generate(RECIPE, copy) is None
    assert contents(copy) == before


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"palette": "random"}, {"train": 5}, {"val": 3}, {"profile": "classic"}]
)
def test_another_dataset_is_refused_without_force(copy, change):
    before = contents(copy)
    with pytest.raises(ValueError, match=f"with {next(iter(change))} .*--force"):
        store.generate(replace(RECIPE, **change), copy)
    assert contents(copy) == before


def test_force_replaces_the_generated_names_and_nothing_else(copy):
    (copy / "store.py").write_text("someone's")
    (copy / "detection/train/note.txt").write_text("goes with the old images")
    assert store.generate(CLASSIC, copy, force=True) is not None
    assert store.read_manifest(copy)[0] == CLASSIC
    store.read_annotations(copy)
    assert (copy / "store.py").read_text() == "someone's"
    assert {path.name for path in copy.iterdir()} == {*store.NAMES, "store.py"}
    assert not (copy / "detection/train/note.txt").exists()


def test_data_without_a_manifest_is_refused_without_force(tmp_path):
    theirs = tmp_path / "keypoints/mine.txt"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    with pytest.raises(ValueError,
                       match=r"keypoints exists without a manifest.json.*--for"):
        store.generate(RECIPE, tmp_path)
    assert contents(tmp_path) == {"keypoints/mine.txt": b"theirs"}


def test_a_lost_image_is_drawn_again(made, copy):
    (copy / "keypoints/train/000002.png").unlink()
    assert store.generate(RECIPE, copy) is not None
    assert contents(copy) == contents(made)


def test_a_killed_run_is_cleared_away(made, copy):
    (copy / "manifest.json").unlink()  # as after a kill between two renames
    (copy / "generate-1.partial" / "old").mkdir(parents=True)
    assert store.generate(RECIPE, copy) is not None
    assert contents(copy) == contents(made)


def test_a_stale_partial_folder_is_cleared_beside_a_complete_dataset(made, copy):
    (copy / "generate-1.partial" / "detection").mkdir(parents=True)
    assert store.generate(RECIPE, copy) is None
    assert contents(copy) == contents(made)
    assert not list(copy.glob(store.PARTIAL))


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_an_error_while_writing_leaves_things_as_they_were(copy, tmp_path, monkeypatch, error):
    def fail(recipe, dataset):
        raise error

    monkeypatch.setattr(contact_sheet, "make", fail)
    before = contents(copy)
    with pytest.raises(error):
        store.generate(CLASSIC, copy, force=True)
    assert contents(copy) == before
    assert not list(copy.glob(store.PARTIAL))
    with pytest.raises(error):
        store.generate(CLASSIC, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_second_run_beside_the_first_wins_whole(tmp_path, monkeypatch):
    make, second = contact_sheet.make, replace(RECIPE, seed=1)

    def make_after_the_second_run(recipe, dataset):
        if recipe == RECIPE:
            store.generate(second, tmp_path)
        return make(recipe, dataset)

    monkeypatch.setattr(contact_sheet, "make", make_after_the_second_run)
    with pytest.raises(FileNotFoundError):
        store.generate(RECIPE, tmp_path)
    assert store.read_manifest(tmp_path)[0] == second
    store.read_annotations(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(store.NAMES)


@pytest.mark.parametrize("failing", range(2 * len(store.NAMES)))
def test_an_error_while_renaming_is_undone(copy, monkeypatch, failing):
    rename, calls = Path.rename, []

    def fail_once(self, target):
        calls.append(self)
        if len(calls) == failing + 1:
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    before = contents(copy)
    with pytest.raises(OSError, match="no"):
        store.generate(replace(RECIPE, seed=1), copy, force=True)
    assert contents(copy) == before


def test_the_manifest_moves_out_first_and_in_last(copy, monkeypatch):
    rename, moves = Path.rename, []

    def note(self, target):
        moves.append((self.parent == copy, self.name))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", note)
    store.generate(replace(RECIPE, seed=1), copy, force=True)
    assert moves[0] == (True, "manifest.json")
    assert moves[-1] == (False, "manifest.json")


@pytest.mark.parametrize("count", [1, 7, 30])
def test_contact_sheet_shows_up_to_24_images(count):
    recipe = Recipe(train=count, val=1)
    for dataset in ("detection", "keypoints"):
        sheet = contact_sheet.make(recipe, dataset)
        columns, rows = {1: (1, 1), 7: (6, 2), 30: (6, 4)}[count]
        assert sheet.size == (columns * 230 + 6, rows * 230 + 6 + 24)
