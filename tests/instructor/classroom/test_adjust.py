"""What late days and decisions make of a score, and which rules of theirs can be used."""

from dataclasses import replace

import pytest

from autograder.engine.points import BadPoints, Late, load_points
from autograder.instructor.classroom.adjust import Override, adjusted, read_overrides
from autograder.instructor.classroom.entry import GRADER_BROKE, NO_SUBMISSION
from autograder.instructor.classroom.manual import Given, merged
from autograder.instructor.classroom.roster import matched
from autograder.instructor.classroom.tables import moment
from tests.instructor.classroom.rosters import DUE, ENTRIES, LATE, WHOLE, people


@pytest.mark.parametrize(("submitted", "days", "left"), [
    ("2027-02-02T05:13:59+00:00", 0, 80),  # in time: within the minutes of grace
    ("2027-02-02T05:14:01+00:00", 1, 80),  # a day that is free
    ("2027-02-03T12:00:00-05:00", 2, 70), ("2027-02-05T23:00:00-05:00", 4, 0)])
def test_late_days(submitted, days, left):
    entry = replace(ENTRIES[0], submitted=submitted, checks=WHOLE)
    made, = adjusted([entry], LATE, [], {})
    assert LATE.days(moment(submitted)) == days and made.score == left
    why = (", 1 of them free" + ", each other day 10% of 100 points" * (days > 1) if left else
           "; work that is more than 3 days late gets no points")
    assert made.adjusted == ([f"{days} day{'s' * (days > 1)} late{why}: {left - 80:+g} points"]
                             if days else [])
    answered, = adjusted(merged([entry], {"x": Given({"detector": 1.0})}), LATE, [], {})
    assert answered.score == left, "points for answers change no penalty"
    assert adjusted([entry], None, [], {})[0].score == 80


def test_decisions_are_written_down_with_their_reasons(tmp_path):
    overrides = tmp_path / "overrides.csv"
    overrides.write_text("student,what,value,reason\n"
                         "jane@x.edu,1.3.2,0.5,the sentence was unclear\n"
                         "12346,late days,1,ill\nhomework1-bo,Total,60,oral exam\n")
    own = matched(people(tmp_path), ENTRIES)
    late = replace(ENTRIES[0], submitted="2027-02-04T12:00:00-05:00")
    jane, bo, _ = adjusted([late, replace(ENTRIES[1], status=GRADER_BROKE), ENTRIES[2]], LATE,
                           read_overrides(overrides), own)
    assert jane.score == 80.5 and jane.checks["1.3.2"]["score"] == 0.5
    assert jane.adjusted == ["1.3.2: 0 -> 0.5 (the sentence was unclear)",
                             "late days: 3 -> 1 (ill)", "1 day late, 1 of them free: +0 points"]
    assert (bo.score, bo.status, bo.adjusted) == (60, "graded", ["total: 50 -> 60 (oral exam)"])
    overrides.write_text("student;what;value;reason\nhomework1-bo;total;60,5;oral exam\n")
    assert read_overrides(overrides)[0].value == 60.5
    with pytest.raises(ValueError, match="about nobody, who is not in this class"):
        adjusted(ENTRIES, None, [Override("nobody", "total", 1, "x")], own)
    with pytest.raises(ValueError, match=r"check 1.14.1 of 12346, which was not graded here"):
        adjusted(ENTRIES, None, [Override("12346", "1.14.1", 1, "x")], own)
    for decision, says in ((Override("12346", "total", 600, "x"), "600 is more than the 100"),
                           (Override("12346", "late days", 0, "x"), r"no section \[late\]")):
        with pytest.raises(ValueError, match=f"{decision.what} of 12346: .*{says}"):
            adjusted(ENTRIES, None, [decision], own)
    with pytest.raises(ValueError, match="late days of someone, who has handed nothing in"):
        adjusted([*ENTRIES[:2], replace(ENTRIES[2], status=NO_SUBMISSION)], LATE,
                 [Override("someone", "late days", 0, "x")], own)
    with pytest.raises(ValueError, match="two decisions on total of 12346"):
        adjusted(ENTRIES, None, [Override("12346", "total", n, "x") for n in (1, 2)], own)
    for row, says in (("a,1.99.1,1,x", "what is '1.99.1'"), ("a,1.3.2,50,x", "50 is more than"),
                      ("a,total,-1,x", "needs a value"),
                      ("a,total,1,", "needs a value from 0 and a reason")):
        overrides.write_text(f"student,what,value,reason\n{row}\n")
        with pytest.raises(ValueError, match=says):
            read_overrides(overrides)


@pytest.mark.parametrize(("text", "says"), [
    ('due = "2027-02-01"', "due needs a time with its zone"),
    ("due = 2027-02-01T23:59:00", "due needs a time with its zone"),
    ("due = 2027-02-01T23:59:00Z\nper_day = -1", "per_day needs a number from 0"),
    ("due = 2027-02-01T23:59:00Z\nper_day = 10", "per_day is a share"),
    ("due = 2027-02-01T23:59:00Z\nfree_days = 5\nlast_day = 2", "last_day = 2 lies before"),
    ("due = 2027-02-01T23:59:00Z\nper_hour = 1", "unknown entry per_hour")])
def test_a_rule_that_cannot_be_used(tmp_path, text, says):
    path = tmp_path / "points.toml"
    path.write_text(f"total = 1\n[points]\n1.1.1 = 1\n[late]\n{text}\n")
    with pytest.raises(BadPoints, match=rf"points.toml: \[late\] {says}"):
        load_points(path)
    path.write_text("total = 1\n[points]\n1.1.1 = 1\n[late]\ndue = 2027-02-01T23:59:00-05:00\n")
    assert load_points(path).late == Late(DUE)
