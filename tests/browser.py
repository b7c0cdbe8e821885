"""Pages in headless Chromium, for every test that looks at a page of the kit.

    from tests.browser import browser, open_page  # in the conftest.py of a folder of tests

    def test_page(open_page):
        page = open_page(Path("report.html"), width=360)
        assert not overflowing(page) and not broken_images(page)

Tests are skipped where there is no Chromium; with `REQUIRE_BROWSER` set, as in CI, they fail there.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from handout import chromium

PHONE, DESKTOP = 360, 1280  # CSS pixels


@pytest.fixture(scope="module")
def browser():
    """A headless browser; of one module, since no other event loop runs beside it in a thread."""
    if chromium.find() is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(chromium.MISSING)
        pytest.skip(chromium.MISSING)
    with chromium.launched() as running:
        yield running


@pytest.fixture
def open_page(browser):
    """`open_page(path, width=360)`: a page, read from disk without any network.

    Errors of scripts and everything the page asks of another place fail the test at its end.
    """
    context = browser.new_context(offline=True)
    complaints = []

    def opened(path: Path, width: int = DESKTOP, height: int = 800) -> Page:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type in ("error", "warning")
                and complaints.append(message.text))
        page.on("request", lambda request: request.url.startswith(("file:", "data:"))
                or complaints.append(f"asks for {request.url[:100]}"))
        page.goto(Path(path).absolute().as_uri())
        return page

    yield opened
    context.close()
    assert not complaints


def overflowing(page: Page) -> list[str]:
    """Elements that reach beyond the right edge of the window, unless a parent scrolls them.

    The first 60 characters of each one's markup; an empty list where nothing has to be panned.
    """
    return page.evaluate("""() => {
        const edge = document.documentElement.clientWidth;
        const scrolls = e => e && (
            ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)
            || scrolls(e.parentElement));
        return [...document.body.querySelectorAll("*")]
            .filter(e => e.getBoundingClientRect().right > edge + 1 && !scrolls(e.parentElement))
            .map(e => e.outerHTML.slice(0, 60));
    }""")


def broken_images(page: Page) -> list[str]:
    """Source (first 60 characters) of every image that did not load or has no text instead."""
    return page.evaluate("""() => [...document.images]
        .filter(i => !i.complete || i.naturalWidth === 0 || !i.alt)
        .map(i => i.src.slice(0, 60))""")
