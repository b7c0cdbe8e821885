"""Task 1.1."""


def mean(values):
    return values.sum() / len(values)
