"""Headless Chromium: prints pages to PDF, and looks at them in tests."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
         "msedge")
APPLICATIONS = (  # where Chromium's relatives live without being on the path
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
MISSING = ("no Chromium here: `make browser` installs it on Debian and Ubuntu; elsewhere install "
           "Chrome or Chromium, or name one in the environment variable CHROMIUM")


def find() -> str | None:
    """Path of a Chromium: `$CHROMIUM`, one on the path, an installed application, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    on_path = (shutil.which(name) for name in NAMES)
    installed = (path for path in APPLICATIONS if Path(path).exists())
    return next((path for path in (*on_path, *installed) if path), None)


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
        page.pdf(path=pdf, prefer_css_page_size=True, print_background=True, tagged=True,
                 outline=True)
