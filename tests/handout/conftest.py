"""One build of the handout for all tests of the page."""

import pytest

from handout.__main__ import main
from tests.browser import browser, open_page  # noqa: F401


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The folder that `python -m handout build` has written."""
    folder = tmp_path_factory.mktemp("handout")
    assert main(["build", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def html(built):
    """The page's text."""
    return (built / "handout.html").read_text(encoding="utf-8")
