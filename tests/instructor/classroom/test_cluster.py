"""A class graded by two worker processes of a Dask cluster, one of which is killed halfway."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.archive import pack_folder, unpack
from autograder.engine.submission import Submission
from autograder.instructor.classroom.book import Book
from autograder.instructor.classroom.cluster import WIDTH, Cluster
from autograder.instructor.classroom.entry import load_all
from autograder.instructor.classroom.grade_class import grade_class
from autograder.instructor.classroom.grader import Setup
from autograder.instructor.classroom.intake import find
from tests.grading import ROOT, fork_only

distributed = pytest.importorskip("distributed")
COUNT = 6
IOU = """
import time

import torch


def compute_iou(a, b):
    time.sleep(1)
    low, high = torch.maximum(a[:, None, :2], b[:, :2]), torch.minimum(a[:, None, 2:], b[:, 2:])
    inside = (high - low).clamp(min=0).prod(2)
    area = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(1) for x in (a, b)]
    total = area[0][:, None] + area[1] - inside
    return torch.where(total > 0, inside / total, torch.zeros_like(total)){wrong}
"""
pytestmark = [fork_only, pytest.mark.slow]


def start_worker(scheduler: str, cwd: Path, folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--no-nanny",
         "--no-dashboard", "--nthreads", "1", "--name", folder.name, "--local-directory",
         str(folder), "--death-timeout", "60"],
        cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler in this process, and two workers without a nanny, as on two machines."""
    folder = tmp_path_factory.mktemp("dask")
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as local:
        processes = [start_worker(local.scheduler_address, ROOT, folder / str(name))
                     for name in range(2)]
        with distributed.Client(local, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
        yield local.scheduler_address, processes
        for process in processes:
            process.terminate()
            process.wait(60)


def make_class(folder):
    for index in range(COUNT):
        (folder / f"s{index}" / "problem1").mkdir(parents=True)
        wrong = " + 1" if index == 3 else ""
        (folder / f"s{index}" / "problem1" / "utils.py").write_text(
            IOU.format(wrong=wrong) + f"# {index}\n")
    return folder


@pytest.mark.proof
def test_a_lost_worker_loses_nothing(cluster, tmp_path):
    scheduler, processes = cluster
    number = ASSIGNMENT.selected("1.3")[0].number
    setup = Setup(numbers=(number,), only=number, require_isolation=False)
    version = setup.version()
    book = Book(tmp_path / "grades", version)
    begun, counted = threading.Semaphore(0), Counter()

    def done(entries, kept) -> None:
        counted.update(entry.student for entry in entries)
        if sum(counted.values()) == 2:
            os.kill(processes[0].pid, signal.SIGKILL)
            begun.release()

    with Cluster(scheduler, setup, version) as workers_there:
        assert workers_there.width == WIDTH
        works, networks = grade_class(find(make_class(tmp_path / "class")), book, setup,
                                      workers_there, done)
    assert begun.acquire(blocking=False) and processes[0].wait(10) == -signal.SIGKILL
    assert counted == {f"s{index}": 1 for index in range(COUNT)} and (
        set(works) == set(networks) == set(counted))
    entries = load_all(book.folder)
    assert [(e.student, e.status, e.score == e.possible) for e in entries] == [
        (f"s{index}", "graded", index != 3) for index in range(COUNT)]
    assert all(e.version == version and e.cpu_seconds > 0 for e in entries)
    assert all((book.folder / "students" / e.student / "feedback.html").is_file()
               for e in entries)


def test_other_checks_on_a_worker_are_refused(cluster, tmp_path):
    scheduler, _ = cluster
    number = ASSIGNMENT.selected("1.3")[0].number
    setup = Setup(numbers=(number,), only=number, require_isolation=False)
    elsewhere = {**setup.version(), "checks": "0" * 12}
    (tmp_path / "class" / "jane" / "problem1").mkdir(parents=True)
    with pytest.raises(ValueError, match="other checks or references"), Cluster(
            scheduler, setup, elsewhere) as workers_there:
        grade_class(find(tmp_path / "class"), Book(tmp_path / "grades", elsewhere), setup,
                    workers_there, lambda *_: None)


def test_a_worker_without_the_kit_is_refused(tmp_path):
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as local:
        process = start_worker(local.scheduler_address, tmp_path, tmp_path / "0")
        with distributed.Client(local, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=120)
        with pytest.raises(ValueError, match="does not find the kit"):
            Cluster(local.scheduler_address, Setup(), {})
        process.terminate()
        process.wait(60)


def test_what_is_sent_is_what_was_taken_in(tmp_path):
    root = tmp_path / "taken"
    (root / "problem1" / "results").mkdir(parents=True)
    (root / "problem1" / "=ü.py").write_bytes(b"x")
    (root / "problem1" / "results" / "weights.pth").write_bytes(os.urandom(100_000))
    os.utime(root / "problem1" / "=ü.py", (time.time(), 0))  # before the first year of zip files
    (tmp_path / "sent.zip").write_bytes(pack_folder(root))
    sent, taken = (Submission(folder, ()).digest("*")
                   for folder in (unpack(tmp_path / "sent.zip", tmp_path / "there"), root))
    assert sent == taken
