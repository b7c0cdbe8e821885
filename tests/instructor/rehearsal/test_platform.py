"""The stand-in for the platform, with autograders of a few lines of bash."""

import json
import os
import threading
import zipfile
from pathlib import Path

import pytest

from autograder import KIT
from autograder.instructor.rehearsal import rehearse as rehearsal
from autograder.instructor.rehearsal.bases import mirror
from autograder.instructor.rehearsal.namespaces import METADATA
from autograder.instructor.rehearsal.rehearse import CannotRehearse, about, newest, summary

from .conftest import GOOD, TEST, platform

pytestmark = platform


def test_what_the_platform_promises_is_there(rehearse):
    """Paths, root, working directory, metadata, the submission, a home, capabilities of docker."""
    report = rehearse(f"""
        cd /autograder
        test -x /autograder/run_autograder && test -f source/setup.sh || exit 1
        test "$(id -u)" = 0 && test "$HOME" = /root && touch /root/allowed || exit 2
        grep -q 'answer = 42' submission/problem1/utils.py || exit 3
        test -f submission/problem1/results/best_model.pth || exit 4
        cp submission_metadata.json /dev/shm/ && test -c /dev/null && test -d /proc/1 || exit 5
        mount -t tmpfs tmpfs /mnt 2> /dev/null && exit 6
        echo '{GOOD}' > results/results.json
        cat submission_metadata.json
    """, "test -d /autograder/source && echo prepared > /opt/prepared")
    assert report.problems == []
    assert report.score == 3
    assert json.loads((report.folder / "stdout").read_text()) == json.loads(METADATA.read_text())
    assert report.files == ["/root/allowed"]
    assert not Path("/opt/prepared").exists() and not Path("/root/allowed").exists()
    assert "As the platform expects it." in summary(report)


def test_the_checkout_is_hidden_and_its_python_is_not(rehearse):
    report = rehearse(f"""
        test -e {KIT}/autograder && exit 1
        "$(cat /opt/venv)/bin/python" -c 'import numpy' || exit 2
        echo '{GOOD}' > /autograder/results/results.json
    """, 'echo "$AUTOGRADER_VENV" > /opt/venv')
    assert report.problems == [] and report.score == 3


def test_functional_leaves_results_out(rehearse):
    report = rehearse(f"""
        test -f /autograder/submission/problem1/utils.py || exit 1
        test -e /autograder/submission/problem1/results/best_model.pth && exit 2
        echo '{GOOD}' > /autograder/results/results.json
    """, functional=True)
    assert report.score == 3


def test_a_timeout_ends_one_process_and_writes_a_zero(rehearse):
    report = rehearse(f"echo '{GOOD}' > /autograder/results/results.json; sleep 77 & sleep 60",
                      timeout=1)
    assert report.score == 0
    assert report.problems[0] == (
        "the platform's timeout of 1 s struck: its harness would replace the results by a zero")
    assert "2 processes outlived the run: sleep, sleep" in report.problems
    assert report.seconds < 10


def test_leftovers_are_named_and_end_with_the_rehearsal(rehearse):
    report = rehearse(f"""
        echo '{GOOD}' > /autograder/results/results.json
        touch /tmp/left /dev/shm/forgotten; echo more >> /etc/hostname
        setsid sleep 78 > /dev/null 2>&1 &
    """)
    assert report.problems == ["1 processes outlived the run: sleep"]
    assert report.files == ["/etc/hostname", "/tmp/left"]
    running = {Path("/proc", pid, "cmdline").read_bytes() for pid in os.listdir("/proc")
               if pid.isdigit() and Path("/proc", pid, "cmdline").exists()}
    assert b"sleep\x0078\x00" not in running


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no results.json"),
        ('{"score": 3', "results.json is not valid JSON"),
        ('{"score": NaN, "execution_time": 1, "tests": [%s]}', "NaN is no number in JSON"),
        ('{"score": "3", "execution_time": 1, "tests": [%s]}',
         "results.json, $.score: '3' is not of type 'number'"),
        ('{"execution_time": 1, "tests": [%s]}', "results.json, $: 'score' is a required property"),
        ('{"score": 1, "execution_time": 1, "tests": [%s], "visibility": "shown"}',
         "results.json, $.visibility: 'shown' is not one of"),
    ],
)
def test_results_that_break_the_contract(rehearse, content, problem):
    write = "" if content is None else f"echo '{content}' > /autograder/results/results.json"
    report = rehearse(write.replace("%s", TEST))
    assert len(report.problems) == 1 and problem in report.problems[0]
    assert f"PROBLEM     {report.problems[0]}" in summary(report)


def test_limits_hold(rehearse):
    """Half a processor for two seconds of work, and an end for what takes too much memory."""
    report = rehearse(f"""
        timeout 2 bash -c 'while :; do :; done'
        (head -c 40m /dev/zero; sleep 1) | tail > /dev/null
        head -c 200m /dev/zero | tail > /dev/null
        echo '{GOOD}' > /autograder/results/results.json
    """, memory=100)
    if not report.limits.startswith("0.5 CPU"):
        assert report.limits.startswith("none: this machine allows no cgroup")
        pytest.skip(report.limits)
    assert report.cpu_seconds < 1.6
    assert report.problems == ["1 processes were killed for memory at 100 MB"]
    assert 40 < report.peak_pss < 110


def test_limits_go_once_what_they_held_has_ended(tmp_path):
    (tmp_path / "group" / "process").mkdir(parents=True)
    ending = threading.Timer(0.3, (tmp_path / "group" / "process").rmdir)
    ending.start()
    rehearsal._remove(tmp_path / "group")
    assert not (tmp_path / "group").exists()


def test_a_setup_that_fails(rehearse):
    with pytest.raises(CannotRehearse, match=r"setup.sh ended with 7: no such package \("):
        rehearse("true", "echo preparing; echo no such package; exit 7")


def test_an_archive_without_its_scripts(rehearse, tmp_path, student):
    path = tmp_path / "empty.zip"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("folder/setup.sh", "")
    with pytest.raises(CannotRehearse, match="empty.zip has no setup.sh at its root"):
        rehearsal.rehearse(path, student, folder=tmp_path / "kept")


def test_what_is_missing_is_said_in_one_line(tmp_path, archive, student):
    with pytest.raises(CannotRehearse, match="no.zip: run `python -m autograder package`"):
        rehearsal.rehearse(tmp_path / "no.zip", student)
    with pytest.raises(CannotRehearse, match="nobody is not a folder"):
        rehearsal.rehearse(archive("true"), tmp_path / "nobody")


def test_more_memory_than_the_container_has_is_a_problem_without_limits_too(rehearse, monkeypatch):
    monkeypatch.setattr(rehearsal, "CGROUPS", Path("/proc/no/cgroups"))
    report = rehearse(f"""
        (head -c 40m /dev/zero; sleep 1) | tail > /dev/null
        echo '{GOOD}' > /autograder/results/results.json
    """, memory=10)
    assert report.problems[0].endswith("MB at the peak do not fit into 10 MB: take a larger "
                                       "container, or a TORCH_INDEX of CPU wheels")


def test_checks_that_were_given_up_are_a_problem(rehearse):
    given_up = GOOD.replace('"visibility"', '"extra_data": {"verdict": "not run"}, "visibility"')
    report = rehearse(f"echo '{given_up}' > /autograder/results/results.json")
    assert report.problems == ["given up: check 1.3.1"]


def test_the_newest_archive_is_rehearsed_and_named(tmp_path, capsys):
    with pytest.raises(CannotRehearse, match="there is no autograder.zip: run `make autograder"):
        newest(tmp_path)
    term = tmp_path / "build/term-7/autograder.zip"
    term.parent.mkdir(parents=True)
    with zipfile.ZipFile(term, "w") as content:
        content.writestr("autograder/assignment/references/public.json", '{"made": {"seed": 7}}')
    old = tmp_path / "autograder.zip"
    old.write_bytes(b"")
    os.utime(old, (1, 1))
    assert newest(tmp_path) == term
    assert about(term).startswith(f"Rehearsing {term}: seed 7, built on 20")
    assert about(old) == f"Rehearsing {old}"


def test_a_mirror_is_that_of_the_machine(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("# deb http://old.example/debian x main\n")
    (tmp_path / "sources.list.d/debian.sources").write_text(
        "Types: deb\nURIs: https://example.org/mirror/debian\nSuites: bookworm\n")
    assert mirror("debian", tmp_path) == "https://example.org/mirror/debian"
    assert mirror("ubuntu", tmp_path) == "https://example.org/mirror/ubuntu"
    with pytest.raises(CannotRehearse, match="needs a mirror of Debian or Ubuntu in /etc/apt"):
        mirror("ubuntu", tmp_path / "none")
