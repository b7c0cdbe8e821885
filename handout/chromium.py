"""Headless Chromium: prints pages to PDF, and looks at them in tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from autograder.engine.machine import browser as find

MISSING = ("no Chromium here: `make browser` installs it on Debian and Ubuntu; elsewhere install "
           "Chrome or Chromium, or name one in the environment variable CHROMIUM")


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser.

    Raises:
        FileNotFoundError: there is none; the message says how to get one.
    """
    path = find()
    if path is None:
        raise FileNotFoundError(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            browser.close()


def print_pdf(html: Path, pdf: Path) -> None:
    """Print a page as its style sheet says (`@page` has size and margins)."""
    with launched() as browser:
        page = browser.new_page()
        page.goto(html.absolute().as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.pdf(path=pdf, prefer_css_page_size=True, print_background=True, tagged=True,
                 outline=True)
