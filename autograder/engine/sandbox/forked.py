"""Workers that are forked from a warm server (Linux): the grader's side of `server`."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import channel, processes, whereabouts, wire
from .channel import Answer, Use
from .interpreter import environment, python
from .places import Place, Places

LAST_WORDS = 1.0  # seconds in which a check that is ended may say where it is
ENDING = 0.2  # seconds that it has to end in once its reply is whole; it needs milliseconds
# Of its CPU seconds: in the end the kernel counts fewer than for its limit (18.6 of 20 were seen).
KILLED = 0.8
MEMORY = 3 * 2**30  # address space of a check beyond what the warm server maps


def used_up(number: int | None, cpu: float, cpu_seconds: int) -> bool:
    """Whether a process that a signal ended after so much CPU time had used up its time: the hard
    limit kills those that ignore the soft one, and the kernel those for which it lacks memory."""
    return number == signal.SIGXCPU or (
        number == signal.SIGKILL and cpu >= KILLED * cpu_seconds)


class WorkersBroke(RuntimeError):
    """The workers themselves do not run; no fault of the submission."""


class ForkServer:
    """Starts the server, has it fork a child for every question, and sees each child end.

    Args:
        assignment: its package.
        folder: the grader's temporary folder.
        places: in which checks run.
        isolate: False leaves the lock-down out, for comparison.
        secret: folders that no check may see.
    """

    def __init__(self, assignment: str, folder: Path, places: Places, isolate: bool,
                 secret: Iterable[Path]) -> None:
        from .libc import keep_freed  # of Linux

        keep_freed()
        self.lock = threading.Lock()
        self.ended: dict[int, Future[dict[str, Any]]] = {}
        self.namespaces: dict[int, int] = {}  # by job: the inode number of its PID namespace
        self.jobs = 0
        self.uids = places.uids
        if self.uids:
            folder.chmod(0o711)  # so that each uid reaches its own folder inside, and no list
        setup = json.dumps({"assignment": assignment, "folder": str(folder), "uids": places.uids,
                            "layers": places.layers(), "isolate": isolate,
                            "secret": [str(path) for path in secret]})
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        statement = (f"from autograder.engine.sandbox import server; "
                     f"server.main({theirs.fileno()}, {setup!r})")
        self.log = (folder / "server.log").open("w+b")
        self.process = subprocess.Popen(
            python(statement), env=environment(folder), pass_fds=[theirs.fileno()], cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log,
            start_new_session=True,
        )
        theirs.close()
        self.ready: Future[dict[str, str | None]] = Future()
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
            elif "began" in report:
                self.namespaces[report["began"]] = report["namespace"]
            else:
                self.ended.pop(report["ended"]).set_result(report)
        with self.lock:
            waiting = [f for f in (self.ready, *self.ended.values()) if not f.done()]
            if not waiting:
                return
            self.log.seek(0)
            text = self.log.read().decode(errors="replace").strip().splitlines()[-1:]
            see = "" if self.ready.done() else ": see `python -m autograder doctor`"
            broke = WorkersBroke(f"the worker server ended: {' '.join(text) or 'no message'}{see}")
            for future in waiting:
                future.set_exception(broke)

    def layers(self) -> dict[str, str | None]:
        """What the server says about the layers of the lock-down."""
        return self.ready.result(timeout=120)

    def _own(self, number: int, uid: int | None) -> Iterable[str]:
        """The folders in /proc of a check's processes, as far as they are known."""
        if uid is not None:
            return processes.of_uid(uid)
        namespace = self.namespaces.get(number)
        return processes.of_namespace(namespace) if namespace is not None else ()

    def answer(self, job: list[bytes], private: Path, place: Place, cpu_seconds: int,
               wall_seconds: float, task: tuple[str, str], most: wire.Bounds,
               patience: float) -> Answer:
        """Fork a child, send it the job, read its reply and see it end.

        Args:
            job: a frame, see `child.serve`, which is taken out; private: folder that the check may
                write to.
            place: where it runs; task: submission and task; most: bounds of the reply.
            patience: seconds that it may wait, see `channel.Use`.
        """
        self.ready.result(timeout=120)
        ours, theirs = socket.socketpair()
        group = place.group
        with self.lock:
            self.jobs += 1
            number = self.jobs
            ended = self.ended[number] = Future()
            request = {"run": number, "folder": str(private), "uid": place.uid, "cpus": place.cpus,
                       "cpu_seconds": cpu_seconds, "memory": MEMORY}
            socket.send_fds(self.control, [json.dumps(request).encode()],
                            [theirs.fileno(), *(group.handles if group is not None else ())])
        theirs.close()
        with ours:
            deadline = time.monotonic() + wall_seconds
            use = Use(private, lambda: self._own(number, place.uid), patience)
            reply, stopped = channel.exchange(ours, job, deadline, use, most)
            asked = stopped in ("late", channel.WAITED)  # it may tell where it is
            if asked:
                self.control.send(json.dumps({"interrupt": number}).encode())
            if stopped and not asked or wait(
                    [ended], LAST_WORDS if asked else ENDING).not_done:
                self.control.send(json.dumps({"kill": number}).encode())
            report = ended.result(timeout=60)
            self.namespaces.pop(number, None)
            reply += channel.drain(ours)
        if group is not None and group.ran_out():
            stopped = stopped or channel.too_much()
        spent = used_up(report["signal"], report["cpu"], cpu_seconds)
        answer = None if stopped else channel.parse(reply, most)
        where = None if answer else whereabouts.read(private, Path(task[0]))
        if stopped == "late":
            answer = Answer("timeout", error=where, starved=use.starved(cpu_seconds))
        elif stopped == channel.WAITED:
            answer = Answer("waited", error=where, detail=f"{patience:g}")
        elif stopped:
            answer = Answer("died", detail=stopped)
        else:
            answer = answer or (
                Answer("timeout", error=where) if spent else
                Answer("died", error=where, detail=channel.death(report["signal"]),
                       killed=report["signal"] == signal.SIGKILL))
        return replace(answer, cpu_seconds=report["cpu"], peak_mb=report["peak_mb"], idle=use.idle)

    def abandon(self) -> None:
        """End all children."""
        for number in list(self.ended):
            self.control.send(json.dumps({"kill": number}).encode())

    def close(self) -> None:
        """End the server and all that it has forked."""
        # Closing alone would not wake the thread that listens, and the server would never know.
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        self.control.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.returncode:  # it crashed, and left its children running
            for uid in self.uids:
                processes.kill_uid(uid)
        self.log.close()
