"""Whose score changes, and why."""

import csv
from dataclasses import replace

import pytest

from autograder.instructor.classroom import changes
from autograder.instructor.classroom.entry import NO_SUBMISSION, Entry


def check(score, message, points=1.0):
    return {"verdict": "passed" if score == points else "failed", "score": score,
            "points": points, "message": message}


def entry(student, source="s", **checks):
    checks = {name.replace("_", "."): value for name, value in checks.items()}
    return Entry(student, f"={student}", "", source, score=sum(c["score"] for c in checks.values()),
                 possible=len(checks), checks=checks)


OLD = [entry("ann", **{"1_3_2": check(0, "IoU is nan.\nRule ..."), "1_10_1": check(1, "Passed.")}),
       entry("bob", **{"1_3_2": check(1, "Passed."), "1_10_1": check(0.5, "Half.")}),
       entry("cyd", **{"1_3_2": check(1, "Passed."), "1_10_1": check(1, "Passed.")}),
       entry("dan", **{"1_3_2": check(1, "Passed."), "1_10_1": check(1, "Passed.")}),
       entry("eve", **{"1_3_2": check(0, "No.")})]
NEW = [entry("ann", **{"1_3_2": check(1, "Passed."), "1_10_1": check(1, "Passed.")}),
       entry("bob", source="t", **{"1_3_2": check(0, "Wrong."), "1_10_1": check(1, "Passed.")}),
       entry("cyd", **{"1_3_2": check(1, "Passed, in other words.")}),
       replace(entry("dan"), status=NO_SUBMISSION, error="it is empty"),
       entry("fay", **{"1_3_2": check(0, "No.")})]


@pytest.fixture
def old(tmp_path):
    for one in OLD:
        one.save(tmp_path / "old" / "students" / one.student)
    return changes.earlier(tmp_path / "old")


def test_changes(old):
    found = changes.between(old, NEW)
    assert [(c.student, c.check, c.before, c.after, c.other) for c in found] == [
        ("ann", "1.3.2", 0, 1, False), ("bob", "1.3.2", 1, 0, True),
        ("bob", "1.10.1", 0.5, 1, True), ("cyd", "1.10.1", 1, 0, False), ("dan", "", 2, 0, False)]


def test_summary(old):
    text = "\n".join(changes.summary(changes.between(old, NEW), old, NEW))
    assert text.startswith("4 of 4 scores change: 1 up, 3 down\n  1.3.2: for 2\n  1.10.1: for 2\n")
    for line in ("eve: only in the earlier grades", "fay: not in the earlier grades",
                 "ann (=ann): +1\n  1.3.2: 0 -> 1\n      before: IoU is nan. Rule ...\n"
                 "      now: Passed.", "bob (=bob): -0.5, another submission",
                 "dan (=dan): -2\n  all: 2 -> 0\n      before: graded\n"
                 "      now: no submission: it is empty"):
        assert line in text
    assert "cyd (=cyd): -1\n  1.10.1: 1 -> 0\n" in text and "now: (worth 0) Not graded." in text
    one = [replace(each, version={"only": "1.3"}) for each in NEW]
    assert "cyd" not in "\n".join(changes.summary(changes.between(old, one), old, one))


def test_points_that_moved_between_checks_change_no_score(tmp_path):
    before = entry("ann", **{"1_3_1": check(1, "Passed."), "1_3_2": check(0.5, "Passed.", 0.5)})
    after = entry("ann", **{"1_3_1": check(0.5, "Passed.", 0.5), "1_3_2": check(1, "Passed.")})
    text = "\n".join(changes.summary(changes.between({"ann": before}, [after]), {"ann": before},
                                     [after]))
    assert text.startswith("0 of 1 scores change: 0 up, 0 down; 1 stay with other points in their")
    assert "before: (worth 1) Passed.\n      now: (worth 0.5) Passed." in text


def test_table(old, tmp_path):
    changes.write(changes.between(old, NEW), tmp_path / "compare.csv")
    with (tmp_path / "compare.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 and rows[0]["name"] == "'=ann"
    assert (rows[0]["before"], rows[0]["now"]) == ("0", "1")
    assert rows[0]["message before"] == "IoU is nan.\nRule ..."


def test_nothing_to_compare_with(tmp_path):
    with pytest.raises(ValueError, match="there are no grades in"):
        changes.earlier(tmp_path)
