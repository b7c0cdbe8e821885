"""Task 1.1: ShapeDetectionDataset and collate_fn."""

import numpy as np

from datasets.constants import CLASSES

from ...engine.check import Question, check
from ...engine.compare import Wrong, array, close, entries, equal, kind, sequence
from .inputs import whole


def _scene(rng, objects, modes=None, transform=None, mixed=False, classes=(0, 1, 2),
           widest=0) -> Question:
    """Small images of different, non-square sizes, of blocks, which compress well. Only the first
    is white somewhere.

    The categories are not in the order of their ids.

    Args:
        objects: how many an image has, for each image.
        modes: of the image files; RGB unless given.
        mixed: ids are no running numbers, nor do they stand in file names or in order, annotations
            are not in the order of the images, and there is a file that the JSON does not name.
        classes: of the objects, each of which occurs.
        widest: how wide one image is, in pixels, and the second one is nearly black; as the others
            if 0.
    """
    objects = [int(count) for count in rng.permutation(objects)]
    modes = rng.permutation(modes or ["RGB"] * len(objects)).tolist()
    ids = [int(i) for i in rng.permutation(900)[:len(modes)] + 7] if mixed else range(len(modes))
    numbers = rng.permutation(900)[:len(modes)].tolist() if mixed else ids
    heights, widths = rng.permutation(np.arange(24, 48))[:2 * len(modes)].reshape(2, -1).tolist()
    if widest:
        widths[whole(rng, 0, len(widths) - 1)] = widest
    images: dict[str, np.ndarray] = {}
    listed: list[dict] = []
    annotations: list[dict] = []
    for image_id, number, mode, count, height, width in zip(ids, numbers, modes, objects, heights,
                                                            widths):
        depth = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
        blocks = rng.integers(20, 200, (height // 4 + 1, width // 4 + 1, *depth)).astype(np.uint8)
        pixels = blocks.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
        if not listed:
            pixels[0, 0], pixels[0, 1] = 0, 255
        elif widest and len(listed) == 1:
            pixels %= 2  # whoever asks pixels whether they are in 0..1 is told so
        if mode == "RGBA":
            pixels[..., 3] = 255
        name = f"{number:06d}.png"
        images[name] = pixels
        listed.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for _ in range(count):
            x1, y1 = (int(v) for v in rng.integers(1, 10, 2))
            w, h = (int(v) for v in rng.integers(3, 12, 2))
            annotations.append({
                "id": 99 - len(annotations) if mixed else len(annotations), "image_id": image_id,
                "area": w * h, "category_id": int(rng.choice(classes)),
                "bbox": [x1, y1, x1 + w, y1 + h],
            })
    for annotation, label in zip(annotations, classes):
        annotation["category_id"] = int(label)
    if mixed:
        images["999999.png"] = images[name]
        annotations = [annotations[i] for i in _shuffle_between_images(annotations, rng)]
    content = {"images": listed, "annotations": annotations,
               "categories": [{"id": i, "name": CLASSES[i]} for i in (2, 0, 1)]}
    inputs = {"images": images, "annotations": content, "transform": transform}
    return Question("problem1", "annotated_items", inputs)


def _shuffle_between_images(annotations, rng):
    """A random order that keeps the order of the objects within an image."""
    keys = {}
    for i, annotation in enumerate(annotations):
        keys.setdefault(annotation["image_id"], []).append(i)
    owners = rng.permutation([a["image_id"] for a in annotations])
    return [keys[int(owner)].pop(0) for owner in owners]


def _items(answer, expected):
    if answer["length"] != expected["length"]:
        raise Wrong(f"len(dataset) should be {expected['length']}, one per entry of the JSON's "
                    f"images, but is {answer['length']}.")
    items = sequence(answer["items"], expected["length"], "the dataset")
    for index, (got, want) in enumerate(zip(items, expected["items"])):
        yield index, sequence(got, 2, f"item {index}"), want


@check("1.1.1", "P1.dataset.image", lambda rng: _scene(
    rng, [1, 2, 3, 1][:whole(rng, 3, 4)], widest=whole(rng, 513, 550)))
def test_images(answer, expected, question):
    """An image is float32 [3, H, W] with 255 as 1.0, in RGB order, and is not resized."""
    files = list(question.inputs["images"].values())
    for index, (image, _), (want, _) in _items(answer, expected):
        name = f"the image of item {index}"
        array(image, name, want.shape, "float32")
        # A known mistake may resize: the values are then those of its interpolation, one of many.
        if want.shape[1:] == files[index].shape[:2]:
            close(image, want, name, atol=1e-5)


def _odd(rng):
    """Objects of two classes, with fractions of pixels. Some are half a pixel wide, some leave the
    image, far beyond the size of those of the course, and one has no width. In one image all
    numbers are whole ones."""
    scene = _scene(rng, [2, 3, 4, 1][:whole(rng, 3, 4)], classes=rng.permutation(
        [2, whole(rng, 0, 1)]))
    content = scene.inputs["annotations"]
    kept = content["images"][whole(rng, 0, 2)]["id"]
    for number, annotation in enumerate(a for a in content["annotations"] if a["image_id"] != kept):
        x1, y1, x2, y2 = annotation["bbox"]
        width = 0.5 * (number > 0) if number % 3 == 0 else x2 - x1 + 300 * (number % 3 == 1)
        annotation["bbox"] = [x1 + 0.25, y1 - 12.5 * (number % 3 == 1), x1 + 0.25 + width,
                              y2 + int(rng.integers(1, 8)) / 8]
    return scene


@check("1.1.2", "P1.dataset.boxes", _odd)
def test_boxes_and_labels(answer, expected):
    """Boxes are the JSON's xyxy numbers as they are, labels its category ids."""
    for index, (_, target), (_, want) in _items(answer, expected):
        boxes, labels = entries(target, ["boxes", "labels"], f"the target of item {index}")
        close(boxes, want["boxes"], f"boxes of item {index}", dtype="float32")
        equal(labels, want["labels"], f"labels of item {index}", dtype="int64")


@check("1.1.3", "P1.dataset.order", lambda rng: _scene(
    rng, [1, 1, 1, 2, 3, 2][:whole(rng, 4, 6)], mixed=True))
def test_order(answer, expected):
    """Items come in the order of the JSON's images, each with the objects of its own image id."""
    sides = [sorted(image.shape) for image, _ in expected["items"]]  # of no two images the same
    for index, (image, target), (_, want) in _items(answer, expected):
        # In whatever form and size the image comes, which other checks ask.
        shape = sorted(getattr(image, "shape", ()))
        if shape != sides[index] and shape in sides:
            raise Wrong(f"item {index} should be the image of entry {index} of the JSON's images, "
                        f"but is that of entry {sides.index(shape)}.")
        boxes, = entries(target, ["boxes"], f"the target of item {index}")
        close(boxes, want["boxes"], f"boxes of item {index}")


@check("1.1.4", "P1.dataset.empty", lambda rng: _scene(
    rng, [0, 0, *rng.integers(0, 6, whole(rng, 1, 3)), 1, 2]))
def test_image_without_objects(answer, expected):
    """An image without annotations is an item with boxes float32 [0, 4] and labels int64 [0]."""
    for index, (_, target), (_, want) in _items(answer, expected):
        boxes, labels = entries(target, ["boxes", "labels"], f"the target of item {index}")
        item = f"item {index} (objects: {len(want['labels'])})"
        # The types of others test_boxes_and_labels asks.
        types = (None, None) if len(want["labels"]) else ("float32", "int64")
        if isinstance(boxes, list):  # an empty one is no tensor of shape [0]
            raise Wrong(f"boxes of {item} should be a tensor, but is {kind(boxes)}.")
        array(boxes, f"boxes of {item}", want["boxes"].shape, types[0])
        array(labels, f"labels of {item}", want["labels"].shape, types[1])


ALIKE = 0.9  # correlation of two images; interpolation to a larger one leaves .95 and more


def _sampled(image, size):
    """An image `[C, H, W]` at the centres of the pixels of one with another size (H, W)."""
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(int)
                     for new, old in zip(size, image.shape[1:]))
    return image[:, rows][:, :, columns].astype(np.float64)


@check("1.1.5", "P1.dataset.modes", lambda rng: _scene(
    rng, [1, 2, 1], modes=["L", "RGBA", str(rng.choice(["L", "RGBA", "RGB"]))]))
def test_grey_and_rgba_files(answer, expected, question):
    """Grey and RGBA files become RGB images with three channels."""
    files = list(question.inputs["images"].values())
    for index, (image, _), (want, _) in _items(answer, expected):
        mode = {(): "grey", (3,): "RGB", (4,): "RGBA"}[files[index].shape[2:]]
        name = f"the image of item {index} ({mode} file)"
        if array(image, name).ndim != 3 or len(image) != len(want):
            array(image, name, want.shape)
        # Its size, and what its values are divided by or what is taken away, 1.1.1 asks.
        for channel, (got, right) in enumerate(zip(_sampled(image, want.shape[1:]), want)):
            with np.errstate(invalid="ignore"):
                likeness = np.corrcoef(got.ravel(), right.ravel())[0, 1]
            if not likeness > ALIKE:
                raise Wrong(f"channel {channel} of {name} does not show what the file has there "
                            "when it is read as RGB.")


@check("1.1.6", "P1.dataset.transform", lambda rng: _scene(
    rng, [1, 2, 3, 1], modes=["L", "RGBA", "RGB", "RGB"][:whole(rng, 3, 4)], transform="size"))
def test_transform(answer, expected):
    """A transform gets the RGB PIL image, and what it returns (here a list, [width, height, mode])
    is the image of the item."""
    for index, (image, _), (want, _) in _items(answer, expected):
        if str(image) != str(want):
            shown = str(image)[:80] if isinstance(image, list) else kind(image)
            raise Wrong(f"with a transform that returns (width, height, mode) of what it is given, "
                        f"the image of item {index} should be {want}, but is {shown}.")
    for index, (got, want) in enumerate(zip(answer["tensors"], expected["tensors"])):
        close(got, want, f"with a transform that returns a tensor, the image of item {index}")


def _batch(rng):
    counts = np.arange(whole(rng, 3, 4))
    while (np.diff(counts) > 0).all() or (np.diff(counts) < 0).all():  # in no order
        counts = rng.permutation(counts)
    batch = [
        (rng.random((3, 16, 20)).astype(np.float32),
         {"boxes": rng.integers(0, 9, (n, 4)).astype(np.float32),
          "labels": rng.integers(0, 3, n).astype(np.int64)})
        for n in counts
    ]
    return Question("problem1", "collated", {"batch": batch})


@check("1.1.7", "P1.collate", _batch)
def test_collate(answer, expected):
    """collate_fn stacks the images and keeps one target dict per image, in order."""
    images, targets = sequence(answer, 2, "collate_fn's result")
    close(images, expected[0], "the batch of images")
    for index, (got, want) in enumerate(
            zip(sequence(targets, len(expected[1]), "the list of targets"), expected[1])):
        boxes, labels = entries(got, ["boxes", "labels"], f"target {index}")
        close(boxes, want["boxes"], f"boxes of target {index}")
        equal(labels, want["labels"], f"labels of target {index}")
