"""The two kinds of workers: forked from a warm server (Linux), or spawned one per task."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from pathlib import Path

from ... import KIT
from . import wire
from .channel import Answer, Use, drain, exchange, parse, split

MEMORY = 3 * 2**30  # address space of a check beyond what the warm server maps


class WorkersBroke(RuntimeError):
    """The workers themselves do not run; no fault of the submission."""


def _environment(folder: Path) -> dict[str, str]:
    """The worker's whole environment: nothing of the grader's own leaks in."""
    environment = {
        "PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder),
        "MPLCONFIGDIR": str(folder / "matplotlib"), "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",  # two threads of a check on a busy core ran 3x slower than one
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait for each other by spinning take 4x longer
        # glibc's default. Naming it keeps glibc from raising it, so that the server gives freed
        # memory back; forked children choose otherwise (`server._keep_freed_memory`).
        "MALLOC_TRIM_THRESHOLD_": "131072",
        "TORCHDYNAMO_DISABLE": "1",  # compiling takes longer than any check has
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


class ForkServer:
    """The grader's side of `autograder.engine.sandbox.server`."""

    def __init__(self, assignment: str, folder: Path, uids: list[int], isolate: bool,
                 secret: Iterable[Path]):
        self.lock = threading.Lock()
        self.ended: dict[int, Future] = {}
        self.jobs = 0
        self.uids = uids
        if uids:
            folder.chmod(0o711)  # so that each uid reaches its own folder inside, and no list
        setup = json.dumps({"assignment": assignment, "folder": str(folder), "uids": uids, "isolate": isolate,
                            "secret": [str(path) for path in secret]})
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        statement = (f"from autograder.engine.sandbox import server; "
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
            reply, stopped = exchange(ours, job, deadline, Use(private, uid))
            if stopped or not _wait(ended, 2.0):  # seconds to end in, after the reply
                self.control.send(json.dumps({"kill": number}).encode())
            report = ended.result(timeout=60)
            frame, trailing = split(reply + drain(ours))
        # The hard limit on CPU time kills those that ignore the soft one.
        spent = report["signal"] == signal.SIGXCPU or (
            report["signal"] == signal.SIGKILL and report["cpu"] >= cpu_seconds)
        if stopped == "late":
            answer = Answer("timeout")
        elif stopped:
            answer = Answer("died", detail=stopped)
        else:
            answer = parse(frame, trailing) or (
                Answer("timeout") if spent else
                Answer("died", detail=_death(report["signal"]),
                       killed=report["signal"] == signal.SIGKILL))
        return replace(answer, cpu_seconds=report["cpu"], peak_mb=report["peak_mb"])

    def close(self) -> None:
        # Closing alone would not wake the thread that listens, and the server would never know.
        _quietly(lambda: self.control.shutdown(socket.SHUT_RDWR))
        self.control.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.returncode:  # it crashed, and left its children running
            from .lockdown import kill_uid

            for uid in self.uids:
                kill_uid(uid)
        self.log.close()


def _wait(future: Future, seconds: float) -> bool:
    try:
        future.result(timeout=seconds)
    except FutureTimeout:  # not the built-in one before Python 3.11
        return False
    return True


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


class SpawnedWorkers:
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
            _python("from autograder.engine.sandbox import child; child.main()"),
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
        from .layers import LAYERS

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
            answer = parse(wire.pack(value), b"")
            # Had student code forged a reply, the true one would come next, instead of the pong.
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
