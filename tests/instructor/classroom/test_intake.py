"""What is found of a class, and what of a submission is taken in."""

import errno
import io
import os
import stat
import zipfile

import pytest

from autograder.engine.submission import NoSubmission
from autograder.instructor.classroom import intake
from autograder.instructor.classroom.intake import (
    Handed,
    NotAClass,
    Submitter,
    find,
    fingerprint,
    take,
)

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


def archive(path, files):
    """A zip file of `{name: text}`."""
    with zipfile.ZipFile(path, "w") as content:
        for name, text in files.items():
            content.writestr(name, text)
    return path


def export(folder):
    for name in ("submission_11/hw1/problem1", "submission_13/problem2"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.py").write_text(name)
    (folder / "submission_metadata.yml").write_text(METADATA, encoding="utf-8")
    return folder


def taken(handed, folder):
    """Relative paths of what is taken in."""
    folder.mkdir()
    root = take(handed, folder).root
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
    (tmp_path / "late.tar.gz").write_bytes(b"")
    archive(tmp_path / "Zoë Å.zip", {"a/problem1/x.py": ""})
    zoe, jane, late = find(tmp_path)
    assert [each.path.name for each in (zoe, jane, late)] == [
        "Zoë Å.zip", "hw1-jane", "late.tar.gz"]
    assert jane.students == (Submitter("hw1-jane"),)
    assert zoe.students[0].id.startswith("Zoë_Å-") and zoe.label == "Zoë Å"
    with pytest.raises(NoSubmission, match="late.tar.gz is neither"):
        taken(late, tmp_path / "in")


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
    with pytest.raises(NotAClass, match=r"holds no submission_metadata\.yml"):
        find(archive(tmp_path / "class.zip", {"jane/problem1/model.py": ""}))
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


def handed(path):
    return Handed((Submitter("jane"),), path)


def test_names_of_a_zip_file_stay_inside(tmp_path):
    path = archive(tmp_path / "jane.zip", {
        "../escaped.py": "", "/absolute.py": "", "problem1/../../up.py": "", "problem1/ok.py": "1",
        "problem1/=cmd().py": "", "problem1/ünï/x.py": "", "problem1\\back.py": "",
        "problem1/" + "n" * 300 + ".py": "", "problem1/ok.py/below.py": "",
        ".git/config": "", "__MACOSX/problem1/y.py": ""})
    link = zipfile.ZipInfo("problem1/link.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as content:
        content.writestr(link, "/etc/passwd")
    assert taken(handed(path), tmp_path / "in") == {
        "problem1/ok.py", "problem1/=cmd().py", "problem1/ünï/x.py", "problem1/back.py"}
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".py")]


@pytest.mark.parametrize(("files", "expected"), [
    (["problem1/problem1/a.py"], ["problem1/a.py"]),
    (["problem1/readme.txt", "src/problem1/a.py"], ["problem1/a.py"]),
    (["problem1/results/log.json"], ["problem1/results/log.json"]),
    (["a/b/c/d/e/f/g/h/problem1/a.py"], ["problem1/a.py"]),
    (["Problem1/a.py", "PROBLEM2/b.py"], ["problem1/a.py", "problem2/b.py"]),
    (["problem1.zip:a.py", "problem2.zip:problem2/b.py"], ["problem1/a.py", "problem2/b.py"]),
    (["problem1/a.py", "problem2.zip:x/problem2/b.py"], ["problem1/a.py", "problem2/b.py"]),
    (["homework.zip:deep/er/problem2/model.py", "broken.zip"], ["problem2/model.py"]),
    (["old/problem1/old.py", "new/problem1/a.py", "new/problem2/b.py"],
     ["problem1/a.py", "problem2/b.py"]),
])
def test_problems_are_found_however_nested(tmp_path, files, expected):
    folder = tmp_path / "jane"
    for name in files:
        name, _, member = name.partition(":")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        archive(path, {member: ""}) if member else path.write_text("")
    assert taken(handed(folder), tmp_path / "in") == set(expected)


def test_which_of_two_attempts_is_graded_is_said(tmp_path):
    for name in ("attempt 1", "attempt 2"):
        (tmp_path / "jane" / name / "problem1").mkdir(parents=True)
        (tmp_path / "jane" / name / "problem1" / "a.py").write_text(name)
    (tmp_path / "in").mkdir()
    submission = take(handed(tmp_path / "jane"), tmp_path / "in")
    assert submission.notes == (
        "problem2/ is missing",
        "problem1/ was handed in 2 times, and what is graded is attempt 1/problem1")
    assert (submission.root / "problem1" / "a.py").read_text() == "attempt 1"


def broken(path):
    path.write_bytes(b"PK\3\4 and no more")


def damaged(path):
    archive(path, {"problem1/x.py": "x" * 1000})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"x" * 100, b"y" * 100))


def listing(path):
    """A list of 5 MiB, of names that stay behind."""
    archive(path, {f"../{i}{'n' * 5000}": "" for i in range(1000)})


def unusual(path):
    """Of such files, zipfile unpacks a megabyte at once, whatever comes out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as content:
        content.writestr("problem1/x.py", bytes(2**10))


def bomb(path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("problem1/zeros", bytes(4 * 2**20))
    path.write_bytes(stream.getvalue())


@pytest.mark.parametrize(("make", "reason"), [
    (broken, "not a zip file"),
    (damaged, "Bad CRC-32"),
    (bomb, "more than 1 MiB"),
    (lambda path: archive(path, {}), "is empty"),
    (lambda path: archive(path, {"a.txt": "", "b/=c().txt": ""}), r"found: a\.txt, b/=c\(\)\.txt"),
    (lambda path: archive(path, {f"{i}": "" for i in range(30)}), "more than 20 files and folders"),
    (lambda path: archive(path, {"/".join(f"{i}" * 13): "" for i in range(2)}),
     "more than 20 files and folders"),
    (lambda path: archive(path, {"problem1/" + "/".join(["n" * 200] * 6): ""}), "is empty"),
    (listing, "it lists its files in more than 4 MiB"),
    (unusual, "compressed in an unusual way"),
    (lambda path: None, "nothing was handed in"),
])
def test_no_submission_is_said_in_one_line(tmp_path, monkeypatch, make, reason):
    monkeypatch.setattr(intake, "MAX_UNPACKED", 2**20)
    monkeypatch.setattr(intake, "MAX_ENTRIES", 20)
    make(tmp_path / "jane.zip")
    with pytest.raises(NoSubmission, match=reason) as caught:
        taken(handed(tmp_path / "jane.zip"), tmp_path / "in")
    assert "\n" not in str(caught.value)


def test_zip_files_of_a_submission_share_the_room(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "MAX_ENTRIES", 9)
    (tmp_path / "jane").mkdir()
    archive(tmp_path / "jane" / "a.zip", {f"problem1/{i}.py": "" for i in range(5)})
    archive(tmp_path / "jane" / "b.zip", {f"problem2/{i}.py": "" for i in range(5)})
    assert len(taken(handed(tmp_path / "jane"), tmp_path / "in")) == 5


def test_a_full_disk_is_not_the_submissions_fault(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    archive(tmp_path / "jane.zip", {"problem1/x.py": ""})
    monkeypatch.setattr(intake.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        taken(handed(tmp_path / "jane.zip"), tmp_path / "in")


def test_the_fingerprint_is_of_names_and_contents(tmp_path):
    prints = set()
    for index, (name, text) in enumerate([("a.py", "1"), ("b.py", "1"), ("a.py", "2"),
                                          ("a.py1", "")]):
        (tmp_path / str(index)).mkdir()
        (tmp_path / str(index) / name).write_text(text)
        prints.add(fingerprint(tmp_path / str(index)))
    assert len(prints) == 4
    assert fingerprint(tmp_path / "0") in prints
