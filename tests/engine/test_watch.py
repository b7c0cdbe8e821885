"""`make watch`: what is said after real saves is what a whole grade says."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import all_mistakes, edited
from autograder.engine import watch as watching
from autograder.engine.grade import Options
from autograder.engine.sandbox.pool import Workers
from autograder.engine.watch import Watch, saves
from tests.grading import ROOT, SOLUTION, copy_solution, fork_only, functional, patch, write_files

UTILS, LOSS, EVALUATE = "problem1/utils.py", "problem1/loss.py", "problem1/evaluate.py"
UNCLAMPED = (".clamp(min=0).prod", ".prod")


class Watched(Watch):
    """A watch that is told of saves by the test, and remembers what it says."""

    def __init__(self, folder: Path, only: list[str], warm, **more) -> None:
        self.said: list[object] = []
        super().__init__(ASSIGNMENT, [folder], Options(only=only), warm, threading.Event(),
                         self.said.append, lambda grade, tasks: self.said.append(
                             (tasks, grade.score, grade.change)), **more)
        self.folder = folder

    def save(self, **_):
        """What is said of the files as they are now, and the number of questions asked for it."""
        before, self.said[:] = self.workers.count, []
        self.update()
        return [*self.said], self.workers.count - before

    def rows(self):
        return {row.check.number: (row.verdict, row.score, row.message)
                for row in self.last.grade.rows}


def full(*tasks: str) -> float:
    return sum(check.points for check in ASSIGNMENT.selected(tasks))


def asked(*tasks: str) -> int:
    return len(ASSIGNMENT.selected(tasks))


@pytest.fixture
def folder(tmp_path):
    return copy_solution(tmp_path / "work", "problem1")


@pytest.mark.slow
def test_only_what_can_have_changed_is_asked_again(folder, warm):
    tasks = ["1.2", "1.3", "1.5", "1.6", "1.7"]
    watch = Watched(folder, tasks, warm)
    assert watch.save() == ([(None, full(*tasks), "")], asked(*tasks))
    assert watch.save() == ([], 0), "nothing has changed"
    patch(folder, LOSS, ("import torch\n", "import torch\n\n"))
    assert watch.save() == ([({"1.6", "1.7"}, full(*tasks), "")], asked("1.6", "1.7"))
    patch(folder, UTILS, UNCLAMPED)
    first, others = watch.save()[0]
    assert first[0] == {"1.3"} and first[1] < full(*tasks)
    assert re.fullmatch(r"Since the last save: -[\d.]+ for 1\.3\.[\d, .]+", first[2])
    assert others == ({"1.5", "1.7"}, first[1], ""), "points are given although IoU is wrong"
    patch(folder, UTILS, UNCLAMPED[::-1])
    assert [change for *_, change in watch.save()[0]] == [first[2].replace(" -", " +"), ""]


def test_what_is_edited_comes_first_with_what_it_needs(folder, warm):
    watch = Watched(folder, ["1.2", "1.3", "1.5"], warm)
    watch.save()
    patch(folder, UTILS, ("target_labels[gt] + 1", "target_labels[gt]"))
    said, count = watch.save()
    assert [tasks for tasks, *_ in said] == [{"1.3", "1.5"}]
    assert count == asked("1.2", "1.3", "1.5"), "the rest follows, and says what it said"


def test_a_save_ends_what_the_one_before_began(folder, warm, monkeypatch):
    watch = Watched(folder, ["1.2", "1.3"], warm)
    watch.save()
    patch(folder, UTILS, UNCLAMPED)
    plain = watch.judged

    def saved_again(grade, tasks):
        plain(grade, tasks)
        watch.saved.set()

    monkeypatch.setattr(watch, "judged", saved_again)
    assert [tasks for tasks, *_ in watch.save()[0]] == [{"1.3"}] and watch.due == {"1.2"}
    monkeypatch.undo()
    said, count = watch.save()
    assert [tasks for tasks, *_ in said] == [{"1.2"}] and count == asked("1.2")


def test_of_what_a_newer_save_cuts_short_nothing_is_said(folder, warm, monkeypatch):
    watch = Watched(folder, ["1.2", "1.3"], warm)
    watch.save()
    patch(folder, UTILS, UNCLAMPED)
    monkeypatch.setattr(watch, "_edited", lambda *_: False)  # as by what stands between functions
    plain = watch._judged_next
    monkeypatch.setattr(watch, "_judged_next", lambda grading: watch.saved.set() or plain(grading))
    assert watch.save()[0] == [] and watch.due == {"1.3"}
    monkeypatch.undo()
    (tasks, score, _), = watch.save()[0]
    assert tasks == {"1.3"} and score < full("1.2", "1.3")


def test_a_function_that_questions_do_not_name_is_known_as_what_was_edited(folder, warm):
    watch = Watched(folder, ["1.10.1", "1.12.3"], warm)
    watch.save()
    patch(folder, EVALUATE, ("def analyze_scale_performance(", "def analyze_scale_performance( "))
    assert [tasks for tasks, *_ in watch.save()[0]] == [{"1.12"}]


@pytest.mark.proof
@pytest.mark.slow
def test_an_undo_is_told_though_it_ends_what_follows_from_the_save_before(folder, warm,
                                                                          monkeypatch):
    watch = Watched(folder, ["1.3", "1.5", "1.7"], warm)
    watch.save()
    patch(folder, UTILS, UNCLAMPED)
    plain = watch._judged_next
    monkeypatch.setattr(watch, "_judged_next", lambda grading: (
        grading.steps[0][1] != "1.7") & plain(grading))  # 1.7 is given up
    first = watch.save()[0][0]
    assert first[0] == {"1.3"} and watch.due == {"1.7"}
    monkeypatch.undo()
    patch(folder, UTILS, UNCLAMPED[::-1])
    said, _ = watch.save()
    assert said[0] == ({"1.3"}, full("1.3", "1.5", "1.7"), first[2].replace(" -", " +"))
    assert watch.rows()["1.7.1"][0] == "passed"


@pytest.mark.parametrize("kind", ["fork", pytest.param("spawn", marks=pytest.mark.proof)])
def test_a_save_ends_an_endless_loop(folder, warm, kind):
    with contextlib.nullcontext(warm) if kind == "fork" else Workers(
            ASSIGNMENT, 1, kind="spawn") as workers:
        watch, right = Watched(folder, ["1.2", "1.3"], workers), (SOLUTION / UTILS).read_text()
        watch.save()
        for loop in ("\nwhile True: pass\n", "\ndef compute_iou(a, b):\n    while True: pass\n"):
            (folder / UTILS).write_text(right + loop)
            threading.Timer(0.5, watch.saved.set).start()
            begin = time.monotonic()
            assert watch.save()[0] == [] and time.monotonic() - begin < 6
        (folder / UTILS).write_text(right)
        assert watch.save() == ([(set(), full("1.2", "1.3"), "")], 0), "as before the loops"
        (folder / UTILS).write_text(right.replace(*UNCLAMPED))
        first, *_ = watch.save()[0]
        assert first[:2] == ({"1.3"}, watch.last.grade.score) and full("1.2") <= first[1]
        assert {verdict for verdict, *_ in watch.rows().values()} == {"passed", "failed"}


def test_trained_networks_come_last_and_hold_nothing_up(folder, warm, monkeypatch):
    write_files(folder, {"problem1/results/best_model.pth": "x"})
    watch = Watched(folder, ["1.3.1", "1.10.1", "1.13.1"], warm)
    plain = watch._judged_next
    monkeypatch.setattr(watch, "_judged_next", lambda grading: (
        grading.steps[0][1] != "1.13") & plain(grading))  # 1.13 is given up
    first = {"1.3", "1.10"}
    assert watch.save() == ([(first, full("1.3.1", "1.10.1"), "")], 3) and watch.due == {"1.13"}
    assert watch.rows()["1.13.1"][0] == "not run"
    monkeypatch.undo()
    assert watch.save() == ([({"1.13"}, full("1.3.1", "1.10.1"), "")], 1)


@pytest.mark.proof
@pytest.mark.slow
def test_trained_networks_are_judged_again_where_they_are_named(tmp_path, warm):
    folder = copy_solution(tmp_path / "work", "problem1")
    for only, again in ((["1.2", "P1.deliver.weights"], []), (["1.2", "1.13"], [{"1.13"}])):
        watch = Watched(folder, only, warm)
        watch.save()
        write_files(folder, {"problem1/results/best_model.pth": str(only)})
        assert [tasks for tasks, *_ in watch.save()[0]] == again


def test_a_file_that_does_not_compile_is_told_at_once_and_its_tasks_wait(folder, warm):
    watch = Watched(folder, ["1.3.1", "1.1.7"], warm)
    watch.save()
    right = watch.rows()
    patch(folder, UTILS, ("def compute_iou(", "def compute_iou(("))
    patch(folder, "problem1/dataset.py", ("torch.stack(", "torch.cat("))
    said, count = watch.save()
    assert count == asked("1.1.7"), "which imports nothing of it"
    (line,), (tasks, score, _) = said
    assert re.match(rf"{UTILS}, line \d+: `def compute_iou\(\(", line) and "(SyntaxError: " in line
    assert tasks == {"1.1"} and full("1.3.1") <= score < full("1.3.1", "1.1.7")
    patch(folder, "problem1/dataset.py", ("torch.cat(", "torch.stack("))
    assert [said[0] for said in watch.save()[0]] == [line, {"1.1"}], "it is still the case"
    patch(folder, UTILS, ("def compute_iou((", "def compute_iou("))
    assert watch.save()[1] == asked("1.3.1") and watch.rows() == right
    write_files(folder, {"problem1/notes.py": "def (", "problem2/model.py": "def ("})
    said, count = watch.save()
    assert count == asked("1.3.1", "1.1.7") and [tasks for tasks, *_ in said] == [{"1.1", "1.3"}]


@pytest.mark.proof
def test_at_the_start_a_file_that_does_not_compile_is_told_and_graded(folder, warm):
    patch(folder, UTILS, ("def compute_iou(", "def compute_iou(("))
    watch = Watched(folder, ["1.3.1", "1.1.7"], warm)
    (line,), (tasks, score, _) = watch.save()[0]
    assert line.startswith(UTILS) and (tasks, score) == (None, full("1.1.7"))


def test_files_and_folders_that_go(folder, warm, monkeypatch):
    watch = Watched(folder, ["1.3"], warm)
    watch.save()
    (folder / UTILS).rename(folder / "aside")
    assert watch.save()[0][0][:2] == ({"1.3"}, 0)
    (folder / "aside").replace(folder / UTILS)
    assert watch.save()[0][0][:2] == ({"1.3"}, full("1.3"))

    def gone(*_):
        raise FileNotFoundError

    with monkeypatch.context() as replaced:  # between two steps of an editor
        replaced.setattr(watching, "take_in", gone)
        assert watch.save() == ([], 0) and watch.saved.is_set()
    (folder / "problem1").rename(folder / "other")
    (sentence,), = watch.save()[0]
    assert sentence.startswith("there is no problem1/ and no problem2/ in it, but other/")
    folder.rename(folder.with_name("elsewhere"))
    assert watch.save() == ([[f"{folder} is gone: it is graded when it is there again, Ctrl-C ends"
                              ]], 0)
    folder.with_name("elsewhere").rename(folder)
    (folder / "other").rename(folder / "problem1")
    assert watch.save()[0][-1][1] == full("1.3")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("edits", [
    pytest.param(2, marks=pytest.mark.slow),
    pytest.param(int(os.environ.get("EDITS", 200)), marks=pytest.mark.proof, id="many")])
def test_random_edits_are_judged_as_by_a_whole_grade(edits, folder, warm, grade_checks):
    """`EDITS=20` in the environment tries fewer than 200; tasks whose files do not compile wait."""
    rng, texts, compared = random.Random(200), {}, 0
    for mistake in all_mistakes().values():
        for name, text in edited(mistake, SOLUTION).items():
            texts.setdefault(name, [(SOLUTION / name).read_text(encoding="utf-8")]).append(text)
    tasks = ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.9", "1.19", "1.10"]
    watch, numbers = Watched(folder, tasks, warm), functional(*tasks)
    watch.save()
    for _ in range(edits):
        name = rng.choice([UTILS, UTILS, LOSS, EVALUATE])
        text = rng.choice(texts[name])
        if rng.random() < 0.3:  # somewhere in the file, and hardly ever right
            place = rng.randrange(len(text))
            text = text[:place] + rng.choice(["\n", " ", "0", ")", "#"]) + text[place + 1:]
        (folder / name).write_text(text, encoding="utf-8")
        said, _ = watch.save()
        judged = {number: row for number, row in watch.rows().items()
                  if number.rpartition(".")[0] not in watch.due}
        if said and judged:
            made, compared = grade_checks(folder, numbers), compared + 1
            assert judged == {row.check.number: (row.verdict, row.score, row.message)
                              for row in made.rows if row.check.number in judged}, said
    print(f"compared after {compared} edits")
    assert compared


def test_saves_are_noticed_and_swap_files_are_not(tmp_path):
    file = tmp_path / "utils.py"
    with saves([tmp_path]) as (saved, listening):
        time.sleep(0.3)  # until it listens
        for write in (lambda: file.write_text("1"), lambda: file.write_text("2"), file.unlink):
            write()
            assert saved.wait(20)
            time.sleep(0.3)
            saved.clear()
        (tmp_path / ".utils.py.swp").write_text("3")
        (tmp_path / "utils.py~").write_text("4")
        assert not saved.wait(0.5)
        (tmp_path / "new").write_text("5")
        os.replace(tmp_path / "new", file)
        assert saved.wait(20) and not listening.done()


def replaced(folder: Path) -> None:
    """As by `mv starter old; mv new starter; rm -r old`."""
    shutil.copytree(folder, folder.with_name("new"))
    folder.rename(folder.with_name("old"))
    folder.with_name("new").rename(folder)
    shutil.rmtree(folder.with_name("old"))


def made_again(folder: Path) -> None:
    shutil.rmtree(folder)  # it can get the same inode
    folder.mkdir()


def with_what_it_lies_in(folder: Path) -> None:
    folder.parent.rename(folder.parent.with_name("old"))
    folder.mkdir(parents=True)


def later(folder: Path) -> None:
    folder.rename(folder.with_name("old"))
    time.sleep(2)
    folder.with_name("old").rename(folder)


def to_another_by_a_link(folder: Path) -> None:
    folder.rename(folder.with_name("old"))
    folder.symlink_to(folder.with_name("old"))


@pytest.mark.parametrize("move", [replaced, made_again, with_what_it_lies_in, later,
                                  to_another_by_a_link])
def test_a_folder_that_takes_the_place_of_a_watched_one_is_watched(tmp_path, move):
    folder = tmp_path / "homework/starter"
    folder.mkdir(parents=True)
    with saves([folder]) as (saved, listening):
        time.sleep(0.3)  # until it listens
        move(folder)
        assert saved.wait(20), "what is in the new one counts as saved"
        time.sleep(2.5)
        saved.clear()
        (folder / "utils.py").write_text("1")
        assert saved.wait(20) and not listening.done()


@fork_only
@pytest.mark.slow
@pytest.mark.parametrize("workers", ["fork", pytest.param("spawn", marks=pytest.mark.proof)])
def test_from_the_first_save_to_the_end(folder, own_temp, workers):
    page = folder.parent / "report.html"
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", "watch", str(folder), "--only", "1.3", "--html",
         str(page), "--workers", workers], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": tempfile.gettempdir()},
        # Where these tests are a job in the background, a shell lets it and its children ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.extend(iter(process.stdout.readline, "")))
    reader.start()

    def wait_for(pattern: str) -> str:
        end = time.monotonic() + 40
        while time.monotonic() < end and process.poll() is None:
            if found := re.search(pattern, "".join(told)):
                told.clear()
                return found[0]
            time.sleep(0.02)
        raise AssertionError("".join(told))

    wait_for(rf"Total {full('1.3'):g} / ")
    for change, says in ((UNCLAMPED, r"LOST 1.3[^$]*Since the last save: -"),
                         (("(boxes1, boxes2):", "(boxes1, boxes2):  # mine"),
                          r"LOST 1.3.*utils.py  as before\nTotal"),
                         (("def compute_iou(", "def compute_iou(("), r", line \d+: .*SyntaxError"),
                         (("def compute_iou((", "def compute_iou("), "Total"),
                         (UNCLAMPED[::-1], r"ok   1.3[^$]*Since the last save: \+"),
                         (("\ndef compute_iou", "\ndef f():\n    import cv2\n\n\ndef compute_iou"),
                          r"note: problem1/utils.py, line \d+: imports cv2")):
        text = (folder / UTILS).read_text(encoding="utf-8")
        (folder / "problem1/.new").write_text(text.replace(*change), encoding="utf-8")
        os.replace(folder / "problem1/.new", folder / UTILS)  # as editors do
        wait_for(says)
    while "location.reload()" not in page.read_text(encoding="utf-8"):
        time.sleep(0.02)
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, process.stderr.read()
    reader.join()
    assert process.stderr.read() == f"watching {folder}: what you save is graded, Ctrl-C ends\n"
    assert not any(child.is_running() for child in started) and list(own_temp.iterdir()) == []
    assert "location.reload()" not in page.read_text(encoding="utf-8")
