"""Points that a person gives: the table, what is wrong with it, totals, pages."""

import re
from dataclasses import replace

import pytest

from autograder.assignment import ASSIGNMENT, report
from autograder.instructor.classroom import manual
from autograder.instructor.classroom.book import write_grades
from autograder.instructor.classroom.entry import NO_SUBMISSION, Entry
from autograder.instructor.classroom.manual import POSSIBLE, code, merged, read
from autograder.instructor.classroom.tables import read_table
from autograder.instructor.packaging.contents import shared

JANE = Entry("jane", "Jane Doe", score=80, possible=100,
             answers={"Q1": "Because <b>of</b>\nanchors.", "Q2": ""},
             accuracies={"1.18.1": {"name": "mAP@0.5", "measured": 0.9, "claimed": [],
                                    "rows": {"mAP@0.5": 0.9, "AP circle": 0.8}}})
JOHN = Entry("john", score=50, possible=100, answers={"Q1": "No idea."})
CLASS = [JANE, JOHN, Entry("nobody", status=NO_SUBMISSION, possible=100)]
TOTAL = sum(POSSIBLE.values())


def typed(path, *rows):
    path.write_text("\n".join(["student,name,Q1,q2,Q8,comment", *rows]), encoding="utf-8")
    return path


def test_a_table_to_type_into_is_written_once(tmp_path):
    path = tmp_path / manual.TABLE
    manual.write_empty(CLASS, path)
    rows = read_table(path)
    assert [row["student"] for row in rows] == ["jane", "john"]
    assert set(POSSIBLE) < set(rows[0]) and rows[0]["code"] == code("jane")
    assert read(path, CLASS) == {student: manual.Given({}) for student in ("jane", "john")}
    typed(path, "jane,,1,,,")
    manual.write_empty(CLASS, path)
    assert read(path, CLASS)["jane"].points == {"Q1": 1}
    assert read(tmp_path / "none.csv", CLASS) == {}


def test_points_are_added_to_total_and_table(tmp_path):
    given = read(typed(tmp_path / "m.csv", 'jane,,"2,5",1,0,Good.', "john,,,,,"), CLASS)
    jane, john, nobody = merged(CLASS, given)
    assert (jane.score, jane.possible, jane.manual) == (83.5, 100 + TOTAL,
                                                        {"Q1": 2.5, "Q2": 1, "Q8": 0})
    assert (john.score, john.possible, nobody.possible) == (50, 100 + TOTAL, 100 + TOTAL)
    write_grades([jane, john], tmp_path / "grades.csv")
    rows = read_table(tmp_path / "grades.csv")
    assert [(row["total"], row["possible"], row["Q1"], row["Q8"]) for row in rows] == [
        ("83.5", f"{100 + TOTAL:g}", "2.5", "0"), ("50", f"{100 + TOTAL:g}", "", "")]
    assert merged(CLASS, read(typed(tmp_path / "m.csv", "jane,,,,,Well."), CLASS)) == CLASS


@pytest.mark.parametrize(("rows", "says"), [
    (["jack,,1,,,"], "jack is not in this class"),
    ([",,1,,,"], "a row without student is not in this class"),
    (["jane,,1,,,", "jane,,1,,,"], "jane is there twice"),
    (["jane,,3,,,"], "jane, Q1: 3 is no number from 0 to 2.5"),
    (["jane,,-1,,,"], "jane, Q1: -1 is no number from 0 to 2.5"),
    (["jane,,nan,,,"], "jane, Q1: nan is no number from 0 to 2.5"),
    (["jane,,much,,,"], "jane, Q1: much is no number from 0 to 2.5")])
def test_a_wrong_row_is_one_line(tmp_path, rows, says):
    path = typed(tmp_path / "m.csv", *rows)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {says}')}$"):
        read(path, CLASS)


def test_a_question_that_there_is_not_is_one_line(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("student,Q9\njane,1\n")
    with pytest.raises(ValueError, match=r"jane, Q9: there is no such question in \[manual\]"):
        read(path, CLASS)
    path.write_text("student,QQ\njane,1\n")
    with pytest.raises(ValueError, match="has a column 'QQ', which is no question"):
        read(path, CLASS)
    path.write_text("student,code,name,Q1,comment\ngone,ab12,Gone,,\njane,,,1,\n")
    assert set(read(path, CLASS)) == {"jane"}  # who has left, before anything was typed


def test_points_of_a_question_that_the_report_does_not_ask_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(POSSIBLE, "Q12", 3)
    with pytest.raises(ValueError, match="gives points to Q12, which report.md does not ask"):
        read(typed(tmp_path / "m.csv", "jane,,1,,,"), CLASS)


def test_feedback_has_the_last_points_once(tmp_path):
    page = tmp_path / "students" / "jane" / "feedback.html"
    page.parent.mkdir(parents=True)
    page.write_text("<main>\n<p>checks</p>\n</main>\n</body>")
    for points, comment in ((1.0, "<i>"), (2.0, "fine")):
        given = {"jane": manual.Given({"Q1": points}, comment)}
        jane, *others = merged([replace(JANE, answers={"Q1": "a", "Q3": "b"}), *CLASS[1:]], given)
        late = replace(jane, score=jane.score - 10, adjusted=["1 day late: -10 points"])
        manual.write_feedback([late, *others], given, tmp_path)
    text = page.read_text()
    assert text.count("<section") == 1 and text.index("<section") < text.index("checks</p>")
    for part in (f"72 / {100 + TOTAL:g} points in all", "Q1: 2 / 2.5", "Q3: no points yet",
                 "1 day late: -10 points", "fine"):
        assert part in text
    assert manual.unread([jane, *others], given) == {"jane": ["Q3"], "john": ["Q1"]}
    assert manual.unread([jane, *others], {}) == {}
    manual.write_feedback(CLASS, {"jane": manual.Given({}, "<i>")}, tmp_path)
    assert "&lt;i&gt;" in page.read_text()
    manual.write_feedback(CLASS, {}, tmp_path)
    assert page.read_text() == "<main>\n<p>checks</p>\n</main>\n</body>"


@pytest.mark.parametrize("anonymous", [False, True])
def test_the_page_of_answers(tmp_path, anonymous):
    path = tmp_path / manual.ANSWERS
    manual.write_page([replace(JANE, manual={"Q1": 2.0}), *CLASS[1:]], path, anonymous)
    text = path.read_text()
    assert "Because &lt;b&gt;of&lt;/b&gt;\nanchors." in text and "No idea." in text
    assert "mAP@0.5 0.900, AP circle 0.800" in text and text.count("No answer.") == 2 * 8 - 2
    assert "Which map will find which class" in text and "nobody" not in text
    assert ("Jane" in text, "john" in text) == (not anonymous, not anonymous)
    assert not anonymous or code("jane") in text
    assert all(f'<section id="{name}">' in text for name in POSSIBLE)


def test_answers_of_a_report():
    text = (b"# Report\n### Q1\n\n> Why?\n\nBecause.\n\n- a\n#1 is no heading\n## Problem 2\n"
            b"other\n### q2 \nTwo\n#### More\nx\n### Q3\n### Q1\nAgain.\n### Queue\ny")
    assert report.answers(text) == {
        "Q1": "Because.\n\n- a\n#1 is no heading\nAgain.", "Q2": "Two", "Q3": ""}
    assert report.answers(None) == {} and report.answers(b"### Q1\n\xff")["Q1"] == "\ufffd"
    assert len(report.answers(b"### Q1\n" + b"x" * 10**6)["Q1"]) == 10_000


def test_every_question_has_points_a_rubric_and_three_samples():
    rubric = (ASSIGNMENT.folder.parent / "instructor" / "rubric.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (Q\d) ", rubric, flags=re.M)
    assert parts[1::2] == [*POSSIBLE]
    for name, part in zip(parts[1::2], parts[2::2]):
        rows = re.findall(r"^\| ([\d.]+) \| .+ \| .+ \|$", part, re.M)
        assert [float(row) for row in rows] == [POSSIBLE[name], POSSIBLE[name] / 2, 0]
    starter = (ASSIGNMENT.solution.parent / "starter" / "report.md").read_text(encoding="utf-8")
    assert dict(manual.QUESTION.findall(starter)).keys() == POSSIBLE.keys()
    assert not any("rubric" in name for name in shared())
