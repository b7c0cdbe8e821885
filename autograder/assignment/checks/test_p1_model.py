"""Task 1.8: the multi-scale detector."""

from datasets.constants import IMAGE_SIZE

from ...engine.check import Question, check
from ...engine.compare import Wrong
from .inputs import pictures
from .networks import usable

DETECTOR = "model.MultiScaleDetector"


def _maps(options, count=1):
    return lambda rng: Question("problem1", "detector_maps", {
        "options": options, "images": pictures(rng, count, 3, IMAGE_SIZE)})


def _shapes(answer, expected):
    if answer != expected:
        raise Wrong(f"the maps should have the shapes {expected}, but have {answer}.")


@check("1.8.1", "P1.model.shapes", _maps({"num_classes": 3, "num_anchors": 3}))
def test_shapes(answer, expected):
    """Images of 224x224 give [B, 24, 56, 56], [B, 24, 28, 28] and [B, 24, 14, 14]."""
    _shapes(answer, expected)


@check("1.8.2", "P1.model.batch", _maps({}, count=2))
def test_batch(answer, expected):
    """The defaults are 3 classes and 3 anchors, and a batch of two comes back as two."""
    _shapes(answer, expected)


@check("1.8.3", "P1.model.options", lambda rng: _maps(
    {"num_classes": int(rng.integers(4, 8)), "num_anchors": 2})(rng))
def test_other_numbers(answer, expected):
    """num_anchors * (5 + num_classes) channels come out for other numbers as well."""
    _shapes(answer, expected)


@check("1.8.4", "P1.model.trainable", lambda rng: Question("problem1", "network", {
    "model": DETECTOR, "options": {}, "images": pictures(rng, 1, 3, IMAGE_SIZE),
    "training": False}))
def test_every_map_depends_on_the_image(answer, expected):
    """Every map depends on the image and passes gradients on; evaluation mode is repeatable."""
    usable(answer, "map")
