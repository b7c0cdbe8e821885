"""Task 1.8: the multi-scale detector."""

import numpy as np

from datasets.constants import IMAGE_SIZE, MAP_SIZES

from ...engine.check import Question, check
from ...engine.compare import Wrong, array, entries, sequence
from .networks import Seen, alone, crowd, depends, named, scene, together, usable

DETECTOR = "model.MultiScaleDetector"


def _asked(rng, probe, names, **inputs):
    return Question("problem1", probe, {
        "model": DETECTOR, **scene(rng, 3, IMAGE_SIZE, MAP_SIZES, names), **inputs,
        "seed": int(rng.integers(2**31))})


NAMES = ("plain", "patched", "around")


def _maps(rng, options, passes, **more):
    return _asked(rng, "network_output", NAMES, options=options, passes=passes(rng, NAMES, 0),
                  **more)


@check("1.8.1", "P1.model.shapes", lambda rng: _maps(
    rng, {"num_classes": 3, "num_anchors": 3}, alone, enlarged=10.0))
@named
def test_shapes(answer, expected, question):
    """Images of 224x224 give [B, 24, 56, 56], [B, 24, 28, 28] and [B, 24, 14, 14]."""
    seen = Seen(answer, expected, question, "map")
    depends(seen)
    for index in seen.passes[0]:
        if min(values[index].min() for values in seen.passes) >= 0:
            raise Wrong(f"map {index} has no negative value: is there an activation behind the "
                        "last convolution? Offsets and logits are any numbers.")
    large = [array(got, "a map", want.shape, "float").reshape(3, 8, -1) for got, want in zip(
        sequence(*entries(answer, ["large"], "the answer"), 3, "the maps"), expected["large"])]
    for name, channels in (("offsets", slice(4)), ("objectness logits", slice(4, 5)),
                           ("classes", slice(5, 8))):
        most = max(np.abs(of_map[:, channels]).max() for of_map in large)
        if most <= 1:
            raise Wrong(f"with weights ten times as large, {name} still lie within 1. Is there a "
                        "sigmoid, softmax or tanh behind the last convolution? Offsets and logits "
                        "are any numbers; the loss and decode_predictions apply these functions.")


# 1.8.1 asks for the order of the maps.
@check("1.8.2", "P1.model.batch", lambda rng: _maps(rng, {}, together))
@named
def test_batch(answer, expected, question):
    """The defaults are 3 classes and 3 anchors, and a batch comes back whole."""
    depends(Seen(answer, expected, question, "map", ordered=False))


@check("1.8.3", "P1.model.options", lambda rng: _maps(
    rng, {"num_classes": int(rng.integers(4, 8)), "num_anchors": 2}, alone))
@named
def test_other_numbers(answer, expected, question):
    """num_anchors * (5 + num_classes) channels come out for other numbers as well."""
    depends(Seen(answer, expected, question, "map", ordered=False))


@check("1.8.4", "P1.model.trainable", lambda rng: _asked(
    rng, "network", names := (*NAMES, "other", "close", "black"), options={},
    passes=crowd(rng, names), slope=["plain", "close"]))
@named
def test_every_map_depends_on_the_image(answer, expected, question):
    """Every map depends on the image and passes gradients on; evaluation mode is repeatable."""
    usable(answer, expected, question, "map", ordered=False)
