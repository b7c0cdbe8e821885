"""The page in headless Chromium, on a phone, on a desk and on paper."""

import re

import pypdf
import pytest
from PIL import Image

from handout import chromium, figures
from tests.browser import DESKTOP, PHONE, broken_images, overflowing
from tests.grading import sampled


@pytest.mark.parametrize("width", sampled([PHONE, 768, DESKTOP], 2))
def test_nothing_sticks_out_and_every_figure_is_there(open_page, built, width):
    page = open_page(built / "handout.html", width)
    assert overflowing(page) == []
    assert broken_images(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.images.length") == len(figures.FIGURES)


def test_figures_and_code_are_as_large_on_a_phone_as_on_a_desk(open_page, built):
    """What is wider than the screen scrolls."""
    page = open_page(built / "handout.html", 390)
    assert page.evaluate("""() => [...document.images].filter(i => i.width < i.naturalWidth - 1)
        .map(i => i.alt)""") == []
    assert page.evaluate("""() => [...document.querySelectorAll("pre, figure .wide")]
        .map(e => getComputedStyle(e)).filter(s => s.overflowX != "auto" || s.whiteSpace ==
                                              "pre-wrap").length""") == 0


def test_screenshots_show_all_of_a_page(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<body style='margin: 0'>" + "".join(
        f"<div style='height: 1500px; background: {colour}'></div>" for colour in ("red", "blue")))
    assert chromium.screenshots(page, tmp_path / "seen") == 4
    last = Image.open(tmp_path / "seen" / "390-02.png").convert("RGB")
    assert last.size == (390, chromium.HEIGHT)
    assert last.getpixel((5, last.height - 5)) == (0, 0, 255)


def test_contents_are_folded_on_a_phone_and_open_on_a_desk(open_page, built):
    link = "nav a[href='#task-1.5']"
    assert not open_page(built / "handout.html", PHONE).is_visible(link)
    assert open_page(built / "handout.html", DESKTOP).is_visible(link)


def test_formulas_have_a_size(open_page, built):
    page = open_page(built / "handout.html")
    heights = page.evaluate(
        "[...document.querySelectorAll('math[display=block]')].map(m => m.clientHeight)")
    assert len(heights) > 10 and min(heights) > 15


def test_a_rule_can_be_jumped_to(open_page, built):
    page = open_page(built / "handout.html")
    page.click("nav a[href='#task-1.5']")
    assert page.evaluate("location.hash") == "#task-1.5"
    page.goto(page.url.split("#")[0] + "#P1.match.conflict")
    assert page.evaluate("""() => {
        const top = document.querySelector("[id='P1.match.conflict']").getBoundingClientRect().top;
        return top >= 0 && top < window.innerHeight;
    }""")


def test_paper_is_wide_enough(open_page, built):
    """A4 less its margins is 176 mm: 665 px. Nothing is cut off there, nothing scrolls."""
    page = open_page(built / "handout.html", 665)
    page.emulate_media(media="print")
    assert overflowing(page) == []
    assert page.evaluate("""() => [...document.querySelectorAll("pre, .wide, math")]
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))""") == []


def test_what_the_reference_measures_is_not_on_paper(open_page, built):
    """All that is folded but hints: on paper, answers would stand beside the questions."""
    page = open_page(built / "handout.html")
    page.emulate_media(media="print")
    folds = page.evaluate("""() => [...document.querySelectorAll("main details")].map(fold => {
        fold.open = true;
        return fold.innerText.trim() })""")
    printed = [fold for fold in folds if not fold.startswith("Where to look")]
    assert len(printed) == 2 and all(fold.count("\n") == 0 for fold in printed), printed
    text = "".join("".join(sheet.extract_text() for sheet in pypdf.PdfReader(
        built / "handout.pdf").pages).split())
    assert text.count("unfolditinhandout.html") == 2 and "meantrainingpose" not in text


def test_no_heading_ends_a_page_and_no_small_table_is_split(open_page, built):
    pages = [sheet.extract_text().splitlines()
             for sheet in pypdf.PdfReader(built / "handout.pdf").pages]
    for *lines, _ in pages:
        assert not any(re.match(r"Task \d\.\d+ .*\(", line) for line in lines[-3:]), lines[-3:]
    headers = open_page(built / "handout.html").evaluate("""() =>
        [...document.querySelectorAll("table")].filter(t => t.rows.length <= 12)
            .map(t => t.rows[0].textContent)""")
    text = "".join("".join(map("".join, pages)).split())
    assert len(headers) > 5
    for header in {"".join(header.split()) for header in headers}:  # it stands again on a new page
        assert text.count(header) <= ["".join(other.split()) for other in headers].count(header)


def test_the_pdf_has_pages_with_everything_on_them(browser, built):
    pdf = pypdf.PdfReader(built / "handout.pdf")
    assert 15 < len(pdf.pages) < 60
    pages = [page.extract_text() for page in pdf.pages]
    assert all(f"{number} / {len(pages)}" in text for number, text in enumerate(pages, 1))
    assert all(len(text) > 40 or page.images for text, page in zip(pages, pdf.pages))
    text = "".join("".join(pages).split())
    for words in ("Setupintwocommands", "P1.match.conflict", "P2.accuracy.regression", "Sources"):
        assert words in text
    assert pdf.outline
