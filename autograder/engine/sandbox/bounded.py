"""Run the kit's own functions on what a submission sent, in a process that may be lost.

Whoever reads a reply can be kept busy by it: by keys that collide, by a text that a regular
expression never gets through, by pictures that unpack a thousandfold. So the grader has it read
by a process with limits and a deadline, which is replaced when it is lost.
"""

import contextlib
import importlib
import math
import os
import pickle
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

from ... import KIT
from ..assignment import load
from . import wire
from .interpreter import end, imported, start, streams

CPU_SECONDS = 20  # for one call; judging all images of an accuracy takes 2
WALL_SECONDS = 120.0  # a busy machine must not cost points
MEMORY = 2**30  # bytes of address space beyond what is mapped before the first call


class OutOfBounds(RuntimeError):
    """A call ran out of time or memory, so that nothing is known of its result."""


class Fault(RuntimeError):
    """The function itself raised: a fault of the kit."""


class Bounded:
    """Processes that run functions for so many CPU seconds each, as many as there are calls at
    once; a free one is used again. The checks of the assignment's package are imported beforehand.
    """

    def __init__(self, assignment: str, folder: Path, cpu_seconds: int = CPU_SECONDS) -> None:
        self.assignment, self.folder, self.cpu_seconds = assignment, folder, cpu_seconds
        self.free: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self.free.put(self._start())  # so that it is ready when the first answer comes

    def _start(self) -> subprocess.Popen[bytes]:
        return start("from autograder.engine.sandbox import bounded; "
                     f"bounded.main({self.assignment!r}, {self.cpu_seconds})", self.folder)

    def call(self, function: str, *args: Any) -> Any:
        """The result of a function of the kit, which must have a place in a frame (`wire`).

        Args:
            function: its dotted name.
            args: what it is called with; pickled, so they must come from the grader.

        Raises:
            OutOfBounds: it used up its time or memory.
            Fault: it raised.
        """
        try:
            process = self.free.get_nowait()
        except queue.Empty:
            process = self._start()
        timer = threading.Timer(WALL_SECONDS, process.kill)
        timer.start()
        try:
            to, back = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
            pickle.dump((function, args), to, protocol=pickle.HIGHEST_PROTOCOL)
            to.flush()
            reply = wire.read_frame(back)
        except (EOFError, OSError, wire.WireError):
            end(process)
            raise OutOfBounds(function) from None
        except BaseException:  # the run was interrupted
            end(process)
            raise
        finally:
            timer.cancel()
        self.free.put(process)
        if "error" in reply:
            raise Fault(reply["error"])
        return reply["value"]

    def close(self) -> None:
        """End all processes."""
        with contextlib.suppress(queue.Empty):
            while True:
                end(self.free.get_nowait())


def main(assignment: str, cpu_seconds: int) -> None:
    """Run functions until stdin closes, with the checks of an assignment (its package) at hand."""
    stream_in, stream_out = streams()
    load(assignment).checks  # noqa: B018 - imports them
    imported()
    _lock_down()
    _limit_memory()
    while True:
        try:
            name, args = pickle.load(stream_in)
        except EOFError:
            return
        module, _, function = name.rpartition(".")
        try:
            call = getattr(importlib.import_module(module), function)
            _limit_time(cpu_seconds)
            reply = wire.pack({"value": call(*args)})
        except MemoryError:
            return
        except Exception as error:
            reply = wire.pack({"error": f"{type(error).__name__}: {error}"})
        stream_out.write(reply)
        stream_out.flush()


def _lock_down() -> None:
    """Give up what reading an answer does not need: writing files, the network, other processes.

    What decodes a picture may have faults of its own.
    """
    if sys.platform != "linux":
        return
    from . import landlock, libc, lockdown, seccomp

    libc.keep_freed()
    for layer in (lockdown.no_new_privileges, lambda: landlock.restrict((), [KIT]),
                  lambda: seccomp.take_on(seccomp.compiled(as_person=os.geteuid() != 0))):
        with contextlib.suppress(ImportError, OSError, RuntimeError, ValueError):
            layer()  # `doctor` says which of them a machine lacks


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError):  # Windows, macOS: the deadline has to do
        import resource

        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _limit_time(cpu_seconds: int) -> None:
    """The kernel ends this process after so much more CPU time."""
    with contextlib.suppress(ImportError):
        import resource

        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = math.ceil(usage.ru_utime + usage.ru_stime)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (spent + cpu_seconds, hard))
