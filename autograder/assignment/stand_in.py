"""The network that stands in for a student's in the checks of training, as the grader sees it.

One linear layer from pixels to outputs (`probes.training.StandIn` is the same in torch): it is so
small that the grader can say what its weights and its losses must be. Images are grey (0.5) to
white (1), and the network sees by how much a pixel is lighter than grey. Five pixels are no noise:

    NORMED   white in every training image. It passes through batch norm, which makes 0 of it in
             training mode, so that its weights move only in training steps of evaluation mode.
             A little darker in validation images, which statistics of training mode tell.
    STEADY   white everywhere: the same push in every step.
    ONCE     white in the first training image alone: of the batches of an epoch, one pushes.
    FOREIGN  white in validation images alone.
    LAST     white in the last training image alone: of the batches of an epoch, the last pushes.

Task 2.8 sets two more:

    PAIRED   white where the target of SLOW is low: its own targets push it down, others push it up.
    TURNING  white in one batch and nearly black in the next one, so that their pushes cancel out.

The output SLOW has so small a gain that its error hardly changes, whatever the optimizer and the
learning rate. Its gradient is then the same in every step, and how far its five weights have moved
tells which steps were made.

numpy only, since the grader's process has no torch.
"""

import numpy as np

from ..engine.compare import Array, Wrong, array

NORMED, STEADY, ONCE, FOREIGN, LAST, PAIRED, TURNING = range(7)
SLOW = 0
VALIDATED = 0.9  # NORMED in validation images
EPSILON = 1e-5  # of torch's batch norm
STATISTICS = ("norm.running_mean", "norm.running_var")


def images(rng: np.random.Generator, count: int, shape: tuple[int, int, int],
           validation: bool = False) -> Array:
    """Images float32 `[count, *shape]`, of training or validation, with the five pixels in the
    places 0 to 4."""
    pixels = rng.uniform(0.5, 1, (count, np.prod(shape))).astype(np.float32)
    pixels[:, [NORMED, STEADY]] = 1
    if validation:
        pixels[:, NORMED] = VALIDATED
    pixels[:, [ONCE, LAST]] = 0.5
    pixels[:, FOREIGN] = 1 if validation else 0.5
    if not validation:
        pixels[0, ONCE] = pixels[-1, LAST] = 1
    return pixels.reshape(count, *shape)


def outputs(images: Array, weight: Array, gain: Array,
            statistics: tuple[float, float] | None = None) -> Array:
    """Outputs `[N, O]` in float64 of weights `[O, pixels]` and gain `[O]`; `statistics` are the
    running mean and variance of NORMED for evaluation mode, None for training mode."""
    pixels = images.reshape(len(images), -1).astype(np.float64) - 0.5
    mean, variance = statistics or (pixels[:, NORMED], 1.0)
    pixels[:, NORMED] = (pixels[:, NORMED] - mean) / np.sqrt(variance + EPSILON)
    found: Array = pixels @ weight.astype(np.float64).T * gain
    return found


def errors(images: Array, targets: Array, weight: Array, gain: Array,
           statistics: tuple[float, float] | None = None) -> Array:
    """Squared error of each output, `[O]`, averaged over the images; arguments as above."""
    found = outputs(images, weight, gain, statistics)
    mean: Array = np.square(found - targets.reshape(found.shape)).mean(axis=0)
    return mean


def weights_of(state: object, shape: tuple[int, ...]) -> Array:
    """The weights `[O, pixels]` in a state dict that came back.

    Raises:
        Wrong: there are none, or they are not finite.
    """
    weight = array(state["weight"] if isinstance(state, dict) and "weight" in state else None,
                   "the weights of the trained model", shape, "float").astype(np.float64)
    if not np.isfinite(weight).all():
        raise Wrong("after training the weights of the model are nan or infinite.")
    return weight


def statistics_of(state: dict) -> tuple[float, float]:
    """Running mean and variance in a state dict that came back."""
    mean, variance = (
        float(array(state.get(name), f"the model's {name}", (1,), "float")[0])
        for name in STATISTICS)
    return mean, max(variance, 0.0)


def steps_told(before: Array, after: Array) -> None:
    """What the weights of SLOW tell about the steps that were made.

    Raises:
        Wrong: a step in evaluation mode, on other images, or on gradients of other batches; no
            step on the last batch.
    """
    if np.allclose(before, after, rtol=0, atol=1e-9):
        raise Wrong("the model that was passed in has the weights that it had before. Train this "
                    "model and no copy of it, with a backward pass and a step of the optimizer for "
                    "every batch.")
    moved = np.abs(after - before)[SLOW]
    steady = moved[STEADY] + 1e-30
    if moved[FOREIGN] > 0.05 * steady:
        raise Wrong("a weight has changed that only validation images can change: steps were made "
                    "on the validation loader, or on training images that were changed before, "
                    "like normalised or mirrored ones.")
    if moved[NORMED] > 0.05 * steady:
        raise Wrong("the model was not in training mode (model.train()) in every training step: a "
                    "weight has changed that only a step in evaluation mode changes. Measuring the "
                    "validation loss leaves the model in evaluation mode.")
    if moved[LAST] < 1e-4 * steady:
        raise Wrong("a weight has not changed that only the last batch of the loader can change: "
                    "make a step for every batch of every epoch.")
    # Adam makes a third of a step with a push from one batch of eight, and whole ones where that
    # push stays there.
    if moved[ONCE] > 0.7 * steady:
        if moved[LAST] < 0.5 * moved[ONCE]:  # gradients that are kept would push there as well
            raise Wrong("weights have moved in the first steps and hardly any more: does the "
                        "learning rate fall at every batch, as it should at every epoch?")
        raise Wrong("gradients of earlier batches were still there when a step was made: call "
                    "optimizer.zero_grad() for every batch, and step after every batch.")
