"""The folder of grades, and its table."""

import csv
import errno
from dataclasses import replace

import pytest

from autograder.instructor.classroom.book import Book, write_grades
from autograder.instructor.classroom.entry import (
    GRADER_BROKE,
    NO_SUBMISSION,
    Entry,
    load,
    load_all,
)
from autograder.instructor.classroom.grader import Graded
from autograder.instructor.classroom.intake import Handed, Submitter
from autograder.instructor.classroom.tables import cell

VERSION = {"checks": "a" * 12, "references": "b" * 12, "tiers": "public", "only": ""}
CHECKS = {"1.3.2": {"verdict": "passed", "score": 1.5, "points": 1.5, "message": "Passed."},
          "1.10.1": {"verdict": "failed", "score": 0.25, "points": 1.0, "message": "No."},
          "1.3.1": {"verdict": "failed", "score": 0.0, "points": 1.0, "message": "No."}}
JANE = Entry("jane", "Jane", "j@x.edu", "5ca1ab1e", VERSION, score=1.75, possible=3.5,
             checks=CHECKS, notes=["one \ud800 two"])
PAIR = Handed((Submitter("jane", "Jane", "j@x.edu"), Submitter("bo", "=1+1")), None)


@pytest.mark.parametrize("text", [
    "=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r1", " =1", "\n=1", "\u00a0=1", "＝1", "－1"])
def test_formulas_are_harmless(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "expected"), [
    ("Zoë", "Zoë"), ("a=b", "a=b"), ("", ""), (1.25, "1.25"), (-1.5, "-1.5"), (3, "3"),
    (0.1 + 0.2, "0.3")])
def test_the_rest_stays(value, expected):
    assert cell(value) == expected


def test_grades(tmp_path):
    path = tmp_path / "grades.csv"
    write_grades([
        JANE, Entry("bo", "=HYPERLINK(\"x\")", version=VERSION, status=NO_SUBMISSION,
                    error="a, b", possible=3.5),
        replace(JANE, student="zoë", status=GRADER_BROKE, error="it died")], path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        jane, bo, zoe = csv.DictReader(file)
    assert list(jane)[7:12] == [
        "total", "possible", "adjusted", "1.3 IoU", "1.10 Average precision"]
    assert [jane[name] for name in list(jane)[7:12]] == ["1.75", "3.5", "", "1.5", "0.25"]
    assert (jane["checks"], jane["references"], jane["inputs"]) == ("a" * 12, "b" * 12, "public")
    assert (bo["name"], bo["total"], bo["error"]) == ("'=HYPERLINK(\"x\")", "0", "a, b")
    assert jane["notes"] == "one ? two"
    assert (zoe["student"], zoe["total"], zoe["1.3 IoU"]) == ("zoë", "", "")


def test_an_entry_comes_back(tmp_path):
    JANE.save(tmp_path / "students" / "jane")
    assert load(tmp_path / "students" / "jane") == JANE
    assert load_all(tmp_path) == [JANE]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"student": "jane"}', "\x00"])
def test_an_entry_that_is_none(tmp_path, text):
    (tmp_path / "entry.json").write_text(text)
    assert load(tmp_path) is None and load(tmp_path / "none") is None


def test_a_group_gets_one_grade_each(tmp_path):
    book = Book(tmp_path / "grades", VERSION)
    entries = book.put(PAIR, Graded(JANE, "{}\n", "<p>"), "5ca1ab1e", ["problem1/a.py"])
    assert [(e.student, e.name, e.score) for e in entries] == [
        ("jane", "Jane", 1.75), ("bo", "=1+1", 1.75)]
    assert load_all(tmp_path / "grades") == sorted(entries, key=lambda entry: entry.student)
    for student in ("jane", "bo"):
        names = {path.name for path in (tmp_path / "grades" / "students" / student).iterdir()}
        assert names == {"entry.json", "results.json", "feedback.html"}


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("autograder.engine.files.os.replace", full)
    for write, file in (
            (lambda: Book(tmp_path, VERSION).put(PAIR, Graded(JANE, "{}", "<p>"), "", []),
             "jane/results.json"),
            (lambda: write_grades([JANE], tmp_path / "grades.csv"), "grades.csv")):
        with pytest.raises(OSError, match="No space left") as stopped:
            write()
        assert stopped.value.filename.endswith(file)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_graded_again(tmp_path):
    book = Book(tmp_path, VERSION)
    entries = book.put(PAIR, Graded(JANE, "{}\n", "<p>"), "5ca1ab1e", [])
    assert book.kept(PAIR, "5ca1ab1e", 900) == entries
    assert book.kept(PAIR, "another", 900) is None
    assert Book(tmp_path, {**VERSION, "checks": "c" * 12}).kept(PAIR, "5ca1ab1e", 900) is None
    (tmp_path / "students" / "bo" / "feedback.html").unlink()
    assert book.kept(PAIR, "5ca1ab1e", 900) is None
    book.put(PAIR, Graded(replace(JANE, status=GRADER_BROKE), "{}\n", "<p>"), "5ca1ab1e", [])
    assert book.kept(PAIR, "5ca1ab1e", 900) is None


def test_a_grade_stays_where_the_grader_breaks_on_the_next_one(tmp_path):
    Book(tmp_path, VERSION).put(PAIR, Graded(JANE, "{}\n", "<p>"), "5ca1ab1e", [])
    broke = replace(JANE, status=GRADER_BROKE, score=0.0, error="it died")
    kept, _ = Book(tmp_path, {**VERSION, "checks": "c" * 12}).put(
        PAIR, Graded(broke, "{}\n", "<p>"), "5ca1ab1e", [])
    assert (kept.status, kept.score) == ("graded", 1.75)
    assert kept.error == "kept from an earlier run, since the grader broke on this one: it died"
    assert load(tmp_path / "students" / "jane").error == ""


def test_what_was_given_up_gets_another_try_in_more_time(tmp_path):
    book = Book(tmp_path, VERSION)
    entries = book.put(PAIR, Graded(replace(JANE, given_up=60.0), "{}\n", "<p>"), "5ca1ab1e", [])
    assert book.kept(PAIR, "5ca1ab1e", 60) == book.kept(PAIR, "5ca1ab1e", 30) == entries
    assert book.kept(PAIR, "5ca1ab1e", 61) is None


def test_folders_of_others(tmp_path):
    book = Book(tmp_path, VERSION)
    jane, bo = book.put(PAIR, Graded(JANE, "{}\n", "<p>"), "5ca1ab1e", [])
    assert book.others([jane, bo]) == [] and book.others([jane]) == ["bo"]


def test_a_folder_holds_one_kind_of_grade(tmp_path):
    Book(tmp_path, VERSION).put(PAIR, Graded(JANE, "{}\n", "<p>"), "5ca1ab1e", [])
    Book(tmp_path, {**VERSION, "references": "d" * 12})  # the same kind, to be graded again
    with pytest.raises(ValueError, match=r"everything, not of 1\.3"):
        Book(tmp_path, {**VERSION, "only": "1.3"})
    with pytest.raises(ValueError, match="public, not of public hidden"):
        Book(tmp_path, {**VERSION, "tiers": "public hidden"})
