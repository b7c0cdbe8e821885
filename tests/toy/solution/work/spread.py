"""Task 1.2."""

from averages import mean


def variance(values):
    return mean((values - mean(values)) ** 2)
