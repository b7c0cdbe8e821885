"""Points files: what an instructor may write into one, and what is said of what cannot be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.engine.points import Accuracy, BadPoints, Points, load_points

TEXT = """\
total = 4
off = []
[points]
1.1.1 = 1
1.1.2 = 1.5
1.2.1 = 0
2.1.1 = 1.5
[extra]
2.1.2 = 2
[accuracy.2.1.1]
floor = 0.20
target = 0.70
step = 0.5
"""
CHECKS = {"1.1.1": False, "1.1.2": False, "1.2.1": False, "2.1.1": True, "2.1.2": False}


@pytest.fixture
def edited(tmp_path):
    """`edited((old, new), ...)`: the file above with some passages replaced, read."""
    def read(*edits: tuple[str, str]) -> Points:
        text = TEXT
        for old, new in edits:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "points.toml"
        path.write_text(text, encoding="utf-8")
        return load_points(path)

    return read


def test_points_by_check(edited):
    points = edited()
    points.match(CHECKS)
    assert [points.of(number) for number in CHECKS] == [1, 1.5, 0, 1.5, 2]
    assert points.accuracy == {"2.1.1": Accuracy(target=0.7, step=0.5, floor=0.2)}


@pytest.mark.parametrize("edits", [
    [("1.1.1 = 1\n", "1.1.1 = 2.25\n"), ("total = 4", "total = 5.25")],
    [("off = []", 'off = ["1.1.2"]'), ("total = 4", "total = 2.5")],
    [("off = []", 'off = ["1.1", "2.1.2"]'), ("total = 4", "total = 1.5")],
    [("2.1.2 = 2", "2.1.2 = 0.5")],
    [("[extra]\n", ""), ("total = 4", "total = 6")],
], ids=["other points", "a check off", "a task off", "other extra points", "nothing extra"])
def test_edits_that_fit(edited, edits):
    edited(*edits).match(CHECKS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("total = 4", "total = 'all'", "total needs a positive number, got 'all'"),
        ("total = 4", "", "total needs a positive number, got None"),
        ("1.1.1 = 1\n", "1.1.1 = -1\n", "check 1.1.1 needs a number of points from 0, got -1"),
        ("1.1.1 = 1\n", "1.1.1 = 'a'\n", "check 1.1.1 needs a number of points from 0, got 'a'"),
        ("1.1.1 = 1\n", "1.1.1 = nan\n", "check 1.1.1 needs a number of points from 0, got nan"),
        ("1.1.1 = 1\n", "1.1.1 = true\n",
         "check 1.1.1 needs a number of points from 0, got True"),
        ("1.1.1 = 1\n", "1.1.1 1\n", r"not valid TOML: .*line \d+, column \d+\)"),
        ("1.1.1 = 1\n", "1.1.2 = 1\n", r"not valid TOML: .*line \d+, column \d+\)"),
        ("[points]", "[weights]",
         "unknown entry weights: known are total, off, explain_hidden, points, extra, accuracy, "
         "late, manual"),
        ("off = []", "off = []\n[manual]\nQ1 = -1",
         "question Q1 needs a number of points from 0, got -1"),
        ("2.1.2 = 2", "1.1.1 = 2", r"check 1.1.1 stands in \[points\] and in \[extra\]"),
        ("off = []", 'off = "2.1"',
         r'off needs a list of tasks and checks in quotes, for example off = \["2.7"\]'),
        ("off = []", "off = [2.1]",
         r'off needs a list of tasks and checks in quotes, for example off = \["2.7"\]'),
        ("floor = 0.20", "floor = 0.75",
         r"\[accuracy.2.1.1\] the floor 0.75 is not below the target 0.7"),
        ("target = 0.70", "target = 1.1",
         r"\[accuracy.2.1.1\] the reference itself would not reach a target of 1.1"),
        ("target = 0.70", "", r"\[accuracy.2.1.1\] needs a target above 0"),
        ("floor = 0.20", "", r"\[accuracy.2.1.1\] needs either floor or standard_errors"),
        ("floor = 0.20", "flor = 0.20", r"\[accuracy.2.1.1\] unknown entry flor: known are floor, "
                                        "standard_errors, target, step"),
        ("target = 0.70", "target = '70 %'",
         r"\[accuracy.2.1.1\] target needs a number from 0, got '70 %'"),
    ],
)
def test_one_line_says_what_is_wrong(edited, old, new, message):
    with pytest.raises(BadPoints, match=rf"^points\.toml: {message}$"):
        edited((old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.1.1 = 1\n", "1.1.1 = 2\n",
         "says total = 4, but the points of the 4 checks add up to 5: "
         "change points, or write total = 5"),
        ("off = []", 'off = ["1.1"]',
         "says total = 4, but the points of the 2 checks add up to 1.5: "
         "change points, or write total = 1.5"),
        ("1.2.1 = 0\n", "", "gives no points to check 1.2.1: write 0 if it is not to count"),
        ("2.1.2 = 2", "2.1.9 = 2", "gives points to check 2.1.9, which does not exist"),
        ("off = []", 'off = ["2"]', "switches off 2, which is neither a task nor a check"),
        ("[accuracy.2.1.1]", "[accuracy.2.1.2]", r"has no section [accuracy.2.1.1]"),
        ("step = 0.5", "step = 7",
         "grants check 2.1.1 in steps of 7, and it has only 1.5 points"),
    ],
)
def test_a_file_that_does_not_fit_the_checks(edited, old, new, message):
    with pytest.raises(BadPoints) as caught:
        edited((old, new)).match(CHECKS)
    assert str(caught.value) == f"points.toml {message}"


def test_an_accuracy_of_a_check_that_measures_none(edited):
    with pytest.raises(BadPoints, match=r"has a section \[accuracy.2.1.1\], but the points of that "
                                        "check do not follow from an accuracy"):
        edited().match(CHECKS | {"2.1.1": False})


def test_a_missing_file(tmp_path):
    with pytest.raises(BadPoints, match="there is no such file in"):
        load_points(tmp_path / "points.toml")


# --- floors and targets ----------------------------------------------------------------------


def test_floors_from_a_share_and_from_chance():
    assert Accuracy(target=0.7, step=0.5, floor=0.2).thresholds(0.9952) == {
        "reference": 0.9952, "floor": 0.2, "target": 0.69}
    # .28 + 3 * .01 = .31; 80 % of .497 is .3976
    assert Accuracy(target=0.8, step=0.5, standard_errors=3).thresholds(0.497, 0.28, 0.01) == {
        "reference": 0.497, "floor": 0.31, "target": 0.39}
    # numbers with two digits stay what they are, whatever their binary form
    assert Accuracy(target=0.58, step=0.5, floor=0.07).thresholds(1.0) == {
        "reference": 1.0, "floor": 0.07, "target": 0.58}
    assert Accuracy(target=0.85, step=0.5, floor=0.3001).thresholds(0.5) == {
        "reference": 0.5, "floor": 0.16, "target": 0.42}


def test_thresholds_need_a_trained_reference():
    with pytest.raises(ValueError, match=r"the reference reaches 0\.250: its target 0\.17 is not "
                                         r"above the floor 0\.20\. Train the reference first"):
        Accuracy(target=0.7, step=0.5, standard_errors=3).thresholds(0.25, 0.14, 0.02)


def credit(accuracy, floor, target, points, step=0.5):
    return Accuracy(target=1, step=step, floor=floor).credit(accuracy, floor, target, points)


@pytest.mark.parametrize(
    ("accuracy", "points"),
    [(0.0, 0), (0.2, 0), (0.2049, 0), (0.45, 3), (0.7, 6), (0.6951, 6), (0.99, 6), (1.0, 6),
     (0.24, 0.5), (0.66, 5.5), (math.nan, 0), (-1.0, 0)],
)
def test_credit(accuracy, points):
    assert credit(accuracy, 0.2, 0.7, 6) == points


@given(a=st.floats(0, 1), b=st.floats(0, 1), floor=st.floats(0, 0.5), width=st.floats(0.01, 0.5),
       points=st.sampled_from([3.0, 4.0, 6.0]))
@settings(deadline=None)
def test_credit_comes_in_halves_and_rises(a, b, floor, width, points):
    low, high = (credit(x, floor, floor + width, points) for x in sorted((a, b)))
    assert 0 <= low <= high <= points
    assert (2 * low).is_integer() and (2 * high).is_integer()


def test_the_last_bits_of_an_accuracy_do_not_count():
    for accuracy in np.arange(0.2, 0.75, 0.01):
        values = {credit(float(accuracy) + noise, 0.2, 0.7, 6) for noise in (-1e-6, 0, 1e-6)}
        assert len(values) == 1, accuracy


@pytest.mark.parametrize(("step", "score"), [(0.5, 2.5), (0.25, 2.5), (1, 2), (0.2, 2.4), (5, 0)])
def test_points_come_in_steps(step, score):
    # .49 of the .60 between floor and target, of 3 points: 2.45
    assert credit(0.69, 0.2, 0.8, 3, step) == pytest.approx(score)
    assert credit(0.80, 0.2, 0.8, 3, step) == 3
