"""Whole classes through the command: bad submissions, an interruption, and what is kept."""

import contextlib
import csv
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.engine.submission import Submission
from autograder.instructor.classroom import entry as entries
from autograder.instructor.classroom.grade_class import Local, _cores
from autograder.instructor.classroom.grader import NotGraded, Setup
from tests.grading import ROOT, SOLUTION, STARTER, fork_only, worth

pytestmark = pytest.mark.slow

TASK = "1.3"
FULL = float(worth(TASK))
SLEEPS = "import time\ntime.sleep(600)\n"


def student(folder, text=None):
    """A submission of the solution's code, its utils.py replaced by `text` if given."""
    (folder / "problem1").mkdir(parents=True)
    for path in (SOLUTION / "problem1").glob("*.py"):
        shutil.copyfile(path, folder / "problem1" / path.name)
    if text is not None:
        (folder / "problem1" / "utils.py").write_text(text, encoding="utf-8")
    return folder


def make_class(folder):
    """Submissions of many kinds; the ids' order is that of grading."""
    student(folder / "a right" / "hw1")
    (folder / "a right" / "hw1" / "problem1" / "notes.txt").symlink_to("/etc/passwd")
    student(folder / "b sleeps", SLEEPS)
    student(folder / "c ends", "import os\nos._exit(0)\n")
    shutil.copytree(STARTER, folder / "d untouched")
    (folder / "e empty").mkdir()
    (folder / "f broken.zip").write_bytes(b"PK")
    (folder / "g link").mkdir()
    (folder / "g link" / "problem1").symlink_to(SOLUTION / "problem1")
    with zipfile.ZipFile(folder / "=h().zip", "w") as content:
        content.writestr("../problem1/utils.py", "")
        content.writestr("Zoë/problem1/utils.py", "def compute_iou(a, b):\n    return a @ b.T\n")
        content.writestr("Zoë/problem1/=cmd().py", "x" * 100)
    return folder


def command(source, out, *more):
    return ["classroom", str(source), "--out", str(out), "--only", TASK, "--jobs", "1",
            "--tier", "public", "--time-limit", "15", "--no-require-isolation", *map(str, more)]


def ids(book):
    """Folders in the book without the digest of what names lose."""
    return {entry.student.split("-")[0]: entry for entry in book}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A class that was interrupted at its second submission: folder, grades, exit code, stderr."""
    folder = tmp_path_factory.mktemp("class")
    source, out = make_class(folder / "submissions"), folder / "grades"
    # A shell starts jobs like this one in a group of their own, which gets the signal.
    process = subprocess.Popen([sys.executable, "-m", "autograder", *command(source, out)],
                               cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               # Where the tests run in the background, it is ignored.
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    below = psutil.Process(process.pid)
    deadline = time.monotonic() + 120
    while not entries.load_all(out) and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    time.sleep(1)  # until it is counted as well; the next one sleeps for longer
    children = below.children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=20)
    return source, out, process.returncode, told, alive


@pytest.fixture(scope="module")
def finished(begun):
    """The same class, graded to its end by a second call; what the first left is kept."""
    source, out, *_ = begun
    kept = {path: path.stat().st_mtime_ns for path in out.glob("students/*/entry.json")}
    assert main(command(source, out)) == 0
    return source, out, kept


@pytest.mark.proof
@fork_only
def test_an_interruption_leaves_what_was_graded(begun):
    _, out, code, told, alive = begun
    assert code == 130 and not alive
    assert "interrupted: 1 of 8 submissions" in told.strip().splitlines()[-1]
    assert "Traceback" not in told and "submission/s" not in told  # nor a bar
    first, = entries.load_all(out)
    assert (first.student.split("-")[0], first.status, first.score) == ("a_right", "graded", FULL)


@fork_only
def test_every_submission_has_its_line(finished):
    _, out, kept = finished
    assert len(kept) == 1
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    book = ids(entries.load_all(out))
    assert {name: (e.status, e.score) for name, e in book.items()} == {
        "a_right": ("graded", FULL), "b_sleeps": ("graded", 0), "c_ends": ("graded", 0),
        "d_untouched": ("graded", 0), "e_empty": ("no submission", 0),
        "f_broken": ("no submission", 0), "g_link": ("no submission", 0), "h__": ("graded", 0)}
    right = book["a_right"]
    assert right.notes[0] == "problem2/ is missing"
    assert "problem1/notes.txt" in right.notes[1]
    assert "problem1/utils.py" in right.sources and 50 < right.peak_mb < 4000
    assert right.cpu_seconds > 0 and set(right.checks) == set(book["c_ends"].checks)
    assert "given up after 15 s" in book["b_sleeps"].error
    assert "is empty" in book["e_empty"].error
    assert "not a zip file" in book["f_broken"].error
    assert book["h__"].sources == ["problem1/=cmd().py", "problem1/utils.py"]


@fork_only
def test_files_of_the_book(finished):
    _, out, _ = finished
    for folder in (out / "students").iterdir():
        content = json.loads((folder / "results.json").read_text())
        assert content["score"] == entries.load(folder).score and content["tests"]
        assert "</html>" in (folder / "feedback.html").read_text()
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["student"].split("-")[0] for row in rows] == sorted(
        row["student"].split("-")[0] for row in rows) and len(rows) == 8
    assert {(row["only"], len(row["checks"]), row["inputs"]) for row in rows} == {
        (TASK, 12, "public")}
    assert [row["1.3 IoU"] for row in rows].count(worth(TASK)) == 1
    assert "</html>" in (out / "class.html").read_text()
    assert "pairs" in json.loads((out / "similarity.json").read_text())


@fork_only
def test_nothing_is_graded_twice(finished, capsys):
    source, out, _ = finished
    table = (out / "grades.csv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in out.glob("students/*/entry.json")}
    assert main(command(source, out)) == 0
    # Where there is no submission there is nothing to keep, and nothing to grade.
    assert "5 of 8 submissions have not changed" in capsys.readouterr().out
    same = {path.parent.name.split("-")[0] for path, when in times.items()
            if path.stat().st_mtime_ns == when}
    assert same == {"a_right", "b_sleeps", "c_ends", "d_untouched", "h__"}
    assert (out / "grades.csv").read_bytes() == table


@fork_only
def test_a_changed_submission_is_graded_again_and_compared(finished, tmp_path, capsys):
    source, out, _ = finished
    new = tmp_path / "submissions"
    new.mkdir()
    student(new / "a right", (SOLUTION / "problem1" / "utils.py").read_text())
    shutil.copyfile(STARTER / "problem1" / "utils.py", new / "a right" / "problem1" / "utils.py")
    assert main(command(new, tmp_path / "grades", "--compare", out)) == 0
    text = capsys.readouterr().out
    assert "1 of 1 scores change: 0 up, 1 down" in text
    assert f": -{worth(TASK)}, another submission" in text
    assert "now: " in text and "before: Passed." in text
    with (tmp_path / "grades" / "compare.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(float(row["before"]) - float(row["now"]) for row in rows) == float(
        worth(TASK))


@pytest.mark.proof
def test_one_line_errors(tmp_path, capsys):
    source = student(tmp_path / "class" / "jane").parent
    for arguments, message in [
        (["--only", "9.9"], "there is no task or check 9.9"),
        (["--only", "1.14", "--functional"], "all checks of 1.14 read results/"),
        (["--compare", tmp_path / "none"], "none is not a folder"),
        (["--compare", tmp_path / "grades"], "is the folder that --out writes to"),
        (["--out", source / "grades"], "--out lies in the folder of submissions"),
        (["--earlier", source / "jane"], "jane is one submission"),
        (["--dask", "nonsense"], "there is no Dask scheduler at nonsense: missing port"),
        (["--dask", "tcp://127.0.0.1:1"], "there is no Dask scheduler at tcp://127.0.0.1:1"),
    ]:
        (tmp_path / "grades").mkdir(exist_ok=True)
        assert main(["classroom", str(source), "--out", str(tmp_path / "grades"),
                     *map(str, arguments)]) == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert told[-1].startswith("error: ") and message in told[-1]


@contextlib.contextmanager
def short_folder():
    """One for temporary files whose path is short enough for those of checks to lie in it."""
    folder = Path(f"/tmp/e{os.getpid() % 10**5}")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.mark.proof
@fork_only
@pytest.mark.parametrize(("name", "number"), [
    ("grade", signal.SIGTERM), ("classroom", signal.SIGTERM), ("grade", signal.SIGHUP)])
def test_who_ends_a_run_leaves_nothing_of_it_behind(tmp_path, name, number):
    """As a batch system does, or a terminal that is closed."""
    source = student(tmp_path / "class" / "jane", SLEEPS)
    arguments = command(source.parent, tmp_path / "grades") if name == "classroom" else [
        "grade", str(source), "--only", TASK]
    with short_folder() as temporary:
        process = subprocess.Popen(
            [sys.executable, "-m", "autograder", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)},
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        below, deadline = psutil.Process(process.pid), time.monotonic() + 120
        while not glob.glob(f"{temporary}/**/check-*", recursive=True):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        children = below.children(recursive=True)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        _, alive = psutil.wait_procs(children, timeout=20)
        assert (process.returncode, alive) == (130, []) and "Traceback" not in told
        assert told.strip().splitlines()[-1].startswith("interrupted")
        assert os.listdir(temporary) == []


@fork_only
@pytest.mark.proof
def test_a_grader_that_dies_is_replaced(tmp_path):
    number = ASSIGNMENT.selected(TASK)[0].number
    sleeps = student(tmp_path / "sleeps", SLEEPS)
    right = student(tmp_path / "right")
    with Local(Setup(numbers=(number,), require_isolation=False), jobs=1) as local:
        assert local.grade(Submission(right, ()), "right").entry.status == "graded"
        process = local.all[0].process

        def kill() -> None:
            while len(psutil.Process(process.pid).children(recursive=True)) < 2:
                time.sleep(0.05)  # the server is one, the sleeping check the other
            process.kill()

        threading.Thread(target=kill, daemon=True).start()
        with pytest.raises(NotGraded, match="the process of the grader died"):
            local.grade(Submission(sleeps, ()), "sleeps")
        graded = local.grade(Submission(right, ()), "right")
    assert graded.entry.status == "graded" and graded.entry.score == graded.entry.possible > 0
    assert not local.folder.exists()


@pytest.mark.parametrize(("jobs", "expected"), [
    (1, [{2}]), (2, [{2}, {5}]), (3, [set()] * 3),
])
def test_a_job_has_a_core_of_its_own_where_there_are_enough(jobs, expected, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5, 2}, raising=False)
    assert _cores(jobs) == expected


def test_where_nobody_can_choose_cores_all_are_used(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert _cores(2) == [set(), set()]


def test_without_root_a_class_is_refused_before_anything_starts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    submissions = tmp_path / "class" / "ada"
    submissions.mkdir(parents=True)
    assert main(["classroom", str(submissions.parent), "--out", str(tmp_path / "grades")]) == 2
    assert "use sudo, or --no-require-isolation" in capsys.readouterr().err
    assert not (tmp_path / "grades").exists()


@fork_only
def test_a_killed_run_leaves_nothing_and_a_second_one_is_refused(tmp_path, capsys):
    source = student(tmp_path / "class" / "jane", SLEEPS).parent
    temporary = tmp_path / "temporary"
    temporary.mkdir(mode=0o711)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o111)
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", *command(source, tmp_path / "grades")], cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not list(temporary.glob("run-*/handed-*")) and time.monotonic() < end:
        time.sleep(0.2)
    assert main(command(source, tmp_path / "grades")) == 2
    assert "another run writes to" in capsys.readouterr().err
    process.kill()
    process.wait()
    while list(temporary.iterdir()) and time.monotonic() < end:
        time.sleep(0.2)
    assert list(temporary.iterdir()) == []
