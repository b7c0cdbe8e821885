"""Headless Chromium: prints pages to PDF, and looks at them in tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from autograder.engine.machine import browser as find

WIDTHS, HEIGHT = (390, 1200), 2000  # of screenshots, in pixels: a phone's and a screen's
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


def screenshots(html: Path, folder: Path) -> int:
    """Pictures of all of a page, from top to bottom, as `390-01.png`; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with launched() as browser:
        for width in WIDTHS:
            page = browser.new_page(viewport={"width": width, "height": HEIGHT})
            page.goto(html.absolute().as_uri())
            long = page.evaluate("document.documentElement.scrollHeight")
            for number, top in enumerate(range(0, long, HEIGHT), 1):
                page.evaluate(f"scrollTo(0, {top})")
                page.screenshot(path=folder / f"{width}-{number:02}.png")
                count += 1
    return count


def print_pdf(html: Path, pdf: Path) -> None:
    """Print a page as its style sheet says (`@page` has size and margins)."""
    with launched() as browser:
        page = browser.new_page()
        page.goto(html.absolute().as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.pdf(path=pdf, prefer_css_page_size=True, print_background=True, tagged=True,
                 outline=True)
