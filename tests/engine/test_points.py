"""points.toml: what an instructor may write into it, and what is said of what cannot be."""

import re

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.measure import credit
from autograder.assignment.tasks import TASKS
from autograder.engine import points
from autograder.engine.points import Accuracy, BadPoints, load

TEXT = points.FILE.read_text(encoding="utf-8")


def edited(tmp_path, old: str, new: str):
    """The kit's file with one passage replaced."""
    assert TEXT.count(old) == 1, old
    path = tmp_path / "points.toml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    return path


def test_the_comments_are_the_titles():
    """An instructor reads what a check is about where its points stand."""
    lines = [f"{check.number} = {check.points:g} # {check.sentence}" for check in ASSIGNMENT.checks]
    found = [re.sub(r" +", " ", line) for line in TEXT.splitlines() if re.match(r"\d", line)]
    assert found == lines
    headings = [f"{task} {title}, {file}" for task, (title, file) in TASKS.items()]
    assert re.findall(r"^# (\d\.\d+ .+)$", TEXT, re.M) == headings


def test_points_of_the_file_are_the_points_of_the_checks():
    assert {check.number: check.points for check in ASSIGNMENT.checks} == load().by_number
    assert sum(load().by_number.values()) == 100


def test_an_edit_counts(tmp_path):
    path = edited(tmp_path, "1.3.1 = 1 ", "1.3.1 = 2.25 ")
    path.write_text(path.read_text(encoding="utf-8").replace("total = 100", "total = 101.25"),
                    encoding="utf-8")
    assert load(path).by_number["1.3.1"] == 2.25


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.3.1 = 1 ", "1.3.1 = 2 ",
         "the points of the 120 checks add up to 101, but total = 100"),
        ("total = 100 ", "total = 50 ",
         "the points of the 120 checks add up to 100, but total = 50"),
        ("total = 100 ", "total = 'all' ", "total needs a positive number, got 'all'"),
        ("1.3.1 = 1 ", "1.3.1 = -1 ", "check 1.3.1 needs a number of points from 0, got -1"),
        ("1.3.1 = 1 ", "1.3.1 = 'one' ", "check 1.3.1 needs a number of points from 0, got 'one'"),
        ("1.3.1 = 1 ", "1.3.1 = nan ", "check 1.3.1 needs a number of points from 0, got nan"),
        ("1.3.1 = 1 ", "1.3.1 = true ", "check 1.3.1 needs a number of points from 0, got True"),
        ("1.3.1 = 1 ", "1.3.1 1 ", r"not valid TOML: .*line \d+, column \d+\)"),
        ("1.3.1 = 1 ", "1.3.2 = 1 ", r"not valid TOML: .*line \d+, column \d+\)"),
        ("[points]", "[weights]", "unknown entry weights: known are total, points and accuracy"),
        ("floor = 0.20", "floor = 0.75",
         r"\[accuracy.1.14.1\] the floor 0.75 is not below the target, which is at most the "
         "share 0.7"),
        ("share = 0.70", "share = 1.1",
         r"\[accuracy.1.14.1\] the reference itself would not reach a share of 1.1"),
        ("share = 0.70", "", r"\[accuracy.1.14.1\] needs a share above 0"),
        ("floor = 0.20", "", r"\[accuracy.1.14.1\] needs either floor or standard_errors"),
        ("floor = 0.20", "flor = 0.20", r"\[accuracy.1.14.1\] unknown entry flor: known are floor, "
                                        "standard_errors, share, step"),
        ("share = 0.70", "share = '70 %'",
         r"\[accuracy.1.14.1\] share needs a number from 0, got '70 %'"),
        ("[accuracy.1.14.1]", "[accuracy.1.15.1]",
         r"\[accuracy.1.15.1\] is about a check without points"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path, old, new, message):
    with pytest.raises(BadPoints, match=rf"^points\.toml: {message}$"):
        load(edited(tmp_path, old, new))


def test_a_missing_file(tmp_path):
    with pytest.raises(BadPoints, match="there is no such file in"):
        load(tmp_path / "points.toml")


@pytest.fixture
def instead(tmp_path, monkeypatch):
    """`instead(old, new)`: the kit's file is edited."""
    def edit(old: str, new: str) -> None:
        stated = load(edited(tmp_path, old, new))
        monkeypatch.setattr(points, "points", lambda: stated)
        monkeypatch.setattr("autograder.engine.catalogue.points", lambda: stated)

    return edit


def test_a_check_without_points(instead):
    instead("1.3.1 = 1 ", "1.3.99 = 1 ")
    with pytest.raises(BadPoints, match="points.toml gives no points to check 1.3.1$"):
        points.graded("1.3.1")


def test_points_without_a_check(instead):
    instead("1.3.1 = 1 ", "1.3.99 = 1 ")
    with pytest.raises(BadPoints, match="points to check 1.3.99, which does not exist$"):
        ASSIGNMENT.checks


def test_a_trained_network_without_a_floor(instead):
    instead("[accuracy.2.11.2]", "[accuracy.2.10.2]")
    with pytest.raises(BadPoints, match=r"points.toml has no section \[accuracy.2.11.2\]$"):
        points.graded("2.11.2", partial=True)


# --- floors and targets ----------------------------------------------------------------------


def test_floors_from_a_number_and_from_the_mean_pose():
    assert Accuracy(share=0.7, step=0.5, floor=0.2).thresholds(0.9952) == {
        "reference": 0.9952, "floor": 0.2, "target": 0.69}
    # .28 + 3 * .01 = .31; 80 % of .497 is .3976
    assert Accuracy(share=0.8, step=0.5, standard_errors=3).thresholds(0.497, 0.28, 0.01) == {
        "reference": 0.497, "floor": 0.31, "target": 0.39}
    # numbers with two digits stay what they are, whatever their binary form
    assert Accuracy(share=0.58, step=0.5, floor=0.07).thresholds(1.0) == {
        "reference": 1.0, "floor": 0.07, "target": 0.58}


def test_stored_thresholds_follow_the_file(public, instead):
    checks = {check.number: check for check in ASSIGNMENT.checks}
    for number in ("1.14.1", "2.11.1", "2.11.2", "1.3.1"):
        assert points.follows(checks[number], public.by_number[number])
    instead("share = 0.70", "share = 0.75")
    assert not points.follows(checks["1.14.1"], public.by_number["1.14.1"])
    assert points.follows(checks["2.11.1"], public.by_number["2.11.1"])


def test_old_references_name_their_remedy(instead):
    from autograder.engine.references import BadReferences
    from autograder.engine.references import load as load_references

    instead("share = 0.80", "share = 0.70")
    with pytest.raises(BadReferences, match="another floor or target for check 2.11.2 than "
                       "points.toml asks for: run `python -m autograder references"):
        load_references("public")


@pytest.mark.parametrize(("step", "score"), [(0.5, 2.5), (0.25, 2.5), (1, 2), (0.2, 2.4), (5, 0)])
def test_points_come_in_steps(step, score):
    # .49 of the .60 between floor and target, of 3 points: 2.45
    assert credit(0.69, 0.2, 0.8, 3, step) == pytest.approx(score)
    assert credit(0.80, 0.2, 0.8, 3, step) == 3
