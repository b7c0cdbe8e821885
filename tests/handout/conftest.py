"""One build of the handout for all tests of the page."""

import pytest

from handout import page
from handout.__main__ import main
from tests.browser import browser, open_page  # noqa: F401


@pytest.fixture(scope="session")
def html():
    """The page's text."""
    return page.build()


@pytest.fixture(scope="session")
def built(html, tmp_path_factory):
    """The folder that `python -m handout build` has written."""
    folder = tmp_path_factory.mktemp("handout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "build", lambda: html)
        assert main(["build", "--out", str(folder)]) == 0
    return folder
