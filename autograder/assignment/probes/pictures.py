"""Probes of pictures: what a student's function has drawn, as grey pixels.

The pixels come back and no file, so that nothing has to be decoded where answers are judged.
"""

import numpy as np
import torch
import torch.nn as nn
from PIL import Image
from torch.utils.data import DataLoader

from datasets.constants import IMAGE_SIZE

from ...engine.sandbox.probes import unchanged
from .data import with_paths


def pictures(student, function, argument_lists, sides):
    """What `function(*args, save_path)` writes (into a folder that exists), per list of arguments.

    Args:
        sides: pixels; a picture must be as large as the first one, and larger ones than the second
            one come back smaller.

    Returns:
        see `_seen`.
    """
    path, draw = student.folder / "asked" / "picture.png", student(function)
    path.parent.mkdir(exist_ok=True)

    def drawn(args):
        path.unlink(missing_ok=True)
        with unchanged(function, args):
            with_paths(lambda path: draw(*args, path), path)
        return _seen(path, *sides)

    return [drawn(args) for args in argument_lists]


class Scripted(nn.Module):
    """Answers image i (whose first pixel is i / 255) with the i-th row of prepared maps."""

    def __init__(self, maps):
        super().__init__()
        self.maps = maps
        self.weight = nn.Parameter(torch.zeros(1))  # for code that asks for the model's device

    def forward(self, x):
        index = (x[:, 0, 0, 0] * 255).round().long()
        return [m[index] for m in self.maps]


def scale_performance(student, maps, anchors, targets, batch_size, pure=False):
    """What `analyze_scale_performance` counts on prepared maps.

    Args:
        maps: per map `[B, A*(5+C), S, S]`; anchors: per map `[S*S*A, 4]`; targets: per image.
        batch_size: images of a batch of the loader; pure: the anchors must stay as they were.
    """
    count = len(targets)
    images = torch.zeros(count, 3, IMAGE_SIZE, IMAGE_SIZE)
    images[:, 0, 0, 0] = torch.arange(count) / 255
    collate = lambda batch: (torch.stack([b[0] for b in batch]), [b[1] for b in batch])  # noqa: E731
    loader = DataLoader(list(zip(images, targets)), batch_size, collate_fn=collate)
    function = student("evaluate.analyze_scale_performance")
    with unchanged("analyze_scale_performance", (None, None, anchors) * pure):
        return {"counts": function(Scripted(maps), loader, anchors)}


def scale_pictures(student, scenes, batch_size, sides):
    """The pictures that `analyze_scale_performance` draws of several scenes.

    Args:
        scenes: dicts with `maps`, `anchors` and `targets`.
        sides: as above.
    """
    path = student.folder / "results" / "visualizations" / "scale_performance.png"

    def drawn(scene):
        path.unlink(missing_ok=True)
        scale_performance(student, **scene, batch_size=batch_size)
        return _seen(path, *sides)

    return [drawn(scene) for scene in scenes]


def _seen(path, least, most):
    """uint8 `[H, W]`, the picture in grey on white; text that says what else lies there."""
    if not path.is_file():
        return "nothing"
    with Image.open(path) as image:
        if image.format != "PNG":
            return f"a {image.format} file"
        if min(image.size) < least:
            return f"a picture of {image.width} x {image.height} pixels"
        layer = image.convert("RGBA")
    whole = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("L")
    whole.thumbnail((most, most), Image.Resampling.BOX)
    return np.asarray(whole)
