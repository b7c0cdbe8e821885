"""Ask questions of a submission in worker processes, several side by side.

Two kinds of workers with one protocol (`autograder.wire`): on Linux a warm server forks a fresh,
locked-down child for every question (`autograder.worker.lockdown`); elsewhere, where fork is
missing or not safe after torch is loaded, a spawned process serves the questions of one task and is
then replaced.
"""

import io
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import wire
from .questions import Question
from .submission import Submission, private_copy, remove

KIT = Path(__file__).resolve().parents[1]
SECRET = (KIT / "solution", KIT / "autograder" / "references")  # where a check must not look
MEMORY = 3 * 2**30  # address space of a check beyond what the warm server maps
PATIENCE = 4  # wall-clock seconds per allowed CPU second: a busy machine must not cost points
MAX_DISK = 2**30  # what a check may have in its folder
MAX_ENTRIES = 50_000
GLANCE = 0.5  # seconds between two looks at that folder while a check runs
ERROR = {"stage", "type", "message", "file", "line", "code"}  # of `child._describe`
DEFAULT_KIND = "fork" if sys.platform == "linux" else "spawn"


class WorkersBroke(RuntimeError):
    """The workers themselves do not run; no fault of the submission."""


@dataclass(frozen=True)
class Answer:
    """What came back for a question: a value, an error of the submission, or neither.

    Args:
        status: "ok"; "error" (student code raised: see `error`); "timeout"; "died" (the process
            ended without a reply); "garbage" (its reply was not one valid frame); "budget" (the
            time of the whole run was used up before this question).
        error: dict of `child._describe` where status is "error".
        detail: for "died", what ended it, as far as known.
    """

    status: str
    value: Any = None
    error: dict | None = None
    detail: str = ""
    cpu_seconds: float = 0.0


class Workers:
    """A pool that answers questions about one submission. Use as a context manager.

    Args:
        slots: questions answered side by side.
        threads: torch threads of each worker.
        budget: seconds for the whole run; later questions come back as "budget".
        kind: "fork" or "spawn".
        isolate: False leaves the lock-down out, for comparison.
    """

    def __init__(self, submission: Submission, slots: int = 2, threads: int = 1,
                 budget: float = 900.0, kind: str = DEFAULT_KIND, isolate: bool = True):
        self.submission = submission
        self.threads = threads
        self.deadline = time.monotonic() + budget
        self.folder = Path(tempfile.mkdtemp(prefix="grade-"))
        self.uids = SlotUids(slots if kind == "fork" and isolate else 0)
        self.pool = ThreadPoolExecutor(slots)
        self.backend = (_ForkServer(self.folder, self.uids.all, isolate) if kind == "fork"
                        else _SpawnedWorkers(self.folder))
        self.count = 0

    def layers(self) -> dict[str, str | None]:
        """Layer of the lock-down -> None where it is active, else why it is missing."""
        return self.backend.layers()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.backend.close()
        self.uids.close()
        remove(self.folder)

    def ask(self, question: Question, task: str, seed: int) -> "Future[Answer]":
        """Queue a question; `task` tells spawned workers when to start afresh."""
        self.count += 1
        return self.pool.submit(self._answer, question, task, seed, self.count)

    def _answer(self, question: Question, task: str, seed: int, number: int) -> Answer:
        left = self.deadline - time.monotonic()
        if left <= 0:
            return Answer("budget")
        private = self.folder / f"check-{number}"
        uid = self.uids.take()
        try:
            folder = private_copy(self.submission, question.problem, question.results, private)
            if uid is not None:
                _give(private, uid)
            job = wire.pack({"folder": str(folder), "probe": question.probe,
                             "inputs": question.inputs, "seed": seed, "threads": self.threads})
            wall_seconds = min(left, question.cpu_seconds * PATIENCE)
            return self.backend.answer(job, private, uid, question.cpu_seconds, wall_seconds, task)
        finally:
            try:
                remove(private)
            finally:
                self.uids.put_back(uid)


class SlotUids:
    """Uids that no person and no other grader on this machine uses, one per slot, if we are root.

    They come from the range that systemd keeps for services of the moment (systemd.exec(5),
    DynamicUser=), and a locked file per uid keeps two graders apart.
    """

    RANGE = range(61184, 65520)
    LOCKS = Path("/run/ee641-autograder")

    def __init__(self, count: int):
        self.all: list[int] = []
        self.locks: list[Any] = []
        self.free: queue.SimpleQueue = queue.SimpleQueue()
        if count and hasattr(os, "geteuid") and os.geteuid() == 0:
            self._claim(count)
        for uid in self.all or [None] * max(1, count):
            self.free.put(uid)

    def _claim(self, count: int) -> None:
        import fcntl
        import pwd

        known = {entry.pw_uid for entry in pwd.getpwall()}
        self.LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
        for uid in self.RANGE:
            if len(self.all) == count:
                return
            if uid in known:
                continue
            lock = (self.LOCKS / str(uid)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self.all.append(uid)
            self.locks.append(lock)

    def take(self) -> int | None:
        """A uid that no running check has, or None where all checks run as ourselves."""
        return self.free.get() if self.all else None

    def put_back(self, uid: int | None) -> None:
        if uid is not None:
            self.free.put(uid)

    def close(self) -> None:
        for lock in self.locks:
            lock.close()


def _give(folder: Path, uid: int) -> None:
    """Make a check's private folder the property of its uid, closed to all others."""
    for directory, _, files in os.walk(folder):
        os.chown(directory, uid, uid)
        for file in files:
            os.chown(os.path.join(directory, file), uid, uid)
    folder.chmod(0o700)


def _environment(folder: Path) -> dict[str, str]:
    """The worker's whole environment: nothing of the grader's own leaks in."""
    environment = {
        "PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder),
        "MPLCONFIGDIR": str(folder / "matplotlib"), "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",  # two threads of a check on a busy core ran 3x slower than one
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait for each other by spinning take 4x longer
        "MALLOC_TRIM_THRESHOLD_": "131072",  # freed activations go back at once
        "PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1",
    }
    if sys.platform == "win32":
        environment.update({key: os.environ[key] for key in ("SYSTEMROOT", "TEMP", "TMP")
                            if key in os.environ})
    return environment


def _python(statement: str) -> list[str]:
    """Command line that runs a statement with the kit importable and nothing else added."""
    # -I: no PYTHON* variables, no user site, no current folder on the path.
    return [sys.executable, "-I", "-B", "-c",
            f"import sys; sys.path.insert(0, {str(KIT)!r}); {statement}"]


def _parse(frame: bytes | None, trailing: bytes) -> Answer | None:
    """The answer in a reply, or None if there is no reply at all."""
    if not frame:
        return None
    try:
        reply = wire.read_frame(io.BytesIO(frame))
    except (wire.WireError, EOFError):
        return Answer("garbage")
    if trailing or not isinstance(reply, dict) or len(reply) != 1:
        return Answer("garbage")
    if "value" in reply:
        return Answer("ok", value=reply["value"])
    error = reply.get("error")
    if not isinstance(error, dict) or set(error) != ERROR:
        return Answer("garbage")
    for key in ("stage", "type", "message"):
        if not isinstance(error[key], str):
            return Answer("garbage")
    return Answer("error", error={key: value[:500] if isinstance(value, str) else
                                  value if isinstance(value, int) else None
                                  for key, value in error.items()})


class _ForkServer:
    """The grader's side of `autograder.worker.server`."""

    def __init__(self, folder: Path, uids: list[int], isolate: bool):
        self.lock = threading.Lock()
        self.ended: dict[int, Future] = {}
        self.jobs = 0
        self.uids = uids
        if uids:
            folder.chmod(0o711)  # so that each uid reaches its own folder inside, and no list
        setup = json.dumps({"folder": str(folder), "uids": uids, "isolate": isolate,
                            "secret": [str(path) for path in SECRET]})
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        statement = (f"from autograder.worker import server; "
                     f"server.main({theirs.fileno()}, {setup!r})")
        self.log = (folder / "server.log").open("w+b")
        self.process = subprocess.Popen(
            _python(statement), env=_environment(folder), pass_fds=[theirs.fileno()], cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log,
            start_new_session=True,
        )
        theirs.close()
        self.ready: Future = Future()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Pass on what the server reports until it is gone."""
        while True:
            try:
                message = self.control.recv(4096)
            except OSError:
                message = b""
            if not message:
                break
            report = json.loads(message)
            if "ready" in report:
                self.ready.set_result(report["layers"])
            else:
                self.ended.pop(report["ended"]).set_result(report)
        with self.lock:
            waiting = [f for f in (self.ready, *self.ended.values()) if not f.done()]
            if not waiting:
                return
            self.log.seek(0)
            text = self.log.read().decode(errors="replace").strip().splitlines()[-1:]
            broke = WorkersBroke(f"the worker server ended: {' '.join(text) or 'no message'}")
            for future in waiting:
                future.set_exception(broke)

    def layers(self) -> dict[str, str | None]:
        return self.ready.result(timeout=120)

    def answer(self, job: bytes, private: Path, uid: int | None, cpu_seconds: int,
               wall_seconds: float, task: str) -> Answer:
        """Fork a child, send it the job, read its reply and see it end."""
        self.ready.result(timeout=120)
        ours, theirs = socket.socketpair()
        with self.lock:
            self.jobs += 1
            number = self.jobs
            ended = self.ended[number] = Future()
            request = {"run": number, "folder": str(private), "uid": uid,
                       "cpu_seconds": cpu_seconds, "memory": MEMORY}
            socket.send_fds(self.control, [json.dumps(request).encode()], [theirs.fileno()])
        theirs.close()
        with ours:
            deadline = time.monotonic() + wall_seconds
            reply, stopped = _exchange(ours, job, deadline, _Disk(private))
            if stopped or not _wait(ended, 2.0):  # a child that has replied has two seconds to go
                self.control.send(json.dumps({"kill": number}).encode())
            report = ended.result(timeout=60)
            frame, trailing = _split(reply + _drain(ours))
        # The hard limit on CPU time kills those that ignore the soft one.
        spent = report["signal"] == signal.SIGXCPU or (
            report["signal"] == signal.SIGKILL and report["cpu"] >= cpu_seconds)
        if stopped == "late":
            answer = Answer("timeout")
        elif stopped:
            answer = Answer("died", detail=stopped)
        else:
            answer = _parse(frame, trailing) or (
                Answer("timeout") if spent else Answer("died", detail=_death(report["signal"])))
        return Answer(answer.status, answer.value, answer.error, answer.detail, report["cpu"])

    def close(self) -> None:
        # Closing alone would not wake the thread that listens, and the server would never know.
        _quietly(lambda: self.control.shutdown(socket.SHUT_RDWR))
        self.control.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.returncode:  # then it has not ended its children
            from .worker.lockdown import kill_uid

            for uid in self.uids:
                kill_uid(uid)
        self.log.close()


def _wait(future: Future, seconds: float) -> bool:
    try:
        future.result(timeout=seconds)
    except FutureTimeout:  # not the built-in one before Python 3.11
        return False
    return True


class _Disk:
    """What a check has written so far; a limit on one file's size does not bound their number."""

    def __init__(self, folder: Path):
        self.folder = folder
        # Deleted files that are still open take space as well, which only the whole disk shows.
        self.reserve = min(MAX_DISK, shutil.disk_usage(folder).free // 2)

    def full(self) -> str:
        """Why the check must end, or nothing."""
        size = entries = 0
        folders = [self.folder]
        while folders:
            try:
                for entry in os.scandir(folders.pop()):
                    entries += 1
                    size += 512 * entry.stat(follow_symlinks=False).st_blocks
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    if size > MAX_DISK:
                        return f"it wrote more than {MAX_DISK // 2**20} MiB of files"
                    if entries > MAX_ENTRIES:
                        return f"it made more than {MAX_ENTRIES:,} files and folders"
            except OSError:
                pass  # the check is at work in there
        full = shutil.disk_usage(self.folder.parent).free < self.reserve
        return "the disk was full" if full else ""


def _exchange(connection: socket.socket, job: bytes, deadline: float,
              disk: _Disk) -> tuple[bytes, str]:
    """Send the job, read until the first frame is whole or the stream ends.

    Returns:
        The bytes so far, and why the child must be ended: "late", a sentence of `disk`, or nothing.
    """
    reply = bytearray()
    try:
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        connection.sendall(job)
        glance = time.monotonic() + GLANCE
        while _split(reply)[0] is None and _plausible(reply):
            now = time.monotonic()
            stop = "late" if now >= deadline else disk.full() if now >= glance else ""
            if stop:
                return bytes(reply), stop
            if now >= glance:
                glance = now + GLANCE
            connection.settimeout(max(0.001, min(deadline, glance) - now))
            try:
                chunk = connection.recv(1 << 20)
            except TimeoutError:
                continue
            if not chunk:
                break
            reply += chunk
        return bytes(reply), ""
    except TimeoutError:
        return bytes(reply), "late"
    except OSError:  # the child ended before it had read its job
        return bytes(reply), ""


def _drain(connection: socket.socket, limit: int = 1 << 20) -> bytes:
    """What the ended child left on the channel (bounded)."""
    connection.settimeout(0.0)
    rest = bytearray()
    try:
        while len(rest) < limit:
            chunk = connection.recv(1 << 16)
            if not chunk:
                break
            rest += chunk
    except OSError:
        pass
    return bytes(rest)


def _plausible(reply: bytes) -> bool:
    """Whether the bytes so far can become a frame within the size limits."""
    head = bytes(reply[:wire.HEADER.size])
    if len(head) < wire.HEADER.size:
        return wire.MAGIC.startswith(head[:8]) if len(head) <= 8 else head.startswith(wire.MAGIC)
    magic, text, arrays = wire.HEADER.unpack(head)
    return magic == wire.MAGIC and text <= wire.MAX_JSON and arrays <= wire.MAX_ARRAYS


def _split(reply: bytes) -> tuple[bytes | None, bytes]:
    """`(first frame, what follows)`; None while it is not whole, all of it when it is no frame."""
    if not reply:
        return None, b""
    if not _plausible(reply):
        return bytes(reply), b""
    if len(reply) < wire.HEADER.size:
        return None, b""
    _, text, arrays = wire.HEADER.unpack(bytes(reply[:wire.HEADER.size]))
    size = wire.HEADER.size + text + arrays
    if len(reply) < size:
        return None, b""
    return bytes(reply[:size]), bytes(reply[size:])


def _death(number: int | None) -> str:
    if number is None:
        return "it ended the process (os._exit or the like)"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    usual = {"SIGSEGV": "a crash in compiled code (SIGSEGV)",
             "SIGKILL": "it was killed (SIGKILL), most often for using too much memory"}
    return usual.get(name, name)


class _SpawnedWorkers:
    """One plain process per slot, replaced whenever a slot turns to another task."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.local = threading.local()
        self.lock = threading.Lock()
        self.processes: list[subprocess.Popen] = []

    def _process(self, task: str) -> subprocess.Popen:
        if getattr(self.local, "task", None) == task and self.local.process.poll() is None:
            return self.local.process
        self._stop()
        self.local.process = subprocess.Popen(
            _python("from autograder.worker import child; child.main()"),
            env=_environment(self.folder), cwd=self.folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.local.task = task
        with self.lock:
            self.processes.append(self.local.process)
        return self.local.process

    def _stop(self) -> None:
        process = getattr(self.local, "process", None)
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                _quietly(stream.close)
        self.local.task = None

    def layers(self) -> dict[str, str | None]:
        """Spawned workers have the process boundary and deadlines, and no layer beyond."""
        from .worker.layers import LAYERS

        return dict.fromkeys(LAYERS, f"not available on {sys.platform} with spawned workers")

    def answer(self, job: bytes, private: Path, uid: int | None, cpu_seconds: int,
               wall_seconds: float, task: str) -> Answer:
        """Send the job to this slot's process; a timer ends the process at the deadline."""
        process = self._process(task)
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(wall_seconds + 15, stop)  # importing torch comes first
        timer.start()
        try:
            process.stdin.write(job)
            process.stdin.flush()
            value = wire.read_frame(process.stdout)
            answer = _parse(wire.pack(value), b"")
            # A reply forged by student code would leave the true one in the pipe, before the pong.
            token = secrets.token_hex(16)
            process.stdin.write(wire.pack({"ping": token}))
            process.stdin.flush()
            if wire.read_frame(process.stdout) != {"pong": token}:
                answer = Answer("garbage")
        except wire.WireError:
            answer = Answer("garbage")
        except (EOFError, OSError):
            answer = Answer("timeout") if late.is_set() else Answer("died", detail=_death(None))
        finally:
            timer.cancel()
        if answer.status in ("garbage", "timeout", "died"):
            self._stop()
        return answer

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                _quietly(stream.close)


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except OSError:
        pass
