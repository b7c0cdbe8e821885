"""`python -m pytest autograder/assignment/checks --submission starter`: pytest reports a grade."""

from autograder import THE_ASSIGNMENT
from autograder.engine.pytest_plugin import begin, pytest_addoption

__all__ = ["pytest_addoption", "pytest_configure"]


def pytest_configure(config):
    """Grade what the options name."""
    begin(config, THE_ASSIGNMENT)
