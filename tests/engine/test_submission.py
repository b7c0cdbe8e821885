"""Taking a submission in: what is found, copied and left behind."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.engine import submission as submission_module
from autograder.engine.archive import NoSubmission
from autograder.engine.sandbox.folders import private_copy, remove
from autograder.engine.submission import MAX_DEPTH, Submission, find_problems, take_in
from tests.grading import archive, write_files

PROBLEMS = ("problem1", "problem2")


def test_problems_are_found_at_any_depth(tmp_path):
    deep = tmp_path / "submission" / "ee641-hw1-name"
    write_files(deep, {"problem1/utils.py": "", "problem2/model.py": ""})
    write_files(tmp_path, {"submission/.git/problem1/utils.py": "", "a/b/c/problem1/old.py": ""})
    assert find_problems(PROBLEMS, tmp_path) == {name: [deep / name] for name in PROBLEMS}


@pytest.mark.parametrize(
    "name", ["Problem1", "problem_1", "Problem 1", "problem-1", "problem1 (2)"])
def test_a_problem_under_nearly_its_name(tmp_path, name):
    write_files(tmp_path, {f"work/{name}/utils.py": ""})
    assert find_problems(PROBLEMS, tmp_path) == {"problem1": [tmp_path / "work" / name]}


def taken(folder, *sources):
    """Relative paths of what is taken in."""
    folder.mkdir()
    root = take_in(sources[0], folder, PROBLEMS, *sources[1:]).root
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


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
    assert taken(tmp_path / "in", folder) == set(expected)


def test_which_of_two_attempts_is_graded_is_said(tmp_path):
    for name in ("attempt 1", "attempt 2"):
        (tmp_path / "jane" / name / "problem1").mkdir(parents=True)
        (tmp_path / "jane" / name / "problem1" / "a.py").write_text(name)
    (tmp_path / "in").mkdir()
    submission = take_in(tmp_path / "jane", tmp_path / "in", PROBLEMS)
    assert submission.notes == (
        "problem2/ is missing",
        "problem1/ was handed in 2 times, and what is graded is attempt 1/problem1")
    assert (submission.root / "problem1" / "a.py").read_text() == "attempt 1"


def test_one_folder_or_zip_file_for_each_problem(tmp_path, monkeypatch):
    work = write_files(tmp_path / "work", {"problem1/a.py": "", "problem2/b.py": ""})
    assert taken(tmp_path / "in 1", work / "problem2") == {"problem2/b.py"}
    assert taken(tmp_path / "in 2", work / "problem1", work / "problem2") == {
        "problem1/a.py", "problem2/b.py"}
    one = archive(tmp_path / "Problem 1.zip", {"a.py": ""})
    two = archive(tmp_path / "hw.zip", {"x/problem2/b.py": ""})
    assert taken(tmp_path / "in 3", one, two) == {"problem1/a.py", "problem2/b.py"}
    monkeypatch.chdir(work / "problem1")
    assert taken(tmp_path / "in 4", Path(".")) == {"problem1/a.py"}


def test_what_is_missing_and_what_comes_near(tmp_path):
    source = write_files(tmp_path / "work", {"problem1/a.py": "", "problem_two/b.py": "",
                                             "broken.zip": ""})
    (tmp_path / "in").mkdir()
    assert take_in(source, tmp_path / "in", PROBLEMS).notes == (
        "problem2/ is missing: is problem_two/ meant?",
        "broken.zip: the zip file cannot be unpacked: File is not a zip file")
    for name, why in (("none", "none does not exist"),
                      ("work/problem1/a.py", "a.py is neither a folder nor a zip or tar.gz file:")):
        with pytest.raises(NoSubmission, match=why):
            take_in(tmp_path / name, tmp_path / "in", PROBLEMS)


def test_the_folder_of_the_very_name_comes_first(tmp_path):
    write_files(tmp_path, {"Problem 1/utils.py": "", "problem1/utils.py": "", "problem-1/a.py": ""})
    assert [path.name for path in find_problems(PROBLEMS, tmp_path)["problem1"]] == [
        "problem1", "Problem 1", "problem-1"]


def test_files_under_nearly_their_names(tmp_path):
    source, root = tmp_path / "source", tmp_path / "root"
    root.mkdir()
    write_files(source, {
        "problem1/Utils (1).py": "x = 1\n", "problem1/loss.py": "", "problem1/Loss.py": "y = 1\n",
        "problem1/model (1).py": "", "problem1/model (2).py": "",
        # a folder; a name that is longer in small letters than a disk takes
        "problem1/Train.py/a.txt": "", "problem1/" + "\u0130" * 110 + ".py": "",
        "problem1/Results/best_model.pt": "weights"})
    copy = private_copy(take_in(source, root, PROBLEMS), "problem1", ("best_model.pth",),
                        tmp_path / "check")
    assert (copy / "utils.py").read_text() == "x = 1\n" and (copy / "loss.py").read_text() == ""
    assert not (copy / "model.py").exists(), "nobody knows which of them is meant"
    assert (copy / "results/best_model.pth").read_text() == "weights"


def test_results_beside_their_folder_and_functions_that_a_file_imports(tmp_path):
    source, root = tmp_path / "source", tmp_path / "root"
    root.mkdir()
    write_files(source, {"problem1/utils.py": "", "problem1/best_model.pth": "weights",
                         "problem1/best_model.py": ""})
    taken = take_in(source, root, PROBLEMS)
    copy = private_copy(taken, "problem1", ("best_model.pth",), tmp_path / "check")
    assert (copy / "results/best_model.pth").read_text() == "weights"
    taken = replace(taken, imports={"problem1/utils.py": ["problem1/all.py"]},
                    lines={"problem1/all.py": {"compute_iou": 2}})
    assert taken.place("problem1", "utils.compute_iou") == "problem1/all.py, line 2"
    assert taken.place("problem1", "utils.nms") == ""


def test_code_and_results_come_before_all_else_and_folders_of_results_are_there(
        tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.engine.submission.MAX_COPIED", 2)
    source, root = tmp_path / "source", tmp_path / "root"
    root.mkdir()
    write_files(source, {
        **{f"problem1/a{n}.png": "" for n in range(6)}, "problem1/utils.py": "x = 1\n",
        "problem1/more/nets.py": "", "problem1/results/best_model.pth": "weights",
        "problem1/results/visualizations/a.png": ""})
    taken = take_in(source, root, PROBLEMS)
    assert taken.notes[-1] == ("problem1/a0.png and what follows: beyond 2 files and folders "
                               "beside results/, left out")
    copy = private_copy(taken, "problem1", ("best_model.pth",), tmp_path / "check")
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*")} == {
        "utils.py", "more", "more/nets.py", "results", "results/best_model.pth",
        "results/visualizations"}


def test_only_regular_files_are_taken_in(tmp_path):
    source, root = tmp_path / "source", tmp_path / "root"
    root.mkdir()
    write_files(source, {
        "problem1/utils.py": "x = 1\n", "problem1/results/best_model.pth": "weights",
        "problem1/__pycache__/utils.pyc": "", "problem1/.git/config": "",
        **{f"problem1/{left}": "def (" for left in (  # by systems and editors
            "._utils.py", ".utils.py.swp", "utils.py~", "#utils.py#", "flycheck_utils.py")},
        "problem1/" + "/".join("d" * (MAX_DEPTH + 2)) + "/deep.py": "", "secret.txt": "secret"})
    (source / "problem1" / "link.py").symlink_to(source / "secret.txt")
    (source / "problem1" / "folder").symlink_to(source)
    (source / "problem1" / ".#utils.py").symlink_to("nobody@nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(source / "problem1" / "pipe")
    taken = take_in(source, root, PROBLEMS)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files == {"problem1/utils.py", "problem1/results/best_model.pth"}
    assert "problem2/ is missing" in taken.notes and ".#utils.py" not in " ".join(taken.notes)
    assert "problem1/link.py: a link, left out" in taken.notes
    assert "problem1/folder: a link, left out" in taken.notes
    assert not hasattr(os, "mkfifo") or "problem1/pipe: not a regular file, left out" in taken.notes
    assert "problem1/d/d/d/d/d/d/d/d: deeper than 8 folders, left out" in taken.notes


def test_a_flood_of_files_is_cut_with_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.engine.submission.MAX_COPIED", 3)
    monkeypatch.setattr("autograder.engine.submission.MAX_FILES", 2)
    root = tmp_path / "root"
    root.mkdir()
    write_files(tmp_path / "source", {
        **{f"problem1/f{i}.py": "" for i in range(6)},
        **{f"problem1/results/{i}.pth": "" for i in range(6)}})
    taken = take_in(tmp_path / "source", root, PROBLEMS)
    assert {path.name for path in root.rglob("*") if path.is_file()} == {
        "f0.py", "f1.py", "f2.py", "0.pth"}, "and results/ itself"
    assert taken.notes[1:] == (
        "problem1/results/1.pth and what follows: beyond 2 files and folders, left out",
        "problem1/f3.py and what follows: beyond 3 files and folders beside results/, left out")


def test_ballast_stays_behind_wherever_it_lies(tmp_path, monkeypatch):
    """Every check works on a copy; of results it gets the files that it asks for."""
    monkeypatch.setattr("autograder.engine.submission.MAX_COPIED_BYTES", 2**20)
    big = "x" * 2**20
    write_files(tmp_path / "source", {
        "problem1/a.bin": big, "problem1/utils.py": "x = 1\n", "problem1/b.txt": "b",
        "problem1/results/log.json": big, "problem2/Results/a.bin": big,
        "problem2/results/log.json/a.bin": big, "problem2/model.py": ""})
    (tmp_path / "root").mkdir()
    taken = take_in(tmp_path / "source", tmp_path / "root", PROBLEMS)
    assert taken.notes == ("problem1/a.bin: beyond 1 MiB beside results/, left out",)
    for problem, names in (("problem1", {"utils.py", "b.txt", "log.json"}),
                           ("problem2", {"model.py"})):
        copy = private_copy(taken, problem, ("log.json",), tmp_path / "check")
        assert {path.name for path in copy.rglob("*") if path.is_file()} == names


def test_the_files_of_a_folder_come_before_what_is_below_it(tmp_path, monkeypatch):
    """A data set beside the code cannot push the code out."""
    monkeypatch.setattr("autograder.engine.submission.MAX_COPIED", 4)
    write_files(tmp_path / "source", {"problem1/utils.py": "", "problem1/model.py": "",
                                      **{f"problem1/data/{i}.png": "" for i in range(9)}})
    (tmp_path / "root").mkdir()
    take_in(tmp_path / "source", tmp_path / "root", PROBLEMS)
    files = {path.name for path in (tmp_path / "root").rglob("*") if path.is_file()}
    assert files == {"utils.py", "model.py", "0.png"}


@pytest.mark.skipif(sys.platform == "win32", reason="paths are shorter there")
def test_what_cannot_be_walked_or_copied_does_not_enter(tmp_path):
    """Paths beyond PATH_MAX, folders that nobody may enter, names that are no text."""
    problem = tmp_path / "source" / "problem1"
    write_files(tmp_path / "source", {"problem1/utils.py": "", "problem1/closed/x.py": "",
                                      "problem1/blind/x.py": "", "problem1/secret.py": ""})
    Path(os.fsdecode(os.fsencode(problem) + b"/\xff.py")).write_text("")
    (problem / "new\nline.py").write_text("")
    long = problem / "/".join("n" * 240 for _ in range(5))
    long.mkdir(parents=True)
    (long / "far.py").write_text("")
    here = os.open(problem, os.O_RDONLY)
    for _ in range(300):  # 24 kB of path
        os.mkdir("d" * 80, dir_fd=here)
        here, above = os.open("d" * 80, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    for name, mode in (("closed", 0), ("blind", 0o444), ("secret.py", 0)):
        (problem / name).chmod(mode)
    (tmp_path / "root").mkdir()
    taken = take_in(tmp_path / "source", tmp_path / "root", PROBLEMS)
    files = {path.relative_to(tmp_path / "root").as_posix()
             for path in (tmp_path / "root").rglob("*") if path.is_file()}
    readable = {"problem1/closed/x.py", "problem1/blind/x.py", "problem1/secret.py"}
    assert files - readable == {
        "problem1/utils.py", "problem1/\udcff.py", "problem1/new\nline.py"}
    assert any("deeper than 8 folders" in note for note in taken.notes)
    assert any("a path of more than 1000 bytes" in note for note in taken.notes)
    assert all(note.isprintable() for note in taken.notes)
    if os.geteuid():
        assert readable.isdisjoint(files)
        assert "problem1/closed: cannot be read, left out" in taken.notes
        assert "problem1/secret.py: cannot be read, left out" in taken.notes
    for name in ("closed", "blind"):
        (problem / name).chmod(0o700)
    remove(problem)
    assert not problem.exists()


def test_a_check_gets_only_the_results_it_asks_for(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    write_files(tmp_path / "source", {
        "problem1/utils.py": "", "problem1/results/best_model.pth": "w",
        "problem1/results/training_log.json": "{}", "problem1/results/visualizations/a.png": ""})
    taken = take_in(tmp_path / "source", root, PROBLEMS)
    folder = private_copy(taken, "problem1", ("training_log.json",), tmp_path / "check-1")
    assert folder == tmp_path / "check-1" / "problem1"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"utils.py", "results/training_log.json"}
    nothing = private_copy(taken, "problem2", (), tmp_path / "check-2")
    assert [path.name for path in nothing.iterdir()] == ["results"]


def test_a_report_and_its_pictures_lie_beside_the_problems_or_above(tmp_path, monkeypatch):
    work = write_files(tmp_path / "work", {
        "Report (1).md": "above", "Curve.PNG": "", "notes.txt": "", "x/y.png": "",
        "src/problem1/a.py": "", "src/problem1/own.md": "", "src/report.md": "beside"})
    write_files(tmp_path, {"report.md": "outside", "problem2/b.py": ""})
    (work / "src" / "link.md").symlink_to(tmp_path / "report.md")
    assert taken(tmp_path / "in 1", work) == {
        "problem1/a.py", "problem1/own.md", "report.md", "Curve.PNG"}
    submission = Submission(tmp_path / "in 1", ())
    assert submission.handed(["report.md", "none.md"]) == {"report.md": b"beside"}
    assert taken(tmp_path / "in 2", work / "src/problem1") == {"problem1/a.py", "problem1/own.md"}
    nested = archive(tmp_path / "work.zip", {"a/problem1/a.py": "", "a/report.md": "r" * 9})
    monkeypatch.setattr(submission_module, "MAX_READ", 5)
    assert taken(tmp_path / "in 3", nested) == {"problem1/a.py", "report.md"}
    assert Submission(tmp_path / "in 3", ()).handed(["report.md"]) == {"report.md": b"r" * 6}
    monkeypatch.setattr(submission_module, "MAX_BESIDE", 5)
    (tmp_path / "in 4").mkdir()
    assert "report.md: beyond 0 MiB beside the problems, left out" in take_in(
        nested, tmp_path / "in 4", PROBLEMS).notes[-1]
