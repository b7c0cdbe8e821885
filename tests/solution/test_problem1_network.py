"""Task 1.8: the detector's layers with and without the neck, and the view of its maps."""

import pytest
import torch
from torch import nn


@pytest.mark.parametrize(("classes", "anchors"), [(5, 2), (1, 4)])
def test_output_shapes_without_the_neck(problem1, classes, anchors):
    """The checks ask for those of the whole network."""
    model = problem1.model.MultiScaleDetector(classes, anchors, neck=False)
    channels = anchors * (5 + classes)
    assert [tuple(output.shape) for output in model(torch.rand(2, 3, 224, 224))] == [
        (2, channels, side, side) for side in (56, 28, 14)]


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


@pytest.mark.parametrize(("index", "stride", "pixels"), [(0, 4, 17), (1, 8, 33), (2, 16, 65)])
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
