"""The scene of the attacks: planted secrets, a bystander, a grader, and what must be left of it.

All attacks of a session share one worker server, since a new one takes seconds; the tests of the
server itself start their own.
"""

import contextlib
import ctypes
import gc
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from autograder import KIT
from autograder.assignment import ASSIGNMENT
from autograder.engine import grade as grading
from autograder.engine.references import References
from autograder.engine.results import Grade
from autograder.engine.sandbox import pool as workers
from autograder.engine.sandbox.folders import remove
from autograder.engine.terminal import summary
from autograder.instructor.building import build as build_references

from .submissions import NEIGHBOUR, TARGETS, TOKEN, Attack, build

fork_only = pytest.mark.skipif(workers.DEFAULT_KIND != "fork", reason="there is no lock-down here")


def as_root() -> bool:
    """Whether checks get a uid of their own here."""
    return os.geteuid() == 0


def landlock_version() -> int:
    """The version of Landlock's interface; 6 is the first that keeps signals in."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)


def token() -> str:
    """A secret that no chance produces."""
    return f"CANARY-{secrets.token_hex(8)}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep every n-th test, where `test_as_user.py` asks for that."""
    items[:] = items[::int(os.environ.get("EVERY", "1"))]


@dataclass
class Scene:
    """Where the attacks take place.

    Args:
        room: folder of everything, open to all users, with `tmp` (the grader's temporary files),
            `results`, `secrets` (hidden from checks) and `home`.
        mark: what attacks put into the names of what they write and run.
        bystander: another process of the grader's user, with secrets in its memory and environment.
        listener, abstract, local: services on this machine that nobody may reach.
    """

    room: Path
    mark: str
    bystander: subprocess.Popen
    listener: socket.socket
    abstract: socket.socket
    local: socket.socket

    def constants(self) -> dict[str, object]:
        """What attacks know: more than a student would."""
        return {"GRADER": os.getpid(), "BYSTANDER": self.bystander.pid, "MARK": self.mark,
                "PORT": self.listener.getsockname()[1], "SERVICE": self.local.getsockname(),
                "KIT": str(KIT), "SECRETS": str(self.room / "secrets"),
                "HOME": str(self.room / "home"),
                "RESULTS": str(self.room / "results" / "results.json")}

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Meanwhile temporary files lie in the room."""
        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(tempfile, "tempdir", str(self.room / "tmp"))
            patches.setenv("HOSTILE_SECRET", token())
            yield

    def marked(self) -> list[str]:
        """Files with the mark in their names, wherever an attack might have put them."""
        places = [Path(p) for p in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/dev/mqueue")]
        places += [self.room / "home", self.room / "results", self.room / "secrets", KIT,
                   KIT / "autograder", KIT / "autograder" / "engine" / "sandbox", Path(sys.prefix),
                   Path(np.__file__).parents[1]]
        found = []
        for place in places:
            with contextlib.suppress(OSError):
                found += [place / name for name in os.listdir(place) if self.mark in name]
        for path in found:  # so that the next test does not find it again
            remove(path)
        return [str(path) for path in found]

    def processes(self, pool: workers.Workers) -> list[str]:
        """What checks have left running."""
        found, server = [], psutil.Process(pool.backend.process.pid)
        servers = {server.pid}
        if pool.layers()["PID namespace"] is None:
            servers |= {child.pid for child in server.children()}  # the first one in there
        for process in psutil.process_iter(["pid", "uids", "cmdline", "status"]):
            info = process.info
            words = " ".join(info["cmdline"] or [])
            of_slot = info["uids"] is not None and info["uids"].real in pool.places.uids
            if info["pid"] not in servers and info["status"] != "zombie" and (
                    of_slot or self.mark in words or str(pool.folder) in words):
                found.append(f"{info['pid']}: {words}")
        return found

    def visited(self) -> bool:
        """Whether anybody has connected to one of the services."""
        for listener in (self.listener, self.abstract, self.local):
            try:
                listener.accept()
                return True
            except BlockingIOError:
                pass
        return False


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    room = Path(tempfile.mkdtemp(prefix="h-"))
    room.chmod(0o755)
    for name in ("tmp", "results", "secrets", "secrets/deep", "home", "home/.ssh"):
        room.joinpath(name).mkdir()
    for name, mode in (("secrets/hidden.json", 0o600), ("secrets/open.txt", 0o644),
                       ("secrets/deep/hidden.npz", 0o600), ("home/.canary", 0o644),
                       ("home/.ssh/canary", 0o600)):
        room.joinpath(name).write_text(token())
        room.joinpath(name).chmod(mode)
    mark = f"hostile-{secrets.token_hex(6)}"
    listener = socket.create_server(("127.0.0.1", 0))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0" + mark)
    abstract.listen()
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(room / "home" / "service"))
    local.listen()
    room.joinpath("home", "service").chmod(0o666)
    for server in (listener, abstract, local):
        server.setblocking(False)
    bystander = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "import sys; kept = sys.stdin.readline(); input()"],
        env={"SECRET": token()}, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    bystander.stdin.write(token().encode() + b"\n")
    bystander.stdin.flush()
    gc.freeze()  # pytest collects garbage after every run; what torch has made need not be searched
    yield Scene(room, mark, bystander, listener, abstract, local)
    assert bystander.poll() is None, "the bystander was ended"
    bystander.kill()
    bystander.wait()
    bystander.stdin.close()
    listener.close()
    abstract.close()
    local.close()
    remove(room)


@pytest.fixture(scope="session")
def warm(scene):
    """Workers with one slot that all attacks are carried out on."""
    with scene.entered():
        pool = workers.Workers(ASSIGNMENT, slots=1, secret=[scene.room / "secrets"])
    with pool:
        yield pool


@pytest.fixture(autouse=True)
def enter(scene):
    """Every test of this folder takes place in the room."""
    with scene.entered():
        yield


@pytest.fixture(scope="session")
def active(warm) -> set[str]:
    """The layers of the lock-down that this machine has."""
    found = {name for name, missing in warm.layers().items() if missing is None}
    return found | ({"Landlock 6"} if "Landlock" in found and landlock_version() >= 6 else set())


@pytest.fixture(scope="session")
def references(warm) -> list[References]:
    """Public and hidden questions of the checks that are graded, answered by the solution."""
    return [build_references(ASSIGNMENT, KIT / "solution", tier, seed, {},
                             only=(*TARGETS, NEIGHBOUR), workers=warm)
            for tier, seed in (("public", 641), ("hidden", secrets.randbelow(2**31)))]


def spellings(value) -> set[str]:
    """Every way in which the fractional numbers of a value may be written."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return set().union(*map(spellings, value))
    if not isinstance(value, np.ndarray):
        return set()
    found = set()
    for number in np.abs(value[np.isfinite(value)].astype(np.float32)):
        found |= {f"{number:.6g}", repr(float(number)), str(number), f"{number:.4f}"}
    return {text for text in found if "." in text and len(text.rstrip("0").replace(".", "")) > 4}


@pytest.fixture(scope="session")
def hidden_numbers(references) -> set[str]:
    """Numbers that are in hidden questions and answers and in no public ones."""
    public, hidden = (set().union(*(spellings([dict(r.question.inputs), r.expected])
                                    for r in of_tier.by_number.values()))
                      for of_tier in references)
    assert len(hidden - public) > 50
    return hidden - public


@dataclass
class Run:
    """A grade, the text that came out of it, and the seconds it took."""

    grade: Grade
    results: dict
    text: str
    seconds: float

    def rows(self, *numbers: str) -> list[tuple]:
        """Number, score, verdict and message of some rows."""
        return [(r.check.number, r.score, r.verdict, r.message) for r in self.grade.rows
                if r.check.number in numbers]

    def score(self, number: str) -> float:
        return next(row.score for row in self.grade.rows if row.check.number == number)


def unique(prefix: str, room: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=prefix, dir=room))


@pytest.fixture(scope="session")
def carry_out(scene, warm, references):
    """`carry_out(attack)`: grade its submission, on public inputs alone if it is slow."""
    known = {}
    for number in TARGETS:
        reference = references[0].by_number[number]
        args = reference.question.inputs["args"]
        key = round(float(sum(a.astype(np.float64).sum() for a in args)), 2)
        known[key] = reference.expected.tolist()

    def run(attack: Attack, pool: workers.Workers = warm) -> Run:
        folder = unique("handed-in-", scene.room)
        build(attack, folder, {**scene.constants(), "PUBLIC": known})
        sets, wanted = references, {*TARGETS, NEIGHBOUR}
        with pytest.MonkeyPatch.context() as patches:
            if attack.slow or attack.once:
                wanted, sets = {TARGETS[0], NEIGHBOUR}, references[:1]
            if attack.slow:
                reference = references[0].by_number[TARGETS[0]]
                question = replace(reference.question, cpu_seconds=1)
                sets = [replace(references[0], by_number={
                    **references[0].by_number, TARGETS[0]: replace(reference, question=question)})]
                patches.setattr(workers, "PATIENCE", 1)
            path = scene.room / "results" / "results.json"
            begin = time.monotonic()
            grade = grading.grade(ASSIGNMENT, folder,
                                  grading.Options(only=wanted, json=path), references=sets,
                                  workers=pool)
            seconds = time.monotonic() - begin
        text = path.read_text(encoding="utf-8")
        remove(folder)
        return Run(grade, json.loads(text), text + summary(grade, colour=False), seconds)

    return run


@pytest.fixture(scope="session")
def twins(carry_out) -> dict[bool, Run]:
    """The same submissions without an attack: `twins[True]` has the right answers."""
    honest = carry_out(Attack("honest", 0, "", honest=True))
    wrong = carry_out(Attack("wrong", 0, ""))
    assert all(honest.score(number) > 0 for number in (*TARGETS, NEIGHBOUR))
    assert all(wrong.score(number) == 0 for number in TARGETS) and wrong.score(NEIGHBOUR) > 0
    return {True: honest, False: wrong}


@pytest.fixture(scope="session")
def nothing_left(scene, warm):
    """`nothing_left()`: no process, no file and no visitor remains of what was tried."""
    kept = {path: path.read_bytes() for path in scene.room.glob("[sh]*/**/*") if path.is_file()}
    modes = {path: path.stat().st_mode for path in [scene.room, *scene.room.rglob("*")]
             if "tmp" not in path.parts}
    own = {warm.folder.name} if warm.folder.parent == scene.room / "tmp" else set()

    def check() -> None:
        assert scene.processes(warm) == []
        assert scene.marked() == []
        assert not scene.visited()
        assert scene.bystander.poll() is None
        assert {path.name for path in scene.room.joinpath("tmp").iterdir()} == own
        assert not [name for name in os.listdir(warm.folder) if name.startswith("check-")]
        assert [p.name for p in scene.room.joinpath("results").iterdir()] in (
            [], ["results.json"])
        assert {path: path.read_bytes() for path in kept} == kept
        assert {path: path.stat().st_mode for path in modes} == modes
        mine = {os.getuid(), *warm.places.uids} - {0}
        assert not [entry.name for entry in os.scandir("/dev/shm")
                    if entry.stat(follow_symlinks=False).st_uid in mine]

    return check


def stolen(text: str) -> list[str]:
    """Secrets and confessions in a text."""
    return re.findall(TOKEN + r"|ESCAPED.{0,200}", text)
