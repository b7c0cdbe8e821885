"""Both tasks: mean and variance."""

import numpy as np

from autograder.engine.check import Question, call, check
from autograder.engine.compare import close


def _values(function: str, rng: np.random.Generator, low: float = 0) -> Question:
    return call("work", function, (low + rng.integers(1, 20, 6)).astype(np.float32))


@check("1.1.1", "T.mean", lambda rng: _values("averages.mean", rng))
def test_mean(answer, expected):
    """The mean of six numbers is their sum over six."""
    close(answer, expected, "the mean")


@check("1.2.1", "T.variance", lambda rng: _values("spread.variance", rng))
def test_variance(answer, expected):
    """The variance of six numbers is the mean squared difference from their mean."""
    close(answer, expected, "the variance")


@check("1.2.2", "T.shift", lambda rng: _values("spread.variance", rng, low=10_000))
def test_variance_of_large_numbers(answer, expected):
    """Numbers around ten thousand have a variance that is as exact as that of small ones."""
    close(answer, expected, "the variance")
