"""The figures of wrong answers of every kind."""

from .cases import figures, outcomes  # noqa: F401
