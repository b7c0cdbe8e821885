"""What is found of a class."""

import zipfile

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.archive import NoSubmission
from autograder.engine.submission import Submission, take_in
from autograder.instructor.classroom import intake
from autograder.instructor.classroom.intake import (
    NotAClass,
    Submitter,
    find,
)
from tests.grading import archive

METADATA = """---
submission_11:
  :submitters:
  - :name: Zoë Ångström
    :sid: '123'
    :email: zoe@example.edu
  - :name: "=HYPERLINK(\\"x\\")"
    :sid: '124'
    :email: bob@example.edu
  :created_at: 2026-02-03 18:45:06.372155000 Z
  :score: 0.0
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    tests: []
submission_12:
  :submitters:
  - :name: Carla
    :email: carla@example.edu
  :created_at: 2026-02-03 19:00:00.000000000 Z
submission_13:
  :submitters:
  - :name: Carla
    :email: carla@example.edu
  :created_at: 2026-02-04 19:00:00.000000000 Z
"""


def export(folder):
    for name in ("submission_11/hw1/problem1", "submission_13/problem2"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.py").write_text(name)
    (folder / "submission_metadata.yml").write_text(METADATA, encoding="utf-8")
    return folder


def taken(handed, folder):
    """Relative paths of what is taken in."""
    folder.mkdir()
    root = take_in(handed.path, folder, ASSIGNMENT.problems, prefix=handed.prefix).root
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", ["folder", "folder in a folder", "zip"])
def test_an_export_of_gradescope(tmp_path, form):
    source = tmp_path / "export"
    folder = export(source if form == "folder" else source / "assignment_1_export")
    if form == "zip":
        packed = tmp_path / "export.zip"
        with zipfile.ZipFile(packed, "w") as content:
            for path in folder.rglob("*"):
                content.write(path, f"assignment_1_export/{path.relative_to(folder)}")
        source = packed
    carla, group = sorted(find(source), key=lambda handed: len(handed.students))
    assert carla.students == (Submitter("carla@example.edu", "Carla", "carla@example.edu"),)
    assert carla.submitted == "2026-02-04T19:00:00+00:00"
    assert taken(carla, tmp_path / "carla") == {"problem2/model.py"}  # the later one of two
    assert [(s.id, s.name) for s in group.students] == [
        ("zoe@example.edu", "Zoë Ångström"), ("bob@example.edu", '=HYPERLINK("x")')]
    assert taken(group, tmp_path / "group") == {"problem1/model.py"}


def test_one_export_in_a_folder_is_it_and_two_are_refused(tmp_path):
    (tmp_path / "down").mkdir()
    with zipfile.ZipFile(tmp_path / "down" / "export.zip", "w") as content:
        content.writestr("assignment_1_export/submission_metadata.yml", METADATA)
    assert len(find(tmp_path / "down")) == 2
    export(tmp_path / "down" / "export")
    with pytest.raises(NotAClass, match="2 exports"):
        find(tmp_path / "down")


def test_a_submission_that_looks_like_an_export_does_not_stand_for_the_class(tmp_path):
    export(tmp_path / "mallory")
    archive(tmp_path / "trent.zip", {"submission_metadata.yml": METADATA})
    (tmp_path / "jane" / "problem1").mkdir(parents=True)
    assert [handed.students[0].id for handed in find(tmp_path)] == ["jane", "mallory", "trent"]


PARTIAL = """---
submission_1:
  :submitters: []
submission_2:
  :submitters:
submission_3:
  :submitters: [x]
submission_4:
  :submitters:
  - :name: Ann Lee
submission_5:
  :submitters:
  - :name: Ann Lee
submission_6:
  :submitters:
  - :name: "\\e[31mEve\\n\\u202E"
    :email: Eve@x.edu
  - :email: eve@x.edu
  :created_at: 2026-02-03
"""


def test_nobody_of_an_export_is_lost(tmp_path):
    (tmp_path / "submission_metadata.yml").write_text(PARTIAL, encoding="utf-8")
    (tmp_path / "submission_7").mkdir()  # which the metadata does not know
    found = find(tmp_path)
    ids = [student.id for handed in found for student in handed.students]
    assert [each.split("-")[0] for each in ids] == [
        "eve@x.edu", "submission_1", "submission_2", "submission_3", "submission_4_Ann_Lee",
        "submission_5_Ann_Lee", "submission_7"]
    assert len(set(ids)) == 7 and len(found) == 7
    assert found[0].label == "?[31mEve ?"


@pytest.mark.parametrize("text", ["- 1", "a: b", "{", "? [1]", "",
                                  "../x: {:submitters: [], :created_at: 1}"])
def test_metadata_that_is_none(tmp_path, text):
    (tmp_path / "submission_metadata.yml").write_text(text)
    with pytest.raises(NotAClass, match=r"cannot be read|there are no submissions"):
        find(tmp_path)


def test_folders_and_zip_files(tmp_path):
    (tmp_path / "hw1-jane").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "late.rar").write_bytes(b"")
    archive(tmp_path / "Zoë Å.zip", {"a/problem1/x.py": ""})
    zoe, jane, late = find(tmp_path)
    assert [each.path.name for each in (zoe, jane, late)] == [
        "Zoë Å.zip", "hw1-jane", "late.rar"]
    assert jane.students == (Submitter("hw1-jane"),)
    assert zoe.students[0].id.startswith("Zoë_Å-") and zoe.label == "Zoë Å"
    with pytest.raises(NoSubmission, match="^late.rar is neither"):
        late.take_in(tmp_path)


def test_a_folder_above_a_class_is_none(tmp_path):
    for student in ("jane", "bob", "zoe"):
        (tmp_path / "submissions" / student / "hw1" / "problem1").mkdir(parents=True)
    assert len(find(tmp_path / "submissions")) == 3
    with pytest.raises(NotAClass, match="holds several submissions"):
        find(tmp_path)
    (tmp_path / "carla" / "problem2").mkdir(parents=True)
    assert [each.path.name for each in find(tmp_path)] == ["carla", "submissions"]


def test_what_is_no_class(tmp_path):
    with pytest.raises(NotAClass, match="does not exist"):
        find(tmp_path / "none")
    with pytest.raises(NotAClass, match="there are no submissions"):
        find(tmp_path)
    with pytest.raises(NotAClass, match=r"is no export of Gradescope or Canvas"):
        find(archive(tmp_path / "class.zip", {"jane/problem1/model.py": ""}))
    (tmp_path / "class.zip").write_bytes(b"PK")
    with pytest.raises(NotAClass, match="Where your system can unpack it, name the folder"):
        find(tmp_path / "class.zip")
    (tmp_path / "class.zip").unlink()
    (tmp_path / "problem1").mkdir()
    with pytest.raises(NotAClass, match="is one submission"):
        find(tmp_path)


def test_one_name_for_two(tmp_path):
    (tmp_path / "jane").mkdir()
    archive(tmp_path / "Jane.zip", {"problem1/x.py": ""})
    with pytest.raises(NotAClass, match="two submissions are of jane"):
        find(tmp_path)


@pytest.mark.parametrize(
    "name", ["../x", "=cmd()", "..", "a/b", "王伟", "-rf", "x" * 300, "", "\n"])
def test_ids_are_safe_and_tell_names_apart(name):
    made = intake._id(name)
    assert made[0].isalnum() and len(made.encode()) < 255
    assert not set(made) & set('/\\:*?"<>| \n=+')
    assert made != intake._id(name + "!")


def test_the_fingerprint_is_of_names_and_contents(tmp_path):
    prints = set()
    for index, (name, text) in enumerate([("a.py", "1"), ("b.py", "1"), ("a.py", "2"),
                                          ("a.py1", "")]):
        (tmp_path / str(index)).mkdir()
        (tmp_path / str(index) / name).write_text(text)
        prints.add(Submission(tmp_path / str(index), ()).digest("*"))
    assert len(prints) == 4
    assert Submission(tmp_path / "0", ()).digest("*") in prints
