"""Who handed in, and when, for every source, and what goes back to it."""

import csv
import io
import zipfile
from dataclasses import replace

import pytest

from autograder.__main__ import _parser, main
from autograder.assignment import ASSIGNMENT
from autograder.engine.archive import NoSubmission
from autograder.engine.assignment import Assignment
from autograder.engine.references import load, save
from autograder.instructor.classroom import command, hand_back
from autograder.instructor.classroom.entry import Entry
from autograder.instructor.classroom.grader import Setup
from autograder.instructor.classroom.intake import CANVAS as CANVAS_FILE
from autograder.instructor.classroom.intake import NotAClass, find
from autograder.instructor.classroom.roster import (
    doubled,
    doubtful,
    matched,
    missing,
    named,
    read_roster,
)
from autograder.instructor.classroom.tables import moment, when
from tests.grading import STARTER, archive, fork_only
from tests.instructor.classroom.rosters import ENTRIES, LATE, ROSTER, people

UTILS = (STARTER / "problem1/utils.py").read_text(encoding="utf-8")
WORK = {"problem1/utils.py": UTILS}


def packed(files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as content:
        for name, text in files.items():
            content.writestr(name, text)
    return stream.getvalue()


CANVAS = {"doejane_12346_901_submission.zip": packed(WORK),
          "roebo_LATE_12347_902_problem1.zip": packed(WORK),
          "roebo_LATE_12347_903_problem2-1.zip": packed({"problem2/model.py": "x = 1\n"}),
          "zipinzip_12349_905_submission.zip": packed({"Abgabe/inner.zip": packed(WORK)}),
          "zoeann_12399_text.html": b"<p>Sorry"}


def canvas(folder, form):
    """An export of Canvas as a folder, or as the zip file that it comes in."""
    if form == "zip":
        return archive(folder / "submissions.zip", CANVAS)
    folder = folder / "submissions"
    folder.mkdir()
    for name, content in CANVAS.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_an_export_of_canvas(tmp_path, form):
    jane, bo, packed_twice, zoe = find(canvas(tmp_path, form))
    assert [(s.id, s.name, s.number) for each in (jane, bo, zoe) for s in each.students] == [
        ("doejane_12346", "doejane", "12346"), ("roebo_12347", "roebo", "12347"),
        ("zoeann_12399", "zoeann", "12399")]
    assert (jane.late, bo.late) == (False, True)
    assert bo.returned == "roebo_LATE_12347_902_"
    behind = CANVAS_FILE.fullmatch("roebo_12347_LATE_902_problem1.zip")
    assert (behind["name"], behind["number"], behind["behind"]) == ("roebo", "12347", "LATE_")
    assert CANVAS_FILE.fullmatch("roebo_LATE_12347_link.html")["number"] == "12347"
    assert not CANVAS_FILE.fullmatch("roebo_12347_notes.html")
    for each, names in ((bo, ["model.py", "utils.py"]), (packed_twice, ["utils.py"])):
        (tmp_path / each.label).mkdir()
        root = each.take_in(tmp_path / each.label).root
        assert sorted(path.name for path in root.rglob("*.py")) == names


def test_a_name_that_makes_an_export_look_like_none_is_told(tmp_path):
    folder = canvas(tmp_path, "folder")
    (folder / "roebo.zip").write_bytes(packed(WORK))
    for place in (folder, archive(tmp_path / "all.zip", CANVAS | {"roebo.zip": packed(WORK)})):
        with pytest.raises(NotAClass, match="but roebo.zip is not named like the others"):
            find(place)


def test_repositories_of_github_classroom(tmp_path):
    for name in ("homework1-jane", "homework1-bo"):
        (tmp_path / name / "problem1").mkdir(parents=True)
    (tmp_path / "grades.csv").write_text(
        "assignment_name,github_username,roster_identifier,student_repository_name,"
        "submission_timestamp\nhw1,jane,s1,homework1-jane,2027-02-02 05:30:00 UTC\n")
    bo, jane = find(tmp_path)
    assert (jane.students[0].id, jane.students[0].number) == ("homework1-jane", "s1")
    assert jane.submitted == "2027-02-02T05:30:00+00:00" and bo.submitted == ""
    assert (bo.remark, jane.remark) == ("has no row in the table of submissions", "")


@pytest.mark.parametrize(("one", "other"), [
    ("2026-02-03 18:45:06.372155000 Z", "2026-02-03T10:45:06-08:00"),
    ("2026-02-03 18:45:06 UTC", "2026-02-04 00:15:06.0 +0530"),
    ("2026-02-03 18:45 GMT", "2026-02-03 10:45 -08")])
def test_one_moment_in_two_zones(one, other):
    assert moment(when(one)) == moment(when(other)) and when(one) != when(other)
    assert when("soon") == when("2026-02-31") == "" and moment("") < moment(when(one))


def test_the_later_of_two_submissions_is_not_the_greater_text(tmp_path):
    (tmp_path / "submission_metadata.yml").write_text("".join(
        f"submission_{number}:\n  :submitters:\n  - :email: ann@x.edu\n  :created_at: {time}\n"
        for number, time in ((1, "2026-02-03 20:00:00 Z"), (2, "2026-02-03 15:00:00 -08:00"))))
    one, = find(tmp_path)
    assert one.remark == "ann@x.edu handed in several times: the latest, submission_2, counts"
    assert one.path.name == "submission_2" and one.submitted == "2026-02-03T15:00:00-08:00"
    (tmp_path / "submission_metadata.yml").write_text(
        "submission_1:\n  :submitters:\n  - :email: ann@x.edu\n  :created_at: 2026-02-03 PST\n")
    one, = find(tmp_path)
    assert one.remark == "'2026-02-03 PST', when this was handed in, is no time that can be read"


def test_a_roster_says_who_is_missing_and_who_is_unknown(tmp_path):
    own = people(tmp_path, ROSTER.replace("bo@x.edu", "bo"))
    found = matched(own, ENTRIES)
    assert {student: person.name for student, person in found.items()} == {
        "doejane_12346": "Doe, Jane", "homework1-bo": "Roe, Bo"}
    eve, = missing(own, found)
    assert (eve.student, eve.name, eve.status) == ("eve@x.edu", "Poe, Eve", "no submission")
    by_name = matched(own, [Entry("x", "Jane Doe"), Entry("roebo")])
    assert {student: person.number for student, person in by_name.items()} == {
        "x": "s1", "roebo": "s2"}


def test_names_of_the_same_letters_are_two(tmp_path):
    own = people(tmp_path, "number,name\n1,May Chen\n2,Yam Chen\n3,Zoe\u0308 van der Berg-Li\n"
                           "4,Al Ma\n5,Ma Al\n")
    calls = [Entry("homework1-x", "Yam Chen"), Entry("maychen"), Entry("Chen, May"),
             Entry("vanderberglizo\u00eb"), Entry("alma"), Entry("henmayc"), Entry("?")]
    assert {student: person.number for student, person in matched(own, calls).items()} == {
        "homework1-x": "2", "maychen": "1", "Chen, May": "1", "vanderberglizo\u00eb": "3"}


def test_number_and_email_of_another_outweigh_a_name(tmp_path):
    own = people(tmp_path, "number,name,email\n1,May Chen,may@x.edu\n2,Bo Roe,\n")
    calls = [Entry("a", "May Chen", "chen@y.edu", number="3"), Entry("b", "Bo Roe", number="4"),
             Entry("c", "Chen, May", "chen@y.edu", number="01")]
    found = matched(own, calls)
    assert {student: person.name for student, person in found.items()} == {
        "b": "Bo Roe", "c": "May Chen"}
    assert doubtful(calls, found) == {
        "b": "is taken for Bo Roe of the roster, although number 4 is not 2",
        "c": "is taken for May Chen of the roster, although e-mail chen@y.edu is not may@x.edu"}


def test_accounts_accents_and_those_who_teach(tmp_path):
    own = people(tmp_path, "Full Name,Account,Role\nZo\u00eb \u00c5ngstr\u00f6m,zoe1,Student\n"
                           "Bo Roe,bo,\nPat Poe,pat,TA\n")
    assert [person.login for person in own] == ["zoe1", "bo"]
    calls = [Entry("angstromzoe_7", "angstromzoe", returned="angstromzoe_7_1_"), Entry("hw1-bo")]
    assert {student: person.login for student, person in matched(own, calls).items()} == {
        "angstromzoe_7": "zoe1", "hw1-bo": "bo"}
    with pytest.raises(ValueError, match="roster.csv: Al Ma has neither number nor e-mail nor acc"):
        people(tmp_path, "name,account\nAl Ma,\nBo Roe,bo\n")


def test_a_number_of_canvas_is_nobody_elses(tmp_path):
    own = people(tmp_path, "number,name,login\n12346,Eve Poe,eve\n1,Jane Doe,jane\n0077,Bo Roe,\n")
    calls = [Entry("doejane_12346", "doejane", number="12346", returned="doejane_12346_901_"),
             Entry("roebo_77", "roebo", number="77", returned="roebo_77_902_"),
             Entry("team-1"), Entry("homework1-eve"), Entry("s7", number="77")]
    found = matched(own, calls)
    assert {student: person.name for student, person in found.items()} == {
        "doejane_12346": "Jane Doe", "roebo_77": "Bo Roe", "homework1-eve": "Eve Poe",
        "s7": "Bo Roe"}
    assert doubled(found) == {"roebo_77": "s7 is Bo Roe as well: keep one of them",
                              "s7": "roebo_77 is Bo Roe as well: keep one of them"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_tables_of_other_spreadsheets(tmp_path, between, encoding):
    path = tmp_path / "roster.csv"
    rows = [["number", "name"], ["7", '"Ångström, Zoë; ""Zo"""'], ["8", "B\x0co"]]
    path.write_text("\n".join(between.join(row) for row in rows), encoding=encoding)
    assert [(person.number, person.name) for person in read_roster(path)] == [
        ("7", 'Ångström, Zoë; "Zo"'), ("8", "B\x0co")]


@pytest.mark.parametrize(("text", "says"), [
    ("number,name\n,Jane\n", "no row has anything in a column number, email, id or login"),
    ("number,name\n7,a\n7,b\n", "two rows of 7")])
def test_a_roster_that_is_none(tmp_path, text, says):
    with pytest.raises(ValueError, match=says):
        people(tmp_path, text)


def test_gradebooks(tmp_path):
    text = ROSTER.replace("Section,", "Section,Homework 10 (78),").replace(",A,", ",A,,")
    own = matched(people(tmp_path, text), ENTRIES[:1])
    entry = replace(ENTRIES[0], submitted="2027-02-02T12:00:00+00:00")
    header, (possible, jane) = hand_back.canvas([entry], own, "Homework 1")
    assert header[-1] == "Homework 1 (77)" and possible[-1] == 100
    assert jane == ["Doe, Jane", "12346", "s1", "jane@x.edu", "A", 80.0]
    header, (jane, *others) = hand_back.gradescope([
        *named([entry], own), replace(entry, submitted="", late=True),
        replace(entry, submitted="")], own, LATE, "Homework 1")
    assert [row[-1] for row in others] == ["24:00:00", ""]
    unknown = Entry("homework1-x", late=True)
    plain = matched(people(tmp_path, "number,name\ns1,Jane Doe\n"), [entry])
    assert hand_back.canvas([entry], plain, "Homework 1")[1][1][:3] == ["doejane", "12346", "s1"]
    (name, *ids), = hand_back.canvas([unknown], {}, "HW 1: boxes")[1][1:]
    assert (name, any(ids)) == ("homework1-x", False)
    row, = hand_back.gradescope([unknown], {}, None, "HW 1: boxes")[1]
    assert row[1] == "homework1-x" and row[-1] == ""  # late, and nobody says by how much
    for title, own in (("Homework 1", "Homework 1 (77)"), ("Homework", ""), ("Homework 1 (", "")):
        assert hand_back.column(title, ["Homework 10 (78)", "Homework 1 (77)"]) == own
    assert dict(zip(header, jane)) == {
        "First Name": "Jane", "Last Name": "Doe", "SID": "s1", "Email": "jane@x.edu",
        "Sections": "A", "Homework 1": 80.0, "Homework 1 - Max Points": 100.0,
        "Homework 1 - Submission Time": "2027-02-02T12:00:00+00:00",
        "Homework 1 - Lateness (H:M:S)": "07:01:00"}


@pytest.mark.parametrize(("name", "text", "says"), [
    ("overrides.csv", "student,what,value,reason\njane@x.edu,1.3.3,0,x\n",
     "check 1.3.3 of jane@x.edu, which was not graded here"),
    ("overrides.csv", "student,what,value,reason\nnobody,total,1,x\n", "is about nobody"),
    ("overrides.csv", "student,what,value,reason\njane@x.edu,total,60,x\n",
     "60 is more than the 0.5 points that there are"),
    ("grades/manual.csv", "student,Q1\nnobody,1\n", "nobody is not in this class"),
    ("overrides.csv", "", "has no column student, what, value, reason"),
    ("overrides.csv", "PK\x03\x04\n7\n", "has no column student, what, value, reason"),
    ("overrides.csv", "student,what,value,reason\nroebo_12347,total,1,ill, for long\n",
     "line 2 has more cells than line 1: put quotes around"),
    ("grades/manual.csv", "stuff\n", "has no column student, or no row"),
    ("grades/manual.csv", "student,Q1\n", "has no column student, or no row"),
    ("roster.csv", "name\nJane\n", "names nobody")])
def test_a_table_that_does_not_fit_is_told_before_anything_is_graded(
        tmp_path, capsys, monkeypatch, name, text, says):
    monkeypatch.setattr(command, "Local", None)
    people(tmp_path)
    (tmp_path / "grades").mkdir()
    (tmp_path / "overrides.csv").write_text("student,what,value,reason\n")
    (tmp_path / name).write_text(text)
    assert main(["classroom", str(canvas(tmp_path, "zip")), "--out", str(tmp_path / "grades"),
                 "--only", "1.3.2", "--no-require-isolation",
                 "--roster", str(tmp_path / "roster.csv"),
                 "--overrides", str(tmp_path / "overrides.csv")]) == 2
    assert says in capsys.readouterr().err


def test_what_comes_on_top_of_a_grade_regrades_nobody(monkeypatch):
    before, points = Setup().version(), ASSIGNMENT.points
    for changed, same in ((replace(points, late=LATE, manual={"Q1": 9}), True),
                          (replace(points, explain_hidden="never"), False)):
        monkeypatch.setitem(vars(ASSIGNMENT), "points", changed)
        assert (Setup().version() == before) == same


def test_hidden_inputs_are_asked_wherever_their_references_are(monkeypatch, tmp_path):
    def tiers(*more):
        return command._setup(_parser().parse_args(["classroom", ".", "--out", "grades",
                                                    "--no-require-isolation", *more])).tiers

    public = load(ASSIGNMENT, "public")
    monkeypatch.setattr(Assignment, "references", tmp_path)
    save(public, tmp_path)
    assert tiers() == ("public",)
    save(replace(public, tier="hidden"), tmp_path)
    assert tiers() == tiers("--tier", "all") == ("public", "hidden")
    assert tiers("--tier", "public") == ("public",)


def test_a_row_without_a_folder_has_handed_nothing_in(tmp_path):
    (tmp_path / "jane" / "problem1").mkdir(parents=True)
    table = tmp_path / "submissions.csv"
    table.write_text("folder;number;name;email\njane;7;Jane;\nbo;8;Bo;\n;9;Eve;e@x.edu\n")
    eve, bo, jane = find(tmp_path)
    assert [each.students[0].number for each in (jane, bo, eve)] == ["7", "8", "9"]
    for each in (bo, eve):
        with pytest.raises(NoSubmission, match="^has handed nothing in$"):
            each.take_in(tmp_path / "in")
    table.write_text("folder,number,name,submitted\n,,,2027-02-01\n")
    with pytest.raises(ValueError, match="neither folder nor number nor name"):
        find(tmp_path)


def test_a_row_may_name_the_file_itself(tmp_path):
    archive(tmp_path / "li.zip", {"problem1/x.py": ""})
    archive(tmp_path / "bo.tar.gz", {"problem1/x.py": ""})
    (tmp_path / "submissions.csv").write_text("folder,number\nli.zip,1\nbo.tar.gz,2\n")
    assert [(each.path.name, each.students[0].number, each.remark) for each in find(tmp_path)] == [
        ("bo.tar.gz", "2", ""), ("li.zip", "1", "")]


@fork_only
@pytest.mark.slow
def test_a_class_of_canvas_from_the_export_to_what_goes_back(tmp_path, capsys):
    """The command of the manual; nobody in it is lost."""
    people(tmp_path)
    out = tmp_path / "grades"
    assert main(["classroom", str(canvas(tmp_path, "zip")), "--out", str(out), "--only", "1.3.2",
                 "--jobs", "1", "--tier", "public", "--no-require-isolation",
                 "--roster", str(tmp_path / "roster.csv")]) == 0
    said = capsys.readouterr().out
    assert "2 not on the roster: zipinzip_12349, zoeann_12399" in said
    assert "eve@x.edu: no submission: has handed nothing in" in said
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert [rows[student][key] for student in ("doejane_12346", "zoeann_12399")
            for key in ("number", "name")] == ["s1", "Doe, Jane", "12399", "zoeann"]
    assert rows["roebo_12347"]["adjusted"] == "late, by how much is not known"
    assert rows["zoeann_12399"]["status"] == rows["eve@x.edu"]["status"] == "no submission"
    with zipfile.ZipFile(out / hand_back.PAGES) as pages:
        assert sorted(pages.namelist()) == [
            "doejane_12346_901_feedback.html", "roebo_LATE_12347_902_feedback.html",
            "zipinzip_12349_905_feedback.html", "zoeann_12399_feedback.html"]
        assert ("late, by how much is not known<"
                in pages.read("roebo_LATE_12347_902_feedback.html").decode())
    with (out / hand_back.CANVAS).open(encoding="utf-8-sig", newline="") as file:
        assert [row[1] for row in csv.reader(file)][1:] == [
            "", "12346", "12347", "12349", "12399", "12348"]
