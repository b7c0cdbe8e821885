"""The numbers of a class against numbers worked out by hand, and against other formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.engine.results import FAILED, PASSED
from autograder.engine.results import GRADER_BROKE as CHECK_BROKE
from autograder.instructor.classroom.entry import GRADER_BROKE, NO_SUBMISSION, Entry
from autograder.instructor.classroom.statistics import (
    ALL,
    FEW,
    by_mistake,
    claims,
    item_rest,
    items,
    lost_per_task,
    points_table,
    suspicious,
    upper_lower,
)


def entry(student: str, scores: dict[str, float], worth: float = 1.0, **more) -> Entry:
    """A student with these points; every check is worth the same."""
    checks = {number: {"verdict": PASSED if score == worth else FAILED, "score": score,
                       "points": worth, "message": ""} for number, score in scores.items()}
    return Entry(student, checks=checks, score=sum(scores.values()),
                 possible=worth * len(scores), **more)


def classroom(*columns: list[float], worth: float = 1.0) -> list[Entry]:
    """A class from the points of every student in checks 1.2.1, 1.2.2, ..."""
    return [entry(f"s{i}", {f"1.2.{c}": value for c, value in enumerate(row, 1)}, worth)
            for i, row in enumerate(zip(*columns, strict=True))]


def test_points_lost_by_hand():
    made = points_table([entry("a", {"1.2.1": 2, "1.2.2": 0, "1.3.1": 2}, 2),
                         entry("b", {"1.2.1": 1, "1.2.2": 0, "1.3.1": 2}, 2)])
    # a loses 2 of 4 in task 1.2, b 3 of 4: 2.5 on average; nobody loses any in task 1.3
    assert lost_per_task(made) == {"1.2": (2.5, 4, 2), "1.3": (0, 2, 0)}


def test_difficulty_by_hand():
    easy, hard = items(classroom([2, 2, 2, 2], [0, 1, 2, 0], worth=2))
    assert (easy.share, easy.passing, easy.students) == (1, 1, 4)
    assert (hard.share, hard.passing) == (3 / 8, 1 / 4)  # 3 of 8 points, one of four passes


def test_the_item_rest_correlation_by_hand():
    # Ten students; the five who pass have 3 points elsewhere on average, the others 1.
    passes = np.array([1.0] * 5 + [0.0] * 5)
    rest = np.array([1, 2, 3, 4, 5, 0, 0, 1, 2, 2], dtype=float)
    # Point-biserial: (M1 - M0) / s * sqrt(p q) with M1 = 3, M0 = 1, p = q = 1/2 and
    # s^2 = mean of squares - square of the mean = (1+4+9+16+25+1+4+4) / 10 - 4 = 2.4
    assert item_rest(passes, rest) == pytest.approx(2 / math.sqrt(2.4) / 2)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), min_size=FEW, max_size=40))
def test_the_correlation_is_the_point_biserial_formula(answers):
    passes, rest = [bool(a) for a, _ in answers], [b for _, b in answers]
    got = item_rest(np.array(passes, dtype=float), np.array(rest, dtype=float))
    ones = [value for ok, value in zip(passes, rest) if ok]
    zeros = [value for ok, value in zip(passes, rest) if not ok]
    if not ones or not zeros or len(set(rest)) == 1:
        assert got is None
        return
    p, mean = len(ones) / len(rest), math.fsum(rest) / len(rest)
    s = math.sqrt(math.fsum((value - mean) ** 2 for value in rest) / len(rest))
    between = math.fsum(ones) / len(ones) - math.fsum(zeros) / len(zeros)
    assert got == pytest.approx(between / s * math.sqrt(p * (1 - p)), abs=1e-9)
    assert -1 - 1e-9 <= got <= 1 + 1e-9


def test_the_upper_and_the_lower_group_by_hand():
    # 27 % of 11 students are 3. The third from above ties with the fourth: both belong.
    rest = np.array([9, 8, 7, 7, 6, 5, 4, 3, 2, 1, 0], dtype=float)
    passes = np.array([1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0], dtype=float)
    lower, upper = upper_lower(passes, rest)
    assert (lower, upper) == (1 / 3, 3 / 4)
    shuffled = np.random.default_rng(0).permutation(11)
    assert upper_lower(passes[shuffled], rest[shuffled]) == (lower, upper)


def test_discrimination_takes_the_check_itself_out_of_the_total():
    ten = [1.0] * 5 + [0.0] * 5
    alone, = items(classroom(ten))
    assert alone.item_rest is None and alone.upper_lower is None  # the rest is 0 for everyone
    first, second = items(classroom(ten, ten))
    assert first.item_rest == second.item_rest == pytest.approx(1)
    assert first.upper_lower == 1


@pytest.mark.parametrize("count", [1, 2, FEW - 1])
def test_small_classes_have_difficulties_and_no_discrimination(count):
    own = items(classroom([1.0, 0.0] * count, [0.0, 1.0] * count)[:count])
    assert [item.students for item in own] == [count, count]
    assert all(item.item_rest is None and item.upper_lower is None for item in own)


def test_students_without_a_grade_change_no_number():
    own = classroom([1.0] * 6 + [0.0] * 6, [1.0, 0.0] * 6)
    more = [*own, Entry("x", status=NO_SUBMISSION, error="none"),
            entry("y", {"1.2.1": 0.0}, status=GRADER_BROKE)]
    assert items(more) == items(own)
    assert lost_per_task(points_table(more)) == lost_per_task(points_table(own))
    assert points_table([Entry("x", status=NO_SUBMISSION)]).earned.shape == (0, 0)
    assert items([Entry("x", status=NO_SUBMISSION)]) == []


def test_a_check_that_some_grades_lack_is_judged_by_the_others():
    own = [*classroom([1.0, 0.0], [1.0, 1.0]), entry("z", {"1.2.1": 1.0})]
    first, second = items(own)
    assert (first.students, second.students) == (3, 2)
    assert first.share == pytest.approx(2 / 3) and second.share == 1


def test_a_check_worth_nothing_is_as_hard_as_it_is_to_pass():
    own = [Entry(str(i), checks={"1.2.1": {"verdict": verdict, "score": 0.0, "points": 0.0,
                                           "message": ""}})
           for i, verdict in enumerate((PASSED, FAILED, FAILED, FAILED))]
    item, = items(own)
    assert item.share == item.passing == 0.25


def test_what_nobody_passes_looks_broken_in_a_class_and_not_in_a_handful():
    impossible = items(classroom([0.0] * ALL, [1.0] * ALL))
    assert suspicious(impossible) == {"1.2.1": f"None of {ALL} students gets a point for it."}
    assert suspicious(items(classroom([0.0] * (ALL - 1)))) == {}


def test_what_the_best_lose_looks_broken():
    skill = np.repeat([1.0, 0.0], 10)
    best_lose, others = 1 - skill, [skill] * 4
    reasons = suspicious(items(classroom(list(best_lose), *map(list, others))))
    assert list(reasons) == ["1.2.1"]
    assert "the upper 27 % of the class get 0% of its points, the lower 27 % 100%" in (
        reasons["1.2.1"])
    assert "correlation -1.00" in reasons["1.2.1"]


def test_chance_alone_makes_few_checks_look_broken():
    rng = np.random.default_rng(5)
    skill = rng.normal(size=200)
    fair = [(rng.normal(size=200) < skill).astype(float) for _ in range(60)]
    guessed = [(rng.random(200) < 0.5).astype(float) for _ in range(60)]
    assert suspicious(items(classroom(*map(list, fair)))) == {}
    found = suspicious(items(classroom(*map(list, fair + guessed))))
    assert len(found) <= 5  # two standard errors to one side: 2.3 % of 60


def test_where_the_grader_broke_the_check_is_named_with_its_students():
    row = {"verdict": CHECK_BROKE, "score": 0.0, "points": 1.0, "message": ""}
    own = [*classroom([1.0], [1.0]), Entry("x", status=GRADER_BROKE, checks={"1.2.2": row})]
    assert suspicious(items(own)) == {"1.2.2": "The grader itself broke on it for 1 student."}


def test_mistakes_come_by_frequency_and_claims_by_check():
    own = [Entry("a", mistakes={"rare": ["1.2.1"], "often": ["1.2.2"]}),
           Entry("b", mistakes={"often": ["1.2.2"]}, accuracies={
               "2.11.1": {"name": "PCK@0.05", "measured": 0.5, "claimed": [["m", 0.9], ["l", 0.6]]},
               "1.14.1": {"name": "mAP@0.5", "measured": 0.7, "claimed": []}}),
           Entry("c", status=GRADER_BROKE, mistakes={"rare": ["1.2.1"]})]
    assert {name: [e.student for e in who] for name, who in by_mistake(own).items()} == {
        "often": ["a", "b"], "rare": ["a"]}
    assert list(by_mistake(own)) == ["often", "rare"]
    found = claims(own)
    assert list(found) == ["2.11.1"]  # without a claim there is nothing to compare
    assert [(c.claimed, c.measured) for c in found["2.11.1"]] == [(0.9, 0.5), (0.6, 0.5)]
