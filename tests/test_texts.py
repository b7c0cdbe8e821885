"""The Markdown files of the kit: what they link to and name exists, and what they show is real."""

import re
import shlex
from pathlib import Path

import pytest

from autograder.__main__ import _parser
from autograder.assignment.mistakes import all_mistakes, make
from autograder.engine.terminal import summary
from tests.grading import ROOT, SOLUTION

LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`([\w./-]+\.(?:py|toml|sh))`")
FOLDERS = ("autograder", "datasets", "handout", "solution")
ELSEWHERE = {"text", "student"}  # parts of built pages, and the README of the download
PLACES = [ROOT / name for name in ("", "autograder", "autograder/assignment", "starter",
                                   "starter/problem1", "starter/problem2")]  # of named files
PAGES = [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")
                               if page.parent.name not in ELSEWHERE)]


def anchors(page: Path) -> set[str]:
    """The names by which headings can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_named_files_exist(page):
    text = page.read_text(encoding="utf-8")
    for link in LINK.findall(text):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link
    for name in FILE.findall(text):
        assert any((place / name).exists() for place in (page.parent, *PLACES)), name


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_failed_check_of_the_readme_is_a_real_one(grade_checks, tmp_path):
    mistake = all_mistakes()["iou-zero-by-zero"]
    made = grade_checks(make(mistake, SOLUTION, tmp_path / "made"), ["1.3"])
    shown = re.search(r"```\n(LOST .*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[1]
    said = summary(made, colour=False)
    points = re.compile(r"[\d.]+ / [\d.]+")  # those of points.toml, which may be others
    shown, said = (" ".join(points.sub("", text).split()) for text in (shown, said))
    assert shown in said


def test_the_commands_of_the_manual_are_understood():
    """Every `python -m autograder` line, and every target and variable of make."""
    text = (ROOT / "autograder/instructor/README.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    plain = re.findall(r"^python -m autograder ([^#\n]+)", text, re.M)
    made = re.findall(r"^make ([\w.-]+)([^#\n]*)", text, re.M)
    assert len(plain) >= 7 and {target for target, _ in made} >= {
        "new-term", "dry-run", "classroom", "correction", "release"}
    for line in plain:
        assert _parser().parse_args(shlex.split(line)).run
    for target, rest in made:
        rule = re.search(rf"^{target}:.*\n(?:\t.*\n)+", makefile, re.M)[0]
        if target in ("new-term", "correction", "classroom"):
            rule += re.search(r"^DRAWN = .*$", makefile, re.M)[0]
        for variable in re.findall(r"\b([A-Z_]+)=", rest):
            assert re.search(rf"\$.?{variable}\b", rule), (target, variable)
