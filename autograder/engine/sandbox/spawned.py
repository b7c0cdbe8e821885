"""Workers that are plain processes, where fork is missing or not safe.

A process serves one submission, one question after another. Where student code has left something
in it that others would meet, such as a patched library, it goes on with the same task alone.
"""

import secrets
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO, cast

from . import wire
from .channel import Answer, death, parse
from .forked import WorkersBroke
from .interpreter import end, start
from .layers import LAYERS
from .places import Place

STARTING = 120  # seconds in which a process must be ready
READY = wire.pack({"ready": True})  # its first frame


class SpawnedWorkers:
    """Plain processes, each for one submission; spare ones start while others work, and so many are
    kept when they have nothing to do."""

    def __init__(self, assignment: str, folder: Path, most: int) -> None:
        self.folder, self.most = folder, most
        self.statement = ("from autograder.engine.sandbox import child; "
                          f"child.main({assignment!r})")
        self.lock, self.closed = threading.Lock(), False
        self.spare: list[subprocess.Popen[bytes]] = []
        # With whom they serve: a submission, or a task of it; who had work last comes last.
        self.idle: list[tuple[tuple[str, ...], subprocess.Popen[bytes]]] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def _start(self) -> subprocess.Popen[bytes]:
        """A new process, which imports torch and the probes before it looks for a question."""
        if self.closed:
            raise WorkersBroke("the workers have been closed")
        self.processes.append(start(self.statement, self.folder))
        return self.processes[-1]

    def _take(self, task: tuple[str, str]) -> subprocess.Popen[bytes]:
        """A process that has served this task or submission, or one that has served nothing yet.

        Raises:
            WorkersBroke: a new one does not start.
        """
        with self.lock:
            for each in [each for key in (task, task[:1]) for each in self.idle if each[0] == key]:
                self.idle.remove(each)
                if each[1].poll() is None:
                    return each[1]
            if self.spare:
                process = self.spare.pop(0)
                self.spare.append(self._start())
            else:
                process = self._start()
        timer = threading.Timer(STARTING, process.kill)
        timer.start()
        try:
            ready = cast(BinaryIO, process.stdout).read(len(READY)) == READY
        finally:
            timer.cancel()
        if not ready:
            with self.lock:
                self._end(process)
            raise WorkersBroke("a worker did not start: see `python -m autograder doctor`")
        return process

    def _keep(self, serves: tuple[str, ...], process: subprocess.Popen[bytes]) -> None:
        """Keep it for more questions of this submission or task; see that another one is ready."""
        with self.lock:
            self.idle.append((serves, process))
            if len(self.idle) > self.most:
                self._end(self.idle.pop(0)[1])
            if not self.spare:
                self.spare.append(self._start())

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process in self.processes:  # else `close` has ended it
            self.processes.remove(process)
            end(process)

    def abandon(self) -> None:
        """End the processes that are at work."""
        with self.lock:
            for process in {*self.processes} - {*self.spare, *(kept for _, kept in self.idle)}:
                self._end(process)

    def layers(self) -> dict[str, str | None]:
        """Spawned workers have the process boundary and deadlines, and no layer beyond."""
        return dict.fromkeys(LAYERS, f"not available on {sys.platform} with spawned workers")

    def answer(self, job: list[bytes], private: Path, place: Place, cpu_seconds: int,
               wall_seconds: float, task: tuple[str, str], most: wire.Bounds,
               patience: float) -> Answer:
        """Send the job to the task's process; a timer ends the process at the deadline. As of
        `ForkServer`; but nobody sees here whether it waits."""
        process = self._take(task)
        serves: tuple[str, ...] = task[:1]
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(wall_seconds, stop)
        timer.start()
        try:
            to, back = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
            to.write(job.pop())
            to.flush()
            # More than the bounds of the question is taken, so that a reply can be told too large.
            answer = parse(wire.take_frame(back), most) or Answer("garbage")
            # Had student code forged a reply, the true one would come next, instead of the pong.
            token = secrets.token_hex(16)
            to.write(wire.pack({"ping": token}))
            to.flush()
            pong, left = wire.pack({"pong": token}), wire.pack({"left": token})
            said = back.read(len(pong))
            if said == left:
                serves = task
            elif said != pong:
                answer = Answer("garbage")
        except wire.WireError:
            answer = Answer("garbage")
        except (EOFError, OSError):
            answer = Answer("timeout") if late.is_set() else Answer("died", detail=death(None))
        finally:
            timer.cancel()
        if answer.status in ("garbage", "timeout", "died"):
            with self.lock:
                self._end(process)
        else:
            self._keep(serves, process)
        return answer

    def close(self) -> None:
        """End all processes."""
        with self.lock:
            self.closed = True
            for process in list(self.processes):
                self._end(process)

