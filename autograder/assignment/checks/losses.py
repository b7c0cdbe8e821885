"""What training functions return and what training leaves behind."""

import math

from ...engine.compare import Wrong, kind, sequence

MOST = 20  # numbers that are looked at: among thousands, one would be right by chance


def numbers(value) -> list[float]:
    """All single numbers in a (nested) value."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, (int, float)):
        return [float(value)]
    if hasattr(value, "ndim"):
        return [float(item) for item in value.ravel()[:MOST]]
    if isinstance(value, dict):
        return [n for item in value.values() for n in numbers(item)]
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in numbers(item)]
    return []


def mean_of(returned, truth: float, name: str) -> None:
    """One entry of the dict that the function `name` returned is the mean total loss, whatever its
    key."""
    if not isinstance(returned, dict):
        raise Wrong(f"{name} should return a dict of mean losses, but returned {kind(returned)}.")
    if not any(math.isclose(value, truth, rel_tol=1e-3, abs_tol=1e-6)
               for value in numbers(returned)[:MOST]):
        shown = ", ".join(f"{value:.4g}" for value in numbers(returned)[:6]) or "no numbers"
        raise Wrong(f"the mean of loss_total over the batches is {truth:.4g}, but the dict that "
                    f"{name} returned holds {shown}.")


def curve(curves: list[list[float]], names: tuple[str, ...]) -> None:
    """Loss curves: one finite number per epoch, equally long, and the last below the first."""
    for values, name in zip(sequence(curves, len(names), "the curves"), names):
        if len(values) < 2:
            raise Wrong(f"{name} should have a number for each of your epochs, at least two; it "
                        f"has {len(values)}.")
        if not all(math.isfinite(value) for value in values):
            raise Wrong(f"{name} holds nan or infinity.")
        if not values[-1] < values[0]:
            raise Wrong(f"{name} should be lower after the last epoch than after the first; it "
                        f"went from {values[0]:.4g} to {values[-1]:.4g}.")
    lengths = {len(values) for values in curves}
    if len(lengths) > 1:
        raise Wrong(f"the curves should have one number per epoch each, but they have "
                    f"{', '.join(str(len(values)) for values in curves)}.")
