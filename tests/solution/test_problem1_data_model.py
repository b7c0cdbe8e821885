"""Tasks 1.1 and 1.8: items and batches of the dataset, and the network."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

RED = (255, 0, 51)


def write_split(folder, images, annotations):
    """`images`: (id, file name, PIL image); `annotations`: (image id, label, xyxy box)."""
    (folder / "images").mkdir()
    for _, name, image in images:
        image.save(folder / "images" / name)
    path = folder / "annotations.json"
    path.write_text(json.dumps({
        "images": [{"id": number, "file_name": name} for number, name, _ in images],
        "annotations": [{"id": row, "image_id": image, "category_id": label, "bbox": box}
                        for row, (image, label, box) in enumerate(annotations)],
        "categories": [{"id": 0, "name": "circle"}],
    }))
    return folder / "images", path


def plain(colour, size=(224, 224), mode="RGB"):
    return Image.new(mode, size, colour)


# --- dataset -------------------------------------------------------------------------------


@pytest.fixture
def three_images(tmp_path):
    """Neither the ids nor the names nor the annotations come in the order of the images."""
    first = plain(RED)
    first.putpixel((7, 3), (0, 102, 255))  # column 7, row 3
    images = [(9, "b.png", first), (2, "c.png", plain("white")), (5, "a.png", plain("black"))]
    annotations = [(5, 1, [1, 2, 3, 4]), (9, 2, [100, 20, 140, 60]), (5, 0, [0, 0, 224, 224]),
                   (9, 0, [10.5, 20, 30, 40]), (5, 2, [1, 2, 3, 4])]
    return write_split(tmp_path, images, annotations)


def test_images(problem1, three_images):
    dataset = problem1.dataset.ShapeDetectionDataset(*map(str, three_images))
    assert len(dataset) == 3
    image, _ = dataset[0]
    assert image.shape == (3, 224, 224) and image.dtype == torch.float32
    assert image[:, 0, 0].tolist() == pytest.approx([1, 0, 0.2])
    assert image[:, 3, 7].tolist() == pytest.approx([0, 0.4, 1])
    assert (dataset[1][0] == 1).all() and (dataset[2][0] == 0).all()  # 255 is 1.0 exactly


def test_targets_are_xyxy_in_the_order_of_the_annotations(problem1, three_images):
    dataset = problem1.dataset.ShapeDetectionDataset(*three_images)
    targets = [target for _, target in dataset]
    for target in targets:
        assert set(target) == {"boxes", "labels"}
        assert target["boxes"].dtype == torch.float32 and target["labels"].dtype == torch.int64
    assert targets[0]["boxes"].tolist() == [[100, 20, 140, 60], [10.5, 20, 30, 40]]
    assert targets[0]["labels"].tolist() == [2, 0]
    assert targets[1]["boxes"].shape == (0, 4) and targets[1]["labels"].shape == (0,)
    assert targets[2]["boxes"].tolist() == [[1, 2, 3, 4], [0, 0, 224, 224], [1, 2, 3, 4]]
    assert targets[2]["labels"].tolist() == [1, 0, 2]


@pytest.mark.parametrize("mode, colour, expected", [
    ("L", 51, [0.2, 0.2, 0.2]), ("RGBA", (255, 0, 51, 128), [1, 0, 0.2]),
    ("LA", (51, 0), [0.2, 0.2, 0.2]), ("1", 1, [1, 1, 1])])
def test_other_modes_become_rgb(problem1, tmp_path, mode, colour, expected):
    split = write_split(tmp_path, [(0, "a.png", plain(colour, mode=mode))], [])
    image, _ = problem1.dataset.ShapeDetectionDataset(*split)[0]
    assert image.shape == (3, 224, 224)
    assert image[:, 100, 100].tolist() == pytest.approx(expected)


def test_palette_images_become_rgb(problem1, tmp_path):
    split = write_split(tmp_path, [(0, "a.png", plain(RED).quantize(4))], [])
    image, _ = problem1.dataset.ShapeDetectionDataset(*split)[0]
    assert image[:, 0, 0].tolist() == pytest.approx([1, 0, 0.2])


def test_nothing_is_resized(problem1, tmp_path):
    split = write_split(tmp_path, [(0, "a.png", plain(RED, (100, 60)))], [(0, 0, [1, 2, 90, 50])])
    image, target = problem1.dataset.ShapeDetectionDataset(*split)[0]
    assert image.shape == (3, 60, 100)
    assert target["boxes"].tolist() == [[1, 2, 90, 50]]


def test_transform_gets_the_picture_and_gives_the_image(problem1, three_images):
    received = []

    def transform(picture):
        received.append(picture)
        return torch.full((3, 8, 8), 0.25)

    dataset = problem1.dataset.ShapeDetectionDataset(*three_images, transform=transform)
    image, target = dataset[0]
    assert isinstance(received[0], Image.Image) and received[0].mode == "RGB"
    assert np.asarray(received[0])[3, 7].tolist() == [0, 102, 255]
    assert torch.equal(image, torch.full((3, 8, 8), 0.25))
    assert target["labels"].tolist() == [2, 0]


def test_items_do_not_share_memory(problem1, three_images):
    dataset = problem1.dataset.ShapeDetectionDataset(*three_images)
    image, target = dataset[0]
    image.zero_()
    target["boxes"].zero_()
    assert dataset[0][0].max() == 1 and dataset[0][1]["boxes"].max() == 140


@pytest.mark.parametrize("workers", [0, 1])
def test_batches(problem1, three_images, workers):
    dataset = problem1.dataset.ShapeDetectionDataset(*three_images)
    loader = DataLoader(dataset, 2, collate_fn=problem1.dataset.collate_fn, num_workers=workers)
    (images, targets), (rest, last) = loader
    assert images.shape == (2, 3, 224, 224) and rest.shape == (1, 3, 224, 224)
    assert torch.equal(images[0], dataset[0][0]) and torch.equal(rest[0], dataset[2][0])
    assert type(targets) is list
    assert [target["labels"].tolist() for target in targets + last] == [[2, 0], [], [1, 0, 2]]


# --- network -------------------------------------------------------------------------------


@pytest.mark.parametrize("neck", [True, False])
@pytest.mark.parametrize("batch, classes, anchors", [(3, 3, 3), (1, 5, 2), (2, 1, 4)])
def test_output_shapes(problem1, neck, batch, classes, anchors):
    model = problem1.model.MultiScaleDetector(classes, anchors, neck=neck)
    outputs = model(torch.rand(batch, 3, 224, 224))
    assert isinstance(outputs, list)
    channels = anchors * (5 + classes)
    assert [o.shape for o in outputs] == [(batch, channels, side, side) for side in (56, 28, 14)]
    assert all(output.dtype == torch.float32 for output in outputs)


def test_defaults_fit_the_anchors(problem1):
    utils = problem1.utils
    anchors = utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES)
    outputs = problem1.model.MultiScaleDetector()(torch.rand(1, 3, 224, 224))
    assert [o.shape[2] * o.shape[3] * 3 for o in outputs] == [len(a) for a in anchors]
    assert [o.shape[1] for o in outputs] == [24, 24, 24]


@pytest.mark.parametrize("neck", [True, False])
def test_size(problem1, neck):
    model = problem1.model.MultiScaleDetector(neck=neck)
    assert sum(parameter.numel() for parameter in model.parameters()) < 50_000_000


def test_layers_of_the_plain_network(problem1):
    model = problem1.model.MultiScaleDetector(neck=False)
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU)
    layers = [layer for layer in model.modules() if isinstance(layer, kinds)]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]

    def design(layer):
        return layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0]

    backbone = [(3, 32, 3, 1), (32, 64, 3, 2), (64, 128, 3, 2), (128, 256, 3, 2), (256, 512, 3, 2)]
    assert [design(layer) for layer in convolutions[:5]] == backbone
    for layer in convolutions[:5]:
        place = layers.index(layer)
        assert [type(after) for after in layers[place : place + 3]] == list(kinds)
    heads = [design(layer) for layer in convolutions[5:]]
    assert len(heads) == 6  # a 3x3 and a 1x1 convolution for each map
    for (inputs, _, *three), (_, outputs, *one), channels in zip(
            heads[::2], heads[1::2], (128, 256, 512), strict=True):
        assert (inputs, outputs, three, one) == (channels, 24, [3, 1], [1, 1])


def view(model, index, cell):
    """First and last row and column of the image that the cell (i, i) of a map depends on."""
    image = torch.rand(1, 3, 224, 224, requires_grad=True)
    model.eval()(image)[index][0, :, cell, cell].abs().sum().backward()
    seen = image.grad[0].abs().sum(dim=0) > 0  # [H, W]
    rows, columns = (torch.nonzero(seen.any(dim=d)).flatten() for d in (1, 0))
    return (rows.min().item(), rows.max().item()), (columns.min().item(), columns.max().item())


@pytest.mark.parametrize("index, stride, pixels", [(0, 4, 17), (1, 8, 33), (2, 16, 65)])
def test_view_of_the_plain_network(problem1, index, stride, pixels):
    """A cell sees 17, 33 or 65 pixels around pixel `stride * i`, as the assignment says."""
    torch.manual_seed(0)
    cell, half = 7 * 2 ** (2 - index) - 1, pixels // 2
    rows, columns = view(problem1.model.MultiScaleDetector(neck=False), index, cell)
    assert rows == columns == (stride * cell - half, stride * cell + half)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_neck_shows_every_map_the_whole_picture(problem1, index):
    torch.manual_seed(0)
    rows, columns = view(problem1.model.MultiScaleDetector(), index, 7 * 2 ** (2 - index))
    assert rows == columns == (0, 223)


@pytest.mark.parametrize("neck", [True, False])
def test_every_parameter_learns(problem1, neck):
    model = problem1.model.MultiScaleDetector(neck=neck)
    sum(output.square().sum() for output in model(torch.rand(2, 3, 224, 224))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_images_of_a_batch_do_not_mix_in_evaluation_mode(problem1):
    model = problem1.model.MultiScaleDetector().eval()
    images = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        together, alone = model(images), model(images[1:])
    for both, one in zip(together, alone, strict=True):
        torch.testing.assert_close(both[1:], one, rtol=1e-4, atol=1e-5)
