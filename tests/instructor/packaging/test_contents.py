"""What is in the archives, what is not, and that the same inputs give the same bytes."""

import io
import json
import os
import re
import stat
import zipfile
from pathlib import Path

import pytest

from autograder import KIT
from autograder.__main__ import main
from autograder.assignment.mistakes import all_mistakes
from autograder.engine import archive
from autograder.instructor import starter, storing
from autograder.instructor.packaging import contents, release, upload
from autograder.instructor.packaging.contents import refuse_leaks
from handout import chromium
from tests.grading import HIDDEN_SEED, SOLUTION

REFERENCES = "autograder/assignment/references"
SECRET_LINE = "return torch.stack(images), list(targets)"


@pytest.fixture(scope="module")
def packed(upload) -> zipfile.ZipFile:
    """The upload."""
    return zipfile.ZipFile(upload)


@pytest.fixture(scope="module")
def released() -> dict[str, bytes]:
    """What students get, without the handout."""
    return release.files()


# --- the upload ------------------------------------------------------------------------------


def test_the_upload_is_complete_and_small(upload, packed):
    assert upload.stat().st_size < 30_000_000
    names = set(packed.namelist())
    assert {"setup.sh", "run_autograder", "requirements.txt", "requirements-torch.txt",
            "handout/rules.md",
            "autograder/assignment/points.toml", "autograder/engine/pages/templates/style.css",
            "autograder/gradescope/broke.json"} <= names
    assert {f"{REFERENCES}/{tier}.{kind}" for tier in ("public", "hidden", "leaderboard")
            for kind in ("json", "npz")} <= names
    assert {name for name in names if name.startswith("starter/")} == {
        f"starter/{name}" for name in (*starter.generate(SOLUTION), "report.py")}


def top_folders(names) -> set[str]:
    """The first two parts of each name."""
    return {"/".join(name.split("/")[:2]) for name in names if name.count("/") > 1}


def test_nothing_of_the_instructor_leaves(packed, released):
    students = {"autograder/engine", "autograder/assignment",
                "starter/problem1", "starter/problem2"}
    assert top_folders(released) == {*students, ".github/workflows"}
    assert top_folders(packed.namelist()) == {*students, "autograder/gradescope"}
    assert not [name for name in released if "hidden" in name]
    for name in [*packed.namelist(), *released]:
        assert not re.search(r"\.pth$|__pycache__|\.pyc|/mistakes/", name), name


def test_the_code_of_known_mistakes_stays_at_home(packed, released):
    """Its lines stand in no other file either."""
    leaving = b"\n".join([*released.values(), *map(packed.read, packed.namelist())])
    lines = {line.strip() for mistake in all_mistakes().values()
             for edits in mistake.edits.values() for old, new in edits
             for line in set(new.splitlines()) - set(old.splitlines())}
    long = [line for line in lines if len(line) > contents.TELLING]
    assert len(long) > 100
    assert not [line for line in long if line.encode() in leaving]


def test_scripts_can_be_executed_and_nothing_tells_when_it_was_packed(packed):
    for entry in packed.infolist():
        executable = entry.filename in ("setup.sh", "run_autograder")
        assert entry.external_attr >> 16 == stat.S_IFREG | (0o755 if executable else 0o644)
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
    assert packed.namelist() == sorted(packed.namelist())


def test_the_wheel_index_is_a_variable_of_setup(packed):
    lines = packed.read("setup.sh").decode().splitlines()
    assert """TORCH_INDEX='https://example.org/it'"'"'s here'""" in lines
    own = (KIT / "autograder/gradescope/setup.sh").read_text(encoding="utf-8")
    assert upload.TORCH_INDEX in own


def test_hidden_inputs_are_others_than_the_public_ones(packed):
    made = {tier: json.loads(packed.read(f"{REFERENCES}/{tier}.json"))["made"]
            for tier in ("public", "hidden", "leaderboard")}
    assert made["hidden"]["seed"] == HIDDEN_SEED != made["public"]["seed"]
    assert made["hidden"]["profile"] == made["public"]["profile"]
    assert "seed" not in made["leaderboard"]


def test_the_same_references_give_the_same_bytes(packed, tmp_path, monkeypatch):
    for tier in ("hidden", "leaderboard"):
        for kind in ("json", "npz"):
            name = f"{REFERENCES}/{tier}.{kind}"
            (tmp_path / f"{tier}.{kind}").write_bytes(packed.read(name))
    found = upload.files(tmp_path, "https://example.org/it's here")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    old = os.umask(0o077)
    try:
        again = archive.pack(dict(reversed(found.items())), upload.SCRIPTS)
    finally:
        os.umask(old)
    assert again == Path(packed.filename).read_bytes()


def test_a_checkout_with_the_line_ends_of_windows_gives_the_same_archive(
        packed, tmp_path, monkeypatch):
    for name in packed.namelist():
        if re.search(rf"{REFERENCES}/(hidden|leaderboard)", name):
            (tmp_path / Path(name).name).write_bytes(packed.read(name))
    read = Path.read_bytes

    def windows(path):
        return read(path) if path.suffix in contents.OPAQUE else read(path).replace(b"\n", b"\r\n")

    monkeypatch.setattr(Path, "read_bytes", windows)
    found = upload.files(tmp_path, "https://example.org/it's here")
    assert found["run_autograder"].startswith(b"#!/usr/bin/env bash\r\n")
    again = archive.pack(found, upload.SCRIPTS)
    assert again == read(Path(packed.filename))


def test_an_upload_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "autograder.zip"
    path.write_bytes(b"an earlier one")
    with pytest.raises(ValueError, match=r"would have 30\.0 MB, .* under 30"):
        upload.write(path, {"noise": os.urandom(30_000_000)})
    assert path.read_bytes() == b"an earlier one"


def test_mistakes_in_the_call_are_one_line(tmp_path, capsys):
    assert main(["package", "--out", str(tmp_path / "no/a.zip")]) == 2
    assert main(["release", "--out", str(tmp_path / "no/a.zip")]) == 2
    assert main(["release", "--out", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"error: the folder of {tmp_path}/no/a.zip does not exist"] * 2 + [
        f"error: {tmp_path} is a folder, not a file to write"]
    with pytest.raises(SystemExit, match="2"):
        main(["package", "--hidden-seed", "-1"])


def test_a_short_hidden_seed_brings_a_warning(capsys):
    assert storing.hidden_seed(4242) == 4242
    assert capsys.readouterr().err == (
        "warning: the hidden seed 4242 is short: student code can tell what follows from it, and "
        "it is found by trying. Leave it out, and a long one is drawn\n")
    assert storing.hidden_seed(2**40) == 2**40
    assert len({storing.hidden_seed(None) for _ in range(8)}) == 8
    assert max(storing.hidden_seed(None) for _ in range(64)) > 2**60
    assert not capsys.readouterr().err


# --- the release -----------------------------------------------------------------------------


@pytest.mark.proof
def test_the_release_command_adds_the_handout_and_nothing_else(released, tmp_path, capsys):
    assert main(["release", "--out", str(tmp_path / "a.zip")]) == 0
    assert re.fullmatch(r"wrote \S+a.zip \([0-9]+[.][0-9] MB\)\n", capsys.readouterr().out)
    packed = zipfile.ZipFile(tmp_path / "a.zip")
    found = {name.removeprefix(f"{release.NAME}/"): packed.read(name) for name in packed.namelist()}
    page = found.pop("handout/handout.html")
    if chromium.find():
        pdf = found.pop("handout/handout.pdf")
        assert pdf.startswith(b"%PDF") and b"CreationDate (D:19800101" in pdf
    assert found == released == release.files()
    assert len(re.findall(rb"P[12]\.[a-z0-9.-]+", page)) > 100


def test_the_release_has_what_students_need(released):
    assert {"README.md", "Makefile", "requirements.txt", "requirements-torch.txt",
            "handout/rules.md", ".gitignore",
            "handout/problem1.ipynb", "handout/homework1.ipynb", "handout/walkthrough.py",
            ".devcontainer/devcontainer.json", "datasets/__main__.py",
            "autograder/engine/pages/templates/style.css",
            f"{REFERENCES}/public.npz"} <= set(released)
    assert released["requirements.txt"] == (KIT / "requirements.txt").read_bytes()


# --- leaks -----------------------------------------------------------------------------------


def test_a_line_of_the_solution_is_found_wherever_it_stands():
    notebook = json.dumps({"cells": [{"source": ["def f(batch):\n", f"    {SECRET_LINE}\n"]}]})
    page = "<pre>def f(batch):\n    <b>return</b> torch.stack(images), list(targets)</pre>"
    for name, text in (("a.py", f"def f(batch):\n    {SECRET_LINE}\n"), ("b.ipynb", notebook),
                       ("c.html", page)):
        with pytest.raises(ValueError, match=re.escape(
                f"{name}, line 2 stands in the solution: '{SECRET_LINE}'")):
            refuse_leaks({name: text.encode()})


def test_a_short_line_tells_nothing_on_its_own():
    alone = "images, targets = zip(*batch)"
    refuse_leaks({"a.py": f"{alone}\nreturn images\n{alone}\n".encode()})
    with pytest.raises(ValueError, match="a.py, line 3 stands in the solution"):
        refuse_leaks({"a.py": f"# pairs\n{alone}\n  {alone}\n".encode()})


def test_files_of_the_solution_and_what_cannot_be_read_are_refused():
    weights = SOLUTION / "problem1/results/best_model.pth"
    with pytest.raises(ValueError, match="^x.npz is a file of the solution$"):
        refuse_leaks({"x.npz": weights.read_bytes()})
    with pytest.raises(ValueError, match="^x.bin is no text and none of .npz, .png, .pdf$"):
        refuse_leaks({"x.bin": b"\xff\xfe\0"})


def test_what_students_are_given_is_no_leak():
    refuse_leaks({f"else/{name}": text.encode()
                  for name, text in starter.generate(SOLUTION).items()})


def test_release_and_package_refuse_a_leak(monkeypatch, tmp_path, capsys):
    student = tmp_path / "student"
    student.mkdir()
    for template in release.TEMPLATES:
        text = (release.STUDENT / template).read_text(encoding="utf-8")
        (student / template).write_text(f"{text}{SECRET_LINE}\n", encoding="utf-8")
    monkeypatch.setattr(release, "STUDENT", student)
    assert main(["release", "--out", str(tmp_path / "a.zip")]) == 2
    assert capsys.readouterr().err.startswith("error: README.md, line ")
    assert not (tmp_path / "a.zip").exists()
    with pytest.raises(ValueError, match="references/Makefile, line [0-9]+ stands in the solution"):
        upload.files(student)


def test_the_folder_of_a_file_says_whether_it_leaves(tmp_path):
    for name in ("__main__.py", "engine/a.py", "engine/pages/a.css", "engine/__pycache__/a.pyc",
                 "assignment/points.toml", "assignment/mistakes/a.py", "assignment/mistakes.py",
                 "assignment/references/hidden.npz", "instructor/a.py", "gradescope/run.py",
                 "new/a.py"):
        path = tmp_path / "autograder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    students = {f"autograder/{name}": name.encode() for name in (
        "__main__.py", "engine/a.py", "engine/pages/a.css", "assignment/points.toml",
        "assignment/mistakes.py")}
    assert contents.grader(tmp_path) == students
    assert contents.grader(tmp_path, (*contents.ROOMS, "gradescope")) == {
        **students, "autograder/gradescope/run.py": b"gradescope/run.py"}


def test_a_zip_archive_can_be_read_back():
    files = {"b/c.txt": b"1", "a": b"2" * 5000}
    packed = zipfile.ZipFile(io.BytesIO(archive.pack(files)))
    assert {name: packed.read(name) for name in packed.namelist()} == files
