"""What a class should hear again, and the guide for those who help."""

import re
from html import unescape

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.diagnosis import load_bank
from autograder.instructor.classroom.class_page import page
from autograder.instructor.classroom.entry import Entry
from autograder.instructor.classroom.statistics import by_mistake
from autograder.instructor.classroom.teaching import MOST, hours, lessons, write_guide

from .generated import generated


@pytest.fixture(scope="module")
def entries():
    return generated(60)


def test_the_mistakes_that_cost_most_come_first_with_an_example(entries):
    found = lessons(entries)
    assert {lesson.known.name: lesson.entries for lesson in found} == by_mistake(entries)
    costs = [lesson.points for lesson in found]
    assert costs == sorted(costs, reverse=True) and costs[0] > 0
    first = found[0]
    assert first.points == pytest.approx(sum(
        row["points"] - row["score"] for entry in first.entries
        for number, row in entry.checks.items() if number in entry.mistakes[first.known.name]))
    assert all(lesson.number and lesson.asked and lesson.came != lesson.expected
               for lesson in found[:MOST])
    assert any(lesson.figure and not lesson.expected for lesson in found)
    assert all(lesson.came for lesson in found) and any(lesson.expected for lesson in found)


def test_an_answer_too_long_to_read_still_has_its_call():
    entry = Entry("ann", checks={"1.3.4": {"score": 0.0, "points": 0.5, "verdict": "wrong"}},
                  mistakes={"iou-zero-by-zero": ["1.3.4"]})
    lesson, = lessons([entry])
    assert lesson.expected == "" and "should be 0, but is nan" in lesson.came
    assert "Asked: compute_iou(torch.tensor([[" in lesson.came


@pytest.mark.slow
def test_the_page_says_what_to_teach_on_monday(entries):
    text = " ".join(unescape(re.sub("<[^>]*>", " ", page(entries))).split())
    part = text.partition("with an example to work out at the board")[2].partition(
        "Checks that look broken")[0]
    for lesson in lessons(entries)[:MOST]:
        assert f"{lesson.points:g} points, " in part and lesson.known.rule in part


def test_the_guide_has_every_task_rule_and_mistake(entries, tmp_path):
    write_guide(entries, tmp_path / "guide.md")
    text = (tmp_path / "guide.md").read_text(encoding="utf-8")
    for check in ASSIGNMENT.checks:
        assert f"\n## {check.task_number} {check.task.title}\n" in text
        assert f"- {check.rule}: {ASSIGNMENT.rules[check.rule]}" in text
    bank = load_bank(ASSIGNMENT.references)
    assert all(known.title in text for known in bank.known.values()
               if known.task in {check.task_number for check in ASSIGNMENT.checks})
    assert "\n### Q1 " in text and "| points | rubric | sample |" in text
    top = lessons(entries)[0]
    assert f"### The code {top.known.title}: {len(top.entries)} students, " in text
    assert not any(entry.name in text or entry.email in text for entry in entries)


def test_a_guide_is_about_what_was_graded(tmp_path):
    write_guide([Entry("ann", checks={"1.3.1": {"score": 1.0, "points": 1.0,
                                             "verdict": "passed"}})],
                tmp_path / "guide.md")
    text = (tmp_path / "guide.md").read_text(encoding="utf-8")
    assert "This class loses 0.00" in text and "## 1.3 " in text and "## 1.4 " not in text


def test_hours_are_those_of_the_handout():
    found = hours()
    assert {"1.3", "1.4", "2.3", "2.4", "2.8"} <= set(found)
    assert all(0 < time < 10 for time in found.values()) and found["2.3"] == found["2.4"]
