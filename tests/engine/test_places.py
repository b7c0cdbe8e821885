"""Where checks run: control groups of both versions, processors, and one check without others."""

import os
import threading
import time
from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.checks.asking import call1
from autograder.engine.sandbox import channel, places
from autograder.engine.sandbox import pool as workers
from autograder.engine.sandbox.cgroups import PREFIX, Group
from autograder.engine.sandbox.places import Places
from tests.grading import fork_only

pytestmark = fork_only
NAME = f"{PREFIX}{os.getpid()}-one"
OF_VERSION_2 = {"memory.max": "max", "memory.swap.max": "max", "memory.oom.group": "0",
                "memory.events": "oom 0\noom_kill 0\n", "pids.max": "max", "cgroup.procs": ""}
OF_VERSION_1 = {"memory": {"memory.limit_in_bytes": "-1", "memory.oom_control": "oom_kill 0\n"},
                "pids": {"pids.max": "max"}, "cpu": {"cpu.shares": "1024"}}


@pytest.fixture
def group(tmp_path, monkeypatch):
    """`group(text of /proc/self/cgroup)`: a group where `tmp_path` stands for /sys/fs/cgroup."""
    def mkdir(folder: Path) -> None:
        os.mkdir(folder)
        files = next((files for name, files in OF_VERSION_1.items() if name in folder.parts),
                     OF_VERSION_2)
        for name, content in {"cgroup.procs": "", **files}.items():
            (folder / name).write_text(content)

    def make(listed: str) -> Group:
        (tmp_path / "listed").write_text(listed)
        with monkeypatch.context() as patches:
            patches.setattr(Path, "mkdir", mkdir)
            return Group("one", 1000, 7, tmp_path / "listed", tmp_path)

    return make


def test_a_group_of_version_2_lies_beside_that_of_the_grader(group, tmp_path):
    session = tmp_path / "user.slice" / "session-1.scope"
    session.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (session.parent / "cgroup.subtree_control").write_text("memory pids")
    one = group("0::/user.slice/session-1.scope\n")
    folder, = one.folders
    assert (folder, one.lacking, len(one.handles)) == (session.parent / NAME, None, 1)
    written = {name: (folder / name).read_text() for name in OF_VERSION_2 if name.endswith("max")}
    assert written == {"memory.max": "1000", "memory.swap.max": "0", "pids.max": "7"}
    assert not one.ran_out()
    (folder / "memory.events").write_text("oom 1\noom_kill 3\n")
    assert one.ran_out() and not one.ran_out()


def test_a_group_of_version_1_lies_in_that_of_the_grader(group, tmp_path):
    for path in ("memory/a", "pids", "cpu/b"):
        (tmp_path / path).mkdir(parents=True)
    one = group("5:memory:/a\n4:cpu,cpuacct:/b\n3:pids:/\n0::/\n")
    assert one.folders == [tmp_path / path / NAME for path in ("memory/a", "pids", "cpu/b")]
    assert (one.folders[0] / "memory.limit_in_bytes").read_text() == "1000"
    assert (one.folders[1] / "pids.max").read_text() == "7"
    (one.folders[0] / "memory.oom_control").write_text("oom_kill 1\n")
    assert one.ran_out()


def test_what_a_killed_grader_has_left_is_removed(group, tmp_path):
    (tmp_path / "pids").mkdir()
    gone, there, foreign = (tmp_path / "pids" / name for name in (
        f"{PREFIX}{2**30}-0", f"{PREFIX}1-0", "another"))
    for folder in (gone, there, foreign):
        folder.mkdir()
    group("3:pids:/\n")
    assert [folder.exists() for folder in (gone, there, foreign)] == [False, True, True]


@pytest.mark.parametrize("version", [1, 2])
def test_where_no_group_can_be_made_the_reason_is_told(group, tmp_path, version):
    if version == 2:
        (tmp_path / "cgroup.controllers").write_text("memory pids")
        (tmp_path / "cgroup.subtree_control").write_text("")
    one = group("0::/\n")
    assert (one.folders, one.handles) == ([], []) and one.lacking and not one.ran_out()
    one.close()


def test_alone_is_alone():
    pool, seen = Places(2, locked=False), []
    entered, leave = threading.Event(), threading.Event()

    def alone() -> None:
        with pool.taken(alone=True):
            seen.append("alone")
            entered.set()
            leave.wait(20)
            seen.append("done")

    def beside() -> None:
        with pool.taken():
            seen.append("beside")

    with pool.taken():
        first = threading.Thread(target=alone)
        first.start()
        time.sleep(0.1)
        assert seen == []
    assert entered.wait(20)
    second = threading.Thread(target=beside)
    second.start()
    time.sleep(0.1)
    assert seen == ["alone"]
    leave.set()
    for thread in (first, second):
        thread.join()
    assert seen == ["alone", "done", "beside"]


WHERE = """
import os

def where():
    before = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, range(os.cpu_count()))
    return [before, sorted(os.sched_getaffinity(0)), open("/proc/self/cgroup").read()]

def fills():
    for folder in ("/dev/shm", "/tmp", "/var/tmp"):
        for number in range(30):
            with open(f"{folder}/{number}", "wb") as file:
                file.write(bytes(8 << 20))
    return "720 MiB"
"""


def test_a_check_stays_in_its_place(made_up, monkeypatch):
    monkeypatch.setattr(places, "MAX_MEMORY", 400 << 20)
    monkeypatch.setattr(channel, "MAX_MEMORY", 400 << 20)
    with workers.Workers(ASSIGNMENT, slots=2) as pool:
        inquiry = pool.about(made_up({"problem1/utils.py": WHERE}))
        before, after, groups = inquiry.ask(call1("utils.where"), "1.2", 0).result().value
        place = next(place for place in pool.places.all if list(place.cpus) == before)
        assert after == before
        if len(os.sched_getaffinity(0)) >= 2:
            one, other = (set(place.cpus) for place in pool.places.all)
            assert not one & other
        if pool.layers()["control groups"] or pool.layers()["mount namespace"]:
            pytest.skip("nothing counts shared memory here")
        assert all(folder.name in groups for folder in place.group.folders)
        answer = inquiry.ask(call1("utils.fills"), "1.2", 0).result()
        assert (answer.status, answer.detail) == (
            "died", "its processes used more than 400 MiB of memory together")
    assert not any(folder.exists() for place in pool.places.all for folder in place.group.folders)
