"""What is found of a class, and what of a submission is taken in."""

import io
import os
import stat
import zipfile

import pytest

from autograder.classroom import intake
from autograder.classroom.intake import Handed, NotAClass, Student, find, fingerprint, take
from autograder.submission import NoSubmission

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
    assert carla.students == (Student("carla@example.edu", "Carla", "carla@example.edu"),)
    assert taken(carla, tmp_path / "carla") == {"problem2/model.py"}  # the later one of two
    assert [(s.id, s.name) for s in group.students] == [
        ("zoe@example.edu", "Zoë Ångström"), ("bob@example.edu", '=HYPERLINK("x")')]
    assert taken(group, tmp_path / "group") == {"problem1/model.py"}


@pytest.mark.parametrize("text", ["- 1", "a: b", "submission_1: {:submitters: [x]}", "{", "? [1]",
                                  "../x: {:submitters: [], :created_at: 1}"])
def test_metadata_that_is_none(tmp_path, text):
    (tmp_path / "submission_metadata.yml").write_text(text)
    with pytest.raises(NotAClass, match=r"cannot be read|there are no submissions"):
        find(tmp_path)


def test_folders_and_zip_files(tmp_path):
    (tmp_path / "hw1-jane").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").write_text("")
    archive(tmp_path / "Zoë Å.zip", {"a/problem1/x.py": ""})
    found = find(tmp_path)
    assert [handed.path.name for handed in found] == ["Zoë Å.zip", "hw1-jane"]
    assert found[1].students[0].id == "hw1-jane"
    assert found[0].students[0].id.startswith("Zoë_Å-")


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
    return Handed((Student("jane"),), path)


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


def test_a_zip_file_in_a_folder(tmp_path):
    (tmp_path / "jane").mkdir()
    archive(tmp_path / "jane" / "homework.zip", {"deep/er/problem2/model.py": ""})
    assert taken(handed(tmp_path / "jane"), tmp_path / "in") == {"problem2/model.py"}


def broken(path):
    path.write_bytes(b"PK\3\4 and no more")


def damaged(path):
    archive(path, {"problem1/x.py": "x" * 1000})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"x" * 100, b"y" * 100))


def bomb(path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("problem1/zeros", bytes(4 * 2**20))
    path.write_bytes(stream.getvalue())


@pytest.mark.parametrize("make, reason", [
    (broken, "the zip file cannot be unpacked: File is not a zip file"),
    (damaged, "the zip file cannot be unpacked: Bad CRC-32"),
    (bomb, "the zip file holds more than 1 MiB"),
    (lambda path: archive(path, {}), "was handed in; it is empty"),
    (lambda path: archive(path, {"a.txt": "", "b/=c().txt": ""}), r"found: a\.txt, b/=c\(\)\.txt"),
    (lambda path: archive(path, {f"{i}": "" for i in range(30)}), "holds more than 20 files"),
    (lambda path: None, "nothing was handed in"),
])
def test_no_submission_is_said_in_one_line(tmp_path, monkeypatch, make, reason):
    monkeypatch.setattr(intake, "MAX_UNPACKED", 2**20)
    monkeypatch.setattr(intake, "MAX_MEMBERS", 20)
    make(tmp_path / "jane.zip")
    with pytest.raises(NoSubmission, match=reason) as caught:
        taken(handed(tmp_path / "jane.zip"), tmp_path / "in")
    assert "\n" not in str(caught.value)


def test_the_fingerprint_is_of_names_and_contents(tmp_path):
    prints = set()
    for index, (name, text) in enumerate([("a.py", "1"), ("b.py", "1"), ("a.py", "2"),
                                          ("a.py1", "")]):
        (tmp_path / str(index)).mkdir()
        (tmp_path / str(index) / name).write_text(text)
        prints.add(fingerprint(tmp_path / str(index)))
    assert len(prints) == 4
    assert fingerprint(tmp_path / "0") in prints
