"""class.html: what it says, whom it gives away, that nothing becomes markup, and how it looks."""

import hashlib
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from autograder.assignment import ASSIGNMENT
from autograder.engine.diagnosis import load_bank
from autograder.engine.results import FAILED, PASSED
from autograder.instructor.classroom.class_page import page
from autograder.instructor.classroom.entry import GRADED, NO_SUBMISSION, Entry
from autograder.instructor.classroom.similarity import (
    EARLIER,
    SOLUTION,
    STUDENT,
    Match,
    Pair,
)
from autograder.instructor.classroom.statistics import by_mistake, graded
from autograder.instructor.packaging.contents import grader
from tests.browser import (  # noqa: F401
    DESKTOP,
    PHONE,
    broken_images,
    browser,
    open_page,
    overflowing,
)
from tests.grading import worth

from .generated import VERSION, generated

SIZE = 300
UPSIDE_DOWN, NEVER = "1.3.2", "2.7.1"  # checks that are made to look broken
SECTIONS = ("scores", "tasks", "teach", "broken", "checks", "mistakes", "accuracy", "resources",
            "similar", "students")


def set_score(entry: Entry, number: str, passed: bool) -> Entry:
    """The same student with another verdict of one check."""
    row = entry.checks[number]
    new = {**row, "score": row["points"] * passed, "verdict": PASSED if passed else FAILED}
    return replace(entry, checks={**entry.checks, number: new},
                   score=entry.score - row["score"] + new["score"])


def pairs(entries: list[Entry]) -> list[Pair]:
    """Similar submissions of every kind."""
    ids = [entry.student for entry in graded(entries)]
    files = (Match("problem1/utils.py", "problem1/tools.py", 900, 0.8, 0.7),
             Match("problem1/loss.py", "problem1/loss.py", 300, 0.9, 0.95))
    return [Pair(ids[0], ids[1], STUDENT, 1200, 0.71, 0.64, files),
            Pair(ids[2], "solution", SOLUTION, 900, 0.61, 0.24, files[:1]),
            Pair(ids[3], "2024-someone", EARLIER, 300, 0.21, 0.24, files[1:])]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def entries():
    """A large class in which one check is lost by the best and one by everyone."""
    middle = sorted(entry.score for entry in generated(SIZE))[SIZE // 2]
    return [set_score(set_score(entry, UPSIDE_DOWN, entry.score < middle), NEVER, False)
            if entry.status == GRADED else entry for entry in generated(SIZE)]


@pytest.fixture(scope="module")
def report(entries, tmp_path_factory):
    path = tmp_path_factory.mktemp("grades") / "class.html"
    path.write_text(page(entries, pairs(entries)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def texts(report, browser):  # noqa: F811
    """`texts(selector)`: the texts of all such elements of the page."""
    window = browser.new_page()
    window.goto(report.as_uri())
    for folded in window.locator("summary").all():
        folded.click()
    return lambda selector: window.locator(selector).all_inner_texts()


# --- what it says -----------------------------------------------------------------------------


def test_the_head_names_the_median_and_the_versions(texts, entries):
    scores = sorted(entry.score for entry in graded(entries))
    median = (scores[len(scores) // 2] + scores[(len(scores) - 1) // 2]) / 2
    assert texts("h1") == [f"{median:.1f} / {worth()} points, the median of {len(scores)}"]
    head, = texts("header")
    assert "Checks 1f0c5a9be2d7, references 77ab03c4d911, public and hidden inputs." in head
    missing, broke, left_out = texts(".notes li")
    assert missing.startswith("3 students without a submission: ")
    assert broke.startswith("3 students whose grade is not known, since the grader broke: ")


def test_every_student_stands_in_the_table_the_best_first(texts, entries):
    rows = texts("#students tbody tr")
    assert len(rows) == len(entries)
    told = [float(row.split("\t")[-1].split(" / ")[0]) for row in rows[:len(graded(entries))]]
    assert told == sorted((round(e.score, 2) for e in graded(entries)), reverse=True)
    assert "no submission: the zip holds no problem1/" in rows[-1]


def test_every_check_has_its_numbers(texts, entries):
    rows = {row.split()[0]: row.split("\t") for row in texts("#checks tbody tr")}
    assert {check.number for check in ASSIGNMENT.checks} <= set(rows)
    own = graded(entries)
    worth_it = ASSIGNMENT.by_number["1.2.1"].points
    passing = sum(entry.checks["1.2.1"]["score"] for entry in own) / len(own) / worth_it
    assert rows["1.2.1"][2:4] == [f"{passing:.0%}", f"{worth_it * (1 - passing):.2f}"]
    assert rows[UPSIDE_DOWN][4].startswith("−") and rows[UPSIDE_DOWN][5].startswith("−")
    assert rows[NEVER][2] == "0%" and rows[NEVER][4] == "–"


def test_checks_that_look_broken_are_named_with_a_reason(texts, entries):
    said = dict(zip((text.split()[0] for text in texts("#broken h3")), texts("#broken article p")))
    assert set(said) == {UPSIDE_DOWN, NEVER, "1.19.5"}
    assert "Students who do well elsewhere lose it" in said[UPSIDE_DOWN]
    assert said[NEVER] == f"None of {len(graded(entries))} students gets a point for it."
    assert said["1.19.5"] == "The grader itself broke on it for 3 students."


def test_mistakes_come_by_frequency_with_explanation_and_students(texts, entries):
    made, known = by_mistake(entries), load_bank(ASSIGNMENT.references).known
    headings, names = texts("#mistakes h3"), texts("#mistakes .who")
    assert len(headings) == len(made) > 50
    counts = [int(re.search(r"(\d+) students?$", heading)[1]) for heading in headings]
    assert counts == sorted(counts, reverse=True)
    first = next(iter(made))
    plain = known[first].explanation.replace("`", "")
    assert known[first].title.replace("`", "") in headings[0]
    assert plain in texts("#mistakes article")[0]
    assert set(names[0].split("; ")) == {entry.name for entry in made[first]}


def test_many_names_are_folded(report, open_page):  # noqa: F811
    window = open_page(report)
    articles = window.locator("#mistakes article")
    for index in (0, articles.count() - 1):
        article = articles.nth(index)
        folded = int(re.search(r"(\d+) students?", article.locator("h3").inner_text())[1]) > 12
        assert article.locator(".who").is_visible() != folded
        if folded:
            article.locator("summary").click()
            assert article.locator(".who").is_visible()


def test_claims_far_from_what_was_measured_are_listed(texts, entries):
    far = [(claim[1], accuracy["measured"]) for entry in graded(entries)
           for accuracy in entry.accuracies.values() for claim in accuracy["claimed"]
           if abs(claim[1] - accuracy["measured"]) > 0.1]
    rows = [row.split("\t") for row in texts("#accuracy tbody tr")]
    assert sorted((row[2], row[3]) for row in rows) == sorted(
        (f"{claimed:.2f}", f"{measured:.2f}") for claimed, measured in far)


def test_similar_submissions_are_pointed_to_and_nobody_is_accused(texts, entries):
    rows = texts("#similar tbody tr")
    one, two, *_ = (entry.name for entry in graded(entries))
    assert rows[0].split("\t")[1:] == ["71%", "64%", "1200"]
    assert rows[0].startswith(f"{one} and {two}")
    assert "problem1/loss.py, problem1/utils.py as problem1/tools.py" in rows[0]
    assert "and the solution" in rows[1] and "and earlier work 2024-someone" in rows[2]
    text = " ".join(texts("#similar")).lower()
    assert "says nothing about anyone" in text
    assert not re.search(r"cheat|plagiari|copied|copying|guilt|dishonest|suspect", text)


@pytest.mark.slow  # needs the page of a whole class, as the tests in a browser do
def test_links_lead_to_the_feedback_pages(report, entries):
    text = report.read_text(encoding="utf-8")
    for entry in entries:
        link = f'href="students/{entry.student}/feedback.html"'
        assert (link in text) == (entry.status != NO_SUBMISSION)


@pytest.mark.proof
def test_what_was_given_up_and_left_out_is_said():
    two = generated(2)
    two[0] = replace(two[0], given_up=60.0, notes=["problem2/ is missing"])
    text = page(two)
    assert "some of whose checks were given up when their time was over" in text
    assert "problem2/ is missing" in text and "problem2/ is missing" not in page(two, None, True)
    assert "With fewer than 5 students, a check may fail everyone by chance" in text
    assert "given up" not in page(generated(2))


# --- classes of every size --------------------------------------------------------------------


@pytest.mark.parametrize("own", [
    [], generated(1), generated(2), [Entry("a", "A", status=NO_SUBMISSION, error="nothing")],
    [replace(generated(1)[0], student=f"s{i}") for i in range(12)],
    [Entry("blank", version=VERSION, possible=5.0, checks={"1.3.1": {
        "verdict": FAILED, "score": 0.0, "points": 5.0, "message": ""}})],
], ids=["nobody", "one", "two", "none handed in", "all equal", "nothing right"])
def test_small_and_equal_classes_have_a_page(own, tmp_path, open_page):  # noqa: F811
    (tmp_path / "class.html").write_text(page(own, []), encoding="utf-8")
    window = open_page(tmp_path / "class.html", width=PHONE)
    assert not overflowing(window) and not broken_images(window)
    assert window.title() == f"Class of {len(own)}"
    assert not any("nan" in cell for cell in window.locator("td").all_inner_texts())
    assert window.locator("#students tbody tr").count() == len(own)


# --- who is named -----------------------------------------------------------------------------

WORDS = st.text(st.characters(min_codepoint=0xC0, max_codepoint=0x24F, categories=("L",)),
                min_size=6, max_size=12)


@pytest.mark.slow
@settings(deadline=None, max_examples=1, phases=[Phase.generate],  # a page takes five seconds
          suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=12, max_size=12,
                unique_by=(lambda w: w[0], lambda w: w[1], lambda w: w[2])))
def test_an_anonymous_page_gives_nobody_away(words):
    own = [replace(entry, student=student, name=name, email=f"{email}@example.org",
                   error=f"{name}.zip is no zip", notes=[f"{name} was late"],
                   sources=[f"{name}/utils.py"])
           for entry, (student, name, email) in zip(generated(12), words)]
    own[4] = replace(own[4], status=NO_SUBMISSION)
    found = [Pair(own[0].student, own[1].student, STUDENT, 900, 0.8, 0.7, (
                Match(f"{own[0].name}.py", f"{own[1].name}.py", 900, 0.8, 0.7),)),
             Pair(own[2].student, f"earlier-{own[3].name}", EARLIER, 900, 0.8, 0.7, ())]
    text = page(own, found, anonymous=True)
    for secret in (word for three in words for word in three):
        assert secret not in text
    assert "students/" not in text and "example.org" not in text
    assert "student 12" in text and "student 13" not in text and "earlier work 1" in text


@pytest.mark.proof
def test_numbers_of_an_anonymous_page_do_not_depend_on_names_or_order():
    own = generated(30)
    renamed = [replace(entry, student=f"x{i:03}", name=entry.name[::-1], email="")
               for i, entry in enumerate(reversed(own))]
    assert digest(page(own, anonymous=True)) == digest(page(renamed, anonymous=True))


@pytest.mark.proof
def test_the_same_class_gives_the_same_bytes(entries):
    own = entries[:40]
    assert digest(page(own, pairs(own))) == digest(page(own[::-1], pairs(own)))


NASTY = ["<script>document.title = 'x'</script>", "=HYPERLINK(\"http://evil.example\",\"a\")",
         "</bdi></table><img src=x onerror=alert(1)>", "a\u202e\x1b[31m\x00\ud800b", "&amp;&lt;",
         '" onmouseover="document.title = 1', "' autofocus onfocus='document.title = 1",
         "{{ 7 * 7 }}{% include 'class.css' %}"]


def test_nothing_a_student_chose_becomes_markup(open_page, tmp_path):  # noqa: F811
    own = [replace(entry, name=name, email=name, error=name, student=f"id-{i}")
           for i, (entry, name) in enumerate(zip(generated(len(NASTY)), NASTY))]
    own.append(Entry("odd id?#%", NASTY[2], status=NO_SUBMISSION, error=NASTY[0]))
    file = Match(NASTY[0], NASTY[2], 900, 0.8, 0.7)
    (tmp_path / "class.html").write_text(page(own, [
        Pair("id-0", "id-1", STUDENT, 900, 0.8, 0.7, (file,)),
        Pair("id-2", NASTY[0], EARLIER, 900, 0.8, 0.7, (file,))]), encoding="utf-8")
    window = open_page(tmp_path / "class.html", width=PHONE)
    assert window.locator("script, img:not([src^='data:'])").count() == 0
    assert window.locator("[onmouseover], [onfocus], [autofocus]").count() == 0
    assert window.title() == f"Class of {len(own)}" and not overflowing(window)
    shown = window.locator("#students").inner_text()
    assert all(name in shown for name in NASTY if name.isprintable())
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]",
                         (tmp_path / "class.html").read_text(encoding="utf-8"))


# --- how it looks -----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_sticks_out_and_every_figure_is_there(open_page, report, width):  # noqa: F811
    window = open_page(report, width=width)
    assert not overflowing(window) and not broken_images(window)
    assert window.evaluate("document.documentElement.scrollWidth") <= width
    figures = {name: window.locator(f"#{name} figure img").count() for name in SECTIONS}
    assert figures.pop("teach") > 0  # as many as are drawn of this class's dearest mistakes
    assert figures == {"scores": 3, "tasks": 2, "broken": 0, "checks": 2, "mistakes": 0,
                       "accuracy": 5, "resources": 3, "similar": 0, "students": 0}
    smallest = min(image.bounding_box()["width"] for image in window.locator("img").all())
    assert smallest >= 230  # lettering of 8 points stays readable
    assert window.evaluate("""() => [...document.querySelectorAll("a[href^='#']")]
        .every(link => document.getElementById(link.hash.slice(1)))""")


@pytest.mark.proof
def test_it_prints_every_section_and_every_student(open_page, entries, tmp_path):  # noqa: F811
    own = entries[:12]
    (tmp_path / "class.html").write_text(page(own, pairs(own)), encoding="utf-8")
    window = open_page(tmp_path / "class.html")
    headings = window.locator("h2").all_inner_texts()
    window.pdf(path=tmp_path / "class.pdf", prefer_css_page_size=True, print_background=True)
    sheets = PdfReader(tmp_path / "class.pdf").pages
    text = " ".join(" ".join(sheet.extract_text() for sheet in sheets).split())
    text = unicodedata.normalize("NFKC", text)  # ligatures
    assert len(headings) == len(SECTIONS) and all(heading in text for heading in headings)
    assert all(unicodedata.normalize("NFKC", entry.name) in text for entry in own)
    assert len(sheets) < 30


def test_the_dark_page_keeps_white_behind_figures(open_page, report):  # noqa: F811
    window = open_page(report)
    window.emulate_media(color_scheme="dark")
    colours = {part.evaluate("e => getComputedStyle(e).backgroundColor")
               for part in window.locator("img, .key").all()}
    assert colours == {"rgb(255, 255, 255)"}


def test_the_page_stays_at_home():
    assert not [name for name in grader() if name.startswith("autograder/instructor")]
