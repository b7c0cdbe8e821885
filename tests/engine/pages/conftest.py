"""A browser, and a grade with every kind of figure."""

from tests.assignment.figures.cases import figures, grade, outcomes  # noqa: F401
from tests.browser import browser, open_page  # noqa: F401
