"""Workers that are plain processes, where fork is missing or not safe: each serves one task."""

import contextlib
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO, cast

from . import wire
from .channel import Answer, death, parse
from .interpreter import environment, python
from .layers import LAYERS
from .places import Place


class SpawnedWorkers:
    """One plain process per slot, replaced whenever a slot turns to another task.

    Args:
        folder: the grader's temporary folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.local = threading.local()
        self.lock = threading.Lock()
        self.processes: list[subprocess.Popen[bytes]] = []

    def _process(self, task: str) -> subprocess.Popen[bytes]:
        if getattr(self.local, "task", None) == task:
            same: subprocess.Popen[bytes] = self.local.process
            if same.poll() is None:
                return same
        self._stop()
        process = self.local.process = subprocess.Popen(
            python("from autograder.engine.sandbox import child; child.main()"),
            env=environment(self.folder), cwd=self.folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.local.task = task
        with self.lock:
            self.processes.append(process)
        return process

    def _stop(self) -> None:
        if hasattr(self.local, "process"):
            _end(self.local.process)
        self.local.task = None

    def layers(self) -> dict[str, str | None]:
        """Spawned workers have the process boundary and deadlines, and no layer beyond."""
        return dict.fromkeys(LAYERS, f"not available on {sys.platform} with spawned workers")

    def answer(self, job: bytes, private: Path, place: Place, cpu_seconds: int,
               wall_seconds: float, task: str, most: wire.Bounds) -> Answer:
        """Send the job to this slot's process; a timer ends the process at the deadline.

        Args:
            job: a frame, see `child.serve`; private: folder that the check may write to.
            place: where it runs; task: the number of its task; most: bounds of the reply.
        """
        process = self._process(task)
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(wall_seconds + 15, stop)  # importing torch comes first
        timer.start()
        try:
            to, back = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
            to.write(job)
            to.flush()
            # More than the bounds of the question is taken, so that a reply can be told too large.
            answer = parse(wire.take_frame(back), most) or Answer("garbage")
            # Had student code forged a reply, the true one would come next, instead of the pong.
            token = secrets.token_hex(16)
            to.write(wire.pack({"ping": token}))
            to.flush()
            pong = wire.pack({"pong": token})
            if back.read(len(pong)) != pong:
                answer = Answer("garbage")
        except wire.WireError:
            answer = Answer("garbage")
        except (EOFError, OSError):
            answer = Answer("timeout") if late.is_set() else Answer("died", detail=death(None))
        finally:
            timer.cancel()
        if answer.status in ("garbage", "timeout", "died"):
            self._stop()
        return answer

    def close(self) -> None:
        """End all processes."""
        for process in self.processes:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in filter(None, (process.stdin, process.stdout)):
        with contextlib.suppress(OSError):  # part of a job may not have been sent
            stream.close()
