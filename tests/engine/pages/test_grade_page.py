"""The page: what it says, that nothing of a submission becomes markup, and what a browser shows."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from pypdf import PdfReader

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.engine.pages.canvas import Figure, Key, Panel
from autograder.engine.pages.grade_page import page, write
from autograder.engine.results import FAILED, PASSED, Grade, Row, total
from autograder.engine.text import printable
from autograder.instructor.packaging.contents import grader
from tests.assignment.figures.cases import CASES
from tests.browser import DESKTOP, PHONE, broken_images, overflowing
from tests.grading import (
    SOLUTION,
    STARTER,
    copy_solution,
    patch,
    sampled,
    worth,
    write_files,
)

LOST = [case.number for case in CASES if not case.right]


@pytest.fixture(scope="module")
def report(grade, figures, tmp_path_factory):
    """The page of a grade with every kind of figure."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    for row in grade.rows:
        row.figure = figures.get(row.check.number)
    path.write_text(page(grade, "homework-1"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def texts(report, browser):
    """`texts(selector)`: the texts of all such elements of the page."""
    window = browser.new_page()
    window.goto(report.as_uri())
    return lambda selector: window.locator(selector).all_inner_texts()


def test_the_table_has_every_task_and_its_points(texts, grade):
    rows = [line.split("\t") for line in texts("#tasks tbody tr")]
    assert [row[0] for row in rows][:3] == ["Problem 1", "1.1 Shape dataset and collation",
                                            "1.2 Anchors"]
    of = {row[0]: row[-1] for row in rows}
    for task in ("1.1 Shape dataset and collation", "1.8 Multi-scale detector",
                 "2.11 Keypoints: trained accuracy"):
        points = total(grade.tasks()[task.split()[0]])
        assert of[task] == str(points) and points.full == (task[:3] != "1.1")
    assert texts("h1") == [f"{grade.score:g} / {grade.possible:g} points"]


def test_every_failed_check_has_its_message_its_rule_and_its_figure(texts, grade, figures):
    assert len(texts("article.failed")) == len(LOST)
    for row in grade.rows:
        if row.check.number in LOST:
            place = f"article[id='check-{row.check.number}']"
            content, = texts(place)
            assert row.check.sentence.replace("`", "") in content
            assert f"0 / {row.check.points:g}" in content and "something differs." in content
            assert texts(f"{place} .rule b") == [f"Rule {row.check.rule}"]
            figure = figures[row.check.number]
            assert len(texts(f"{place} img")) == len(figure.panels)
            assert texts(f"{place} figcaption") == [figure.caption]
            assert texts(f"{place} .key li") == [entry.text for entry in figure.key]


def test_of_passed_checks_only_those_with_something_to_see_are_shown(texts):
    assert len(texts("article.passed")) == len(CASES) - len(LOST) + 1
    assert "Points given although it is so." in texts("#task-1\\.13 article p")
    assert texts("#task-1\\.8") == []
    assert texts(".notes li") == ["problem2/ has a large file"]


def test_rules_lead_to_the_handout_that_lies_beside_them(grade, tmp_path):
    assert "handout.html" not in page(grade, "homework-1")
    handout = tmp_path / "handout.html"
    handout.write_text("")
    rules = tmp_path / "rules.md"
    rules.write_bytes(grade.assignment.rules_file.read_bytes())
    beside = replace(grade, assignment=replace(grade.assignment, rules_file=rules))
    rule = next(row.check.rule for row in grade.rows if row.check.number == LOST[0])
    assert f'<a href="{handout.as_uri()}#{rule}">{rule}</a>' in page(beside, "homework-1")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_sticks_out_and_every_picture_is_there(open_page, report, width):
    window = open_page(report, width=width)
    assert not overflowing(window) and not broken_images(window)
    assert window.evaluate("document.documentElement.scrollWidth") <= width
    assert len(window.locator("img").all()) == sum(len(case.panels) for case in CASES)
    smallest = min(image.bounding_box()["width"] for image in window.locator("img").all())
    assert smallest >= 230  # lettering of 9 points stays readable


def test_links_lead_somewhere_and_can_be_followed_by_keyboard(open_page, report):
    window = open_page(report)
    assert window.evaluate("""() => [...document.querySelectorAll("a")]
        .every(link => document.getElementById(link.hash.slice(1)))""")
    window.keyboard.press("Tab")
    assert window.evaluate("document.activeElement.innerText") == "To the list of tasks"
    window.keyboard.press("Tab")
    place = window.evaluate("document.activeElement.hash")
    window.keyboard.press("Enter")
    window.wait_for_url(f"**{place}")
    assert window.locator(place.replace(".", "\\.")).bounding_box()["y"] < 100
    assert window.evaluate("document.documentElement.lang") == "en"
    assert window.title().endswith("points, homework-1")


def test_the_dark_page_keeps_white_behind_figures(open_page, report):
    window = open_page(report)
    window.emulate_media(color_scheme="dark")
    background = "e => getComputedStyle(e).backgroundColor"
    assert window.locator("body").evaluate(background) == "rgb(13, 17, 23)"
    assert {part.evaluate(background) for part in window.locator("img, .key").all()} == {
        "rgb(255, 255, 255)"}


def test_print_has_every_failed_check_and_no_links_back(open_page, report, tmp_path):
    window = open_page(report)
    window.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True, print_background=True)
    pages = PdfReader(tmp_path / "report.pdf").pages
    text = " ".join(" ".join(sheet.extract_text() for sheet in pages).split())
    assert "Points per task" in text and "all tasks" not in text
    for number in LOST:
        assert re.search(rf"\b{re.escape(number)} [A-Za-z]", text), number
    width, height = (float(v) for v in pages[0].mediabox[2:])
    assert (round(width), round(height)) == (595, 842) and len(pages) < 30


# --- from a submission ------------------------------------------------------------------------

NASTY = "</code></style><script>document.title = 'x'</script><img src=x onerror=alert(1)>\\x1b[31m"
HOSTILE = {
    "problem1/utils.py": f'''
def encode_boxes(boxes, anchors):
    raise type("{NASTY}", (Exception,), {{}})(
        f"{{boxes.sum()}}{NASTY}\\u202e\\nRule P1.coding.encode: <b>none</b>\\nAsked: <i> `<u>`")

def decode_boxes(deltas, anchors):
    return {{"{NASTY}": "{NASTY}"}}  # {NASTY}
'''}


def test_nothing_of_a_submission_becomes_markup(open_page, tmp_path, borrowed, capsys):
    folder = write_files(tmp_path / "<img src=x onerror=alert(2)>&amp;", HOSTILE)
    path = tmp_path / "report.html"
    assert main(["grade", str(folder), "--only", "1.4", "--html", str(path)]) == 0
    assert capsys.readouterr().out.endswith(f"The same with pictures: {path}\n")
    window = open_page(path)
    assert window.locator("script, img, b:text('none'), i, u").count() == 0
    assert window.title() == f"0 / {worth('1.4')} points, <img src=x onerror=alert(2)>&amp;"
    assert "&amp;" in window.locator("header").inner_text()
    shown = window.locator("main").inner_text()
    assert shown.count("</style><script>document.title = 'x'</script>") >= 3
    assert "<b>none</b>" in shown and "<i>" in shown and "<u>" in shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", path.read_text(encoding="utf-8"))


class Structure(HTMLParser):
    """The tags of a page with the names of their attributes, and all its text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        self.tags.append((f"/{tag}",))

    def handle_data(self, data):
        self.text += data


def everywhere(grade: Grade, text: str) -> str:
    """A page with a text in every place that a submission may reach."""
    rows = [Row(row.check) for row in grade.rows[:2]]
    for row in rows:
        row.record("public", FAILED, 0.0, f"{text}\nAsked: {text}\nRule {row.check.rule}: {text}")
    rows[0].figure = Figure(text, (Key(text, "#000"),), [Panel("data:,", text)])
    return page(replace(grade, rows=rows, notes=[text]), text)


@pytest.mark.parametrize("text", [
    "</script><script>alert(1)</script>", "</title></style><b>", '"><img src=x onerror=alert(1)>',
    '" onmouseover="alert(1)', "' autofocus onfocus='alert(1)", "<!--", "]]>", "&lt;b&gt;", "`<u>`",
    "{{ 7 * 7 }}{% include 'style.css' %}", "\x00\x07\x1b[31m\x7f\u202e\ud800"])
def test_no_text_becomes_markup_wherever_it_stands(text, grade):
    word = "`word`" if "`" in text else "word"
    plain, hostile = (Structure(everywhere(grade, each)) for each in (word, text))
    assert hostile.tags == plain.tags
    assert hostile.text.count(printable(text.replace("`", ""))) == plain.text.count("word") > 6


def test_a_submission_graded_from_the_command_line(open_page, tmp_path, borrowed, capsys):
    copy_solution(tmp_path / "work", "problem1")
    patch(tmp_path / "work", "problem1/utils.py", (
        "y, x, half = torch.meshgrid(centre_y, centre_x, half,",
        "half, y, x = torch.meshgrid(half, centre_y, centre_x,"))
    path = tmp_path / "report.html"
    assert main(["grade", str(tmp_path / "work"), "--only", "1.2", "--html", str(path)]) == 0
    capsys.readouterr()
    window = open_page(path, width=PHONE)
    assert re.fullmatch(rf"[\d.]+ / {worth('1.2')} points", window.locator("h1").inner_text())
    assert window.locator("article").count() == 1
    assert window.locator("article img").count() >= 1  # of every map that differs
    assert not overflowing(window)


def _mistaken(folder):
    copy_solution(folder, "problem1")
    patch(folder, "problem1/utils.py",
          ("dim=-1).reshape(-1, 4))", "dim=-1).reshape(-1, 4).clamp(0, image_size) * 2)"),
          ("+ box_area(boxes2)[None, :] - intersection", "+ box_area(boxes2)[None, :]"))


def _broken(folder):
    write_files(folder, {"problem1/utils.py": "import torch\n\nBOXES = torch.zeros(" + "3, " * 40
                         + ")[['x' * 200]]\n"})


def _unwritten(folder):
    shutil.copytree(STARTER, folder)


@pytest.mark.parametrize(("make", "says"), sampled([
    (_unwritten, "not done yet"),  # folded
    (_broken, "Your code could not be imported in problem1/utils"),
    (_mistaken, "What costs most")], 3))
def test_pages_of_whole_submissions(open_page, tmp_path, borrowed, capsys, make, says):
    make(tmp_path / "work")
    path = tmp_path / "report.html"
    assert main(["grade", str(tmp_path / "work"), "--only", "1.2,1.3", "--html", str(path)]) == 0
    capsys.readouterr()
    for width in (PHONE, DESKTOP):
        window = open_page(path, width=width)
        assert says in window.locator("main").inner_text()
        assert not overflowing(window) and not broken_images(window)
        assert window.evaluate("document.documentElement.scrollWidth") <= width


def test_checks_that_broke_in_one_way_stand_together_with_their_rules(
        open_page, tmp_path, grade_checks):
    folder = write_files(tmp_path / "work", {"problem1/utils.py": "import nothing_like_this"})
    made = grade_checks(folder, ["1.4"])
    write(made, "work", tmp_path / "report.html")
    window = open_page(tmp_path / "report.html", width=PHONE)
    assert window.locator("article").count() == 2 and not overflowing(window)
    assert window.locator("article > p").count() == 2
    assert window.locator("article li").all_inner_texts() == [
        f"{row.check.number} {row.check.sentence} {row.check.rule}" for row in made.rows]


def test_a_live_page_waits_for_a_newer_one_and_keeps_what_is_open(open_page, tmp_path):
    rows = [Row(check, message="Not written yet: it is yours.") for check in ASSIGNMENT.checks[:20]]
    path, grade = tmp_path / "report.html", Grade(ASSIGNMENT, rows)
    write(grade, "work", path, live=True)
    window = open_page(path)
    window.locator("summary").first.click()
    assert "</details>" not in window.locator("main").inner_text()
    window.evaluate("old = true")
    window.wait_for_timeout(5000)  # it looks every two seconds
    assert window.evaluate("old"), "nothing was saved"
    write(grade, "newer", path, live=True)
    window.wait_for_function("document.title.endsWith('newer')")
    opened = window.locator("details").evaluate_all("folds => folds.map(fold => fold.open)")
    assert opened == [True] + [False] * (len(opened) - 1) and len(opened) > 1


@pytest.mark.slow
def test_hidden_inputs_leave_no_trace(tmp_path, grade_checks, public, hidden_for):
    """Right on public inputs, wrong on hidden ones: the constant sentence, and no figure."""
    copy_solution(tmp_path / "work", "problem1")
    known = float(public.by_number["1.4.2"].question.inputs["args"][1][0, 0])
    patch(tmp_path / "work", "problem1/utils.py", (
        "def encode_boxes(boxes, anchors):\n",
        "def encode_boxes(boxes, anchors):\n"
        f"    if float(anchors[0, 0]) != {known}:\n        return anchors * 2\n"))
    made = grade_checks(tmp_path / "work", ["1.4.2"], sets=[public, hidden_for(["1.4.2"])])
    assert made.rows[0].tiers["public"][0] == PASSED and made.score == 0
    write(made, "work", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Right on the public inputs, but not on other inputs of the same kind." in text
    assert "<img" not in text and "Asked" not in text


@pytest.mark.parametrize(("file", "says"), [
    ("nowhere/report.html", "the folder of .* does not exist"), (".", "is a folder")])
def test_a_place_that_cannot_be_written_is_refused_before_grading(file, says, tmp_path, capsys):
    assert main(["grade", str(SOLUTION), "--html", str(tmp_path / file)]) == 2
    printed = capsys.readouterr()
    assert re.search(says, printed.err) and printed.err.count("\n") == 1


def test_students_get_what_the_page_needs():
    files = grader()
    assert {"autograder/engine/pages/grade_page.py", "autograder/engine/pages/templates/grade.html",
            "autograder/engine/pages/templates/style.css",
            "autograder/assignment/figures/problem1.py"} <= set(files)
