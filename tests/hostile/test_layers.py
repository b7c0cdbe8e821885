"""The layers of the lock-down: which ones there are, what each takes away, who insists on them."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from autograder import KIT
from autograder.assignment import ASSIGNMENT
from autograder.engine.check import call
from autograder.engine.sandbox import pool as workers
from autograder.engine.sandbox.layers import LAYERS, REQUIRED
from autograder.engine.submission import Submission
from tests.grading import worth

from .conftest import as_root, fork_only, landlock_version
from .submissions import Attack, build

pytestmark = fork_only

OWN = """
import ctypes, os, resource, signal, stat, sys
from pathlib import Path

def state():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "uid": list(os.getresuid()), "gid": list(os.getresgid()), "groups": os.getgroups(),
        "session": os.getsid(0) == os.getpid() == os.getpgrp(),
        "seccomp": int(status["Seccomp"]), "no new privileges": int(status["NoNewPrivs"]),
        "capabilities": [status[name].strip() for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")],
        "limits": {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))[1]
                   for name in ("AS", "CPU", "FSIZE", "NPROC", "NOFILE", "CORE")},
        "memory first": int(Path("/proc/self/oom_score_adj").read_text()),
        "descriptors": sorted((n, stat.S_ISSOCK(os.fstat(n).st_mode)) for n in range(1024)
                              if Path(f"/proc/self/fd/{n}").is_symlink()),
        "outputs": [os.readlink(f"/proc/self/fd/{n}") for n in range(3)],
        "environment": sorted(os.environ), "arguments": sys.argv, "folder": os.getcwd(),
        "shared memory": os.listdir("/dev/shm"),
    }

def hidden():
    found = []
    for path in SECRET:
        try:
            found += os.listdir(path)
        except OSError:
            pass
    return found

def services():
    try:
        return os.listdir("/run")
    except OSError:
        return []

def write(path):
    Path(path).write_text("x")

def notes():
    found = {folder: os.listdir(folder) for folder in ("/tmp", "/var/tmp", "/dev/shm")}
    for folder in found:
        write(folder + "/note")
    return [name for names in found.values() for name in names]

def one():
    return 1

def sleep():
    import time
    time.sleep(1)
    return "slept"

def leave():
    import subprocess
    subprocess.Popen(["sleep", "3600"], start_new_session=True)
    one = os.fork()
    if one == 0:
        os.setsid()
        time.sleep(3600)
    import time
    time.sleep(3600)

def siblings():
    import time
    time.sleep(0.2)
    tried = 0
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                line = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            if int(line.rpartition(")")[2].split()[1]) == os.getppid():
                tried += 1
                for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
                    try:
                        os.kill(int(name), number)
                    except OSError:
                        pass
    return tried
"""


@pytest.fixture
def own(scene, warm):
    """`own(function)`: what a function of the submission above returns."""
    folder = scene.room / "own" / "problem1"
    folder.mkdir(parents=True, exist_ok=True)
    secret = [str(path) for path in warm.secret]
    folder.joinpath("utils.py").write_text(f"SECRET = {secret!r}\n" + OWN)
    submission = Submission(folder.parent, ())

    def ask(function: str, *args) -> workers.Answer:
        question = call("problem1", f"utils.{function}", *args)
        return warm.about(submission).ask(question, "1.2", 0).result()

    ask.submission = submission
    return ask


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "autograder", *arguments], cwd=KIT, text=True,
                          capture_output=True, timeout=120)


# --- what there is -----------------------------------------------------------------------------


def test_doctor_names_every_layer_and_what_it_stops(warm):
    done = command("doctor")
    assert done.returncode == 0
    for name, missing in warm.layers().items():
        state = "MISSING" if missing else "active"
        line = next(line for line in done.stdout.splitlines() if f" {name} " in f"{line} ")
        assert line.split()[0] == state and LAYERS[name] in line
        assert (" (required by --require-isolation)" in line) == (name in REQUIRED)
    assert done.stdout.count("missing because: ") == sum(map(bool, warm.layers().values()))


def test_doctor_says_that_spawned_workers_have_no_layers():
    done = command("doctor", "--workers", "spawn")
    assert done.returncode == 0
    layers = done.stdout.partition("What stands between")[2]
    assert layers.count("MISSING") == len(LAYERS) and "active" not in layers


def test_layers_of_this_process(warm):
    layers = warm.layers()
    assert set(layers) == set(LAYERS)
    assert (layers["own uid"] is None) == as_root()
    for name in ("no new privileges", "rlimits", "own session", "descriptors"):
        assert layers[name] is None
    assert (layers["Landlock"] is None) == (landlock_version() >= 1)


def test_results_tell_instructors_which_layers_there_were(carry_out, warm):
    run = carry_out(Attack("honest", 0, "", honest=True))
    assert run.results["extra_data"]["isolation"] == warm.layers()
    assert not any("Landlock" in test["output"] for test in run.results["tests"])
    assert "Landlock" not in run.results["output"]


# --- who insists on them -----------------------------------------------------------------------


def handed_in(scene, name: str) -> str:
    folder = scene.room / name
    if not folder.exists():
        build(Attack("honest", 0, "", honest=True), folder, scene.constants())
    return str(folder)


def test_isolation_can_be_required(scene):
    done = command("grade", handed_in(scene, "required"), "--only", "1.4.2", "--require-isolation")
    assert "Traceback" not in done.stderr
    if as_root():
        assert done.returncode == 0 and f"Total {worth('1.4.2')} / " in done.stdout
    else:
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[-1].endswith(
            "error: this machine lacks own uid: see `python -m autograder doctor`")


def test_spawned_workers_do_not_pass_for_isolated(scene):
    done = command("grade", handed_in(scene, "required"), "--only", "1.4.2", "--require-isolation",
                   "--workers", "spawn")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith(
        "error: this machine lacks own uid, no new privileges, rlimits: see "
        "`python -m autograder doctor`")


# --- what they take away -----------------------------------------------------------------------


def test_what_a_check_is(own, active, warm):
    state = own("state").value
    if as_root():
        assert set(state["uid"]) == set(state["gid"]) == set(warm.places.uids)
        assert state["groups"] == []
    else:
        assert set(state["uid"]) == {os.getuid()}
    assert state["session"] and state["no new privileges"] == 1
    assert state["seccomp"] == (2 if "seccomp" in active else 0)
    assert {int(value, 16) for value in state["capabilities"]} == {0}
    assert state["limits"]["CORE"] == 0
    assert all(0 < state["limits"][name] < 2**48 for name in ("AS", "CPU", "FSIZE", "NPROC"))
    assert state["limits"]["NOFILE"] == 512 and state["limits"]["CPU"] == 21
    assert state["memory first"] == 1000
    numbers, is_socket = zip(*state["descriptors"])
    assert numbers[:3] == (0, 1, 2)
    assert sorted(is_socket[3:]) == [False, True]  # the file is that of `whereabouts`
    assert state["outputs"] == ["/dev/null"] * 3
    assert not set(state["environment"]) & {"HOSTILE_SECRET", "PYTEST_CURRENT_TEST", "USER"}
    if "mount namespace" in active:
        assert state["shared memory"] == []


def test_secret_folders_are_empty(own, active):
    if not active & {"own uid", "mount namespace", "Landlock"}:
        pytest.skip("nothing hides files here")
    if "Landlock" in active or "mount namespace" in active:
        assert own("hidden").value == [] and own("services").value == []


def test_a_check_writes_to_its_own_folder_alone(own, active, scene):
    if not active & {"own uid", "Landlock"}:
        pytest.skip("nothing stops a write here")
    for path in (scene.room / "outside", KIT / f"{scene.mark}-written", f"/tmp/{scene.mark}"):
        answer = own("write", str(path))
        if str(path).startswith("/tmp/") and "Landlock" not in active:
            continue  # the others may write here as well
        assert answer.status == "error" or "mount namespace" in active  # it has a /tmp of its own
    assert own("write", "results/inside.txt").status == "ok"
    assert scene.marked() == []


def test_folders_for_all_are_a_checks_own(own, active, scene):
    if "mount namespace" not in active:
        pytest.skip("a check shares them here")
    first, second = own("notes").value, own("notes").value
    assert first == second and "note" not in first
    assert not set(first) - {scene.room.parts[2]}  # the way to its own folder


def test_one_slot_cannot_touch_another(own, active):
    """A check that signals all its siblings, beside one that takes its time."""
    if not active & {"own uid", "Landlock 6"}:
        pytest.skip("nothing keeps signals in here")
    with workers.Workers(ASSIGNMENT, slots=2) as pool:
        inquiry = pool.about(own.submission)
        assert len(set(pool.places.uids)) == (2 if as_root() else 0)
        slow = inquiry.ask(call("problem1", "utils.sleep"), "1.2", 0)
        hostile = inquiry.ask(call("problem1", "utils.siblings"), "1.2", 0)
        assert hostile.result().value == (0 if "PID namespace" in active else 1)  # that it saw
        assert slow.result().value == "slept"


def test_nothing_outlives_a_server_that_was_killed(own, active):
    """The main process of a check at least; all of its processes, where something tells them."""
    with workers.Workers(ASSIGNMENT, slots=1) as pool:
        inquiry = pool.about(own.submission)
        assert inquiry.ask(call("problem1", "utils.one"), "1.2", 0).result().value == 1
        left = inquiry.ask(call("problem1", "utils.leave"), "1.2", 0)
        server = psutil.Process(pool.backend.process.pid)
        # In namespaces the server is a child of this one, and `sleep` the first process of a check.
        count = 5 if "PID namespace" in active else 3
        deadline = time.monotonic() + 20
        while len(server.children(recursive=True)) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        children = server.children(recursive=True)
        assert len(children) == count
        main = next(process for process in children if process.ppid() == server.pid)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(Exception):  # noqa: B017 - what it is depends on who notices first
            left.result()
    everything = as_root() or "PID namespace" in active
    _, alive = psutil.wait_procs(children if everything else [main], timeout=10)
    assert not alive
    for process in children:
        if process.is_running():
            process.kill()
