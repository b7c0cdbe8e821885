"""A roster as Canvas exports it, and entries of three of its students."""

from datetime import datetime

from autograder.assignment import ASSIGNMENT
from autograder.engine.points import Late
from autograder.instructor.classroom.entry import Entry
from autograder.instructor.classroom.roster import read_roster

ROSTER = """Student,ID,SIS User ID,SIS Login ID,Section,Homework 1 (77)
"    Points Possible",,,,,100
"Doe, Jane",12346,s1,jane@x.edu,A,
"Roe, Bo",12347,s2,bo@x.edu,A,
"Poe, Eve",12348,s3,eve@x.edu,B,
"Student, Test",12350,,0123abcd,A,
"""
DUE = datetime.fromisoformat("2027-02-01T23:59:00-05:00")
WHOLE = {check.number: {"score": 0.0} for check in ASSIGNMENT.checks}
LATE = Late(DUE, grace_minutes=15, free_days=1, per_day=0.1, last_day=3)


def people(folder, text=ROSTER):
    (folder / "roster.csv").write_text(text, encoding="utf-8-sig")
    return read_roster(folder / "roster.csv")


ENTRIES = [Entry("doejane_12346", "doejane", number="12346", score=80.0, possible=100.0,
                 checks={"1.3.2": {"verdict": "failed", "score": 0.0, "points": 0.5,
                                   "message": ""}}, returned="doejane_12346_901_"),
           Entry("homework1-bo", possible=100.0, score=50.0),
           Entry("someone")]
