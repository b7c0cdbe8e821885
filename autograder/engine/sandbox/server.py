"""A warm process that forks one locked-down child per question (Linux).

Importing torch takes seconds and hundreds of megabytes; a fork of a process that has imported it
takes milliseconds and shares the memory. The server itself runs no student code and no tensor
operation: it imports, forks, reports how each child ended, and ends what a child has left running.

Control messages (one JSON object per packet of a SEQPACKET socket):
    to the server:   {"run": job number, "folder", "uid", "cpus", "cpu_seconds", "memory"} with the
                     child's socket and files of its control groups attached; {"interrupt": job
                     number}, which makes it say where it is; {"kill": job number}
    from the server: {"ready": true, "layers": {layer: null or why it is missing}};
                     {"began": job number, "namespace": inode number of its PID namespace};
                     {"ended": job number, "signal": n or null, "cpu": seconds, "peak_mb": memory}
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import lockdown, namespaces, processes, seccomp
from .cgroups import CONTROLLERS
from .interpreter import imported
from .layers import LAYERS
from .libc import keep_freed, libc
from .places import closed

MADV_DONTNEED = 4  # linux/mman.h
# Modules of the standard library that are no library.
LEFT_OUT = {"__main__", "antigravity", "ensurepip", "idlelib", "lib2to3", "test", "tests", "this",
            "tkinter", "turtle", "turtledemo"}
LARGEST_KEPT, MOST_KEPT = 2**25, 2**27  # bytes that malloc keeps: of one tensor, and in all


def preload(assignment: str) -> None:
    """Import what student code commonly needs, and the probes of an assignment's package, so that
    every fork has them."""
    for name in (
        "matplotlib.pyplot", "matplotlib.backends.backend_agg", "multiprocessing.synchronize",
        "numpy.random", "PIL.Image", "PIL.ImageDraw", "PIL.PngImagePlugin", "PIL.BmpImagePlugin",
        "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin", "torch",
        "torch.nn.functional", "torch.optim", "torch.utils.data", "tqdm.auto", "argparse",
    ):
        importlib.import_module(name)
    from . import child

    child.preload(assignment)


def _preload_library(folders: Iterable[str], prefix: str = "") -> None:
    """Import the standard library, for checks that cannot reach its files: 19 MB, .7 seconds."""
    for module in pkgutil.iter_modules(folders, prefix):
        if module.name.rpartition(".")[2] not in LEFT_OUT:
            with contextlib.suppress(Exception):  # of other systems
                found = importlib.import_module(module.name)
                if module.ispkg:
                    _preload_library(found.__path__, module.name + ".")


@dataclass(frozen=True)
class Orders:
    """What the grader tells a new server.

    Args:
        assignment: its package.
        folder: the grader's temporary folder; checks get folders of their own inside.
        uids: slot uids to choose from, empty where the grader is no root.
        layers: those that the grader has taken, see `lockdown.Settled`.
        isolate: False switches all layers off but the process boundary (for comparison).
        secret: folders that checks must not see.
    """

    assignment: str
    folder: str
    uids: list[int]
    layers: dict[str, str | None]
    isolate: bool
    secret: list[str]

    def shown(self) -> tuple[list[Path], list[Path], Path]:
        """What checks see, see empty, and write to: the arguments of `namespaces.show_only`."""
        return ([Path(path) for path in (sys.prefix, sys.base_prefix, sys.executable)],
                [Path(path) for path in self.secret], Path(self.folder))


class Server:
    """Forks, watches and ends the children of one grading run, with the layers of
    `enter_namespaces`."""

    def __init__(self, control: socket.socket, setup: Orders, settled: lockdown.Settled) -> None:
        self.control = control
        self.setup = setup
        self.settled = settled
        # By pid of a check: its job's number, slot uid and the first process of its namespace.
        self.jobs: dict[int, tuple[int, int | None, int | None]] = {}
        if setup.isolate:
            self._settle()
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)

    def _settle(self) -> None:
        """Take the layers that belong to the server, and prepare those of its children."""
        lockdown.become_subreaper()
        if self.settled.in_namespaces:
            namespaces.show_only(*self.setup.shown())
        try:
            self.settled.program = seccomp.compiled(as_person=not self.setup.uids)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            self.settled.layers["seccomp"] = str(error)

    def layers(self) -> dict[str, str | None]:
        """What `lockdown.enter` achieves in a child that does nothing else."""
        if not self.setup.isolate:
            return dict.fromkeys(LAYERS, "switched off")
        read, write = os.pipe()
        folder = Path(self.setup.folder, "probe")
        folder.mkdir()
        pid, first = self._fork()
        if pid == 0:
            try:
                uid = self.setup.uids[0] if self.setup.uids else None
                layers = lockdown.enter(folder, uid, (), write, 5, 2**30, self.settled)
                os.write(write, json.dumps(layers).encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as stream:
            text = stream.read()
        self._end(pid, first)
        folder.rmdir()
        return json.loads(text) if text else dict.fromkeys(LAYERS, "the probe failed")

    def serve(self) -> None:
        """Run until the grader closes its end of the control socket."""
        self._tell({"ready": True, "layers": self.layers()})
        while True:
            readable, _, _ = select.select([self.control.fileno(), self.wake_read], [], [])
            if self.wake_read in readable:
                os.read(self.wake_read, 4096)
                self._reap()
            if self.control.fileno() in readable:
                message, descriptors, *_ = socket.recv_fds(self.control, 4096, 1 + len(CONTROLLERS))
                if not message:
                    break
                request = json.loads(message)
                if "run" in request:
                    self._run(request, *descriptors)
                else:
                    for pid, (job, *_) in self.jobs.items():
                        if job == request.get("kill"):
                            _kill(pid)
                        elif job == request.get("interrupt"):
                            os.kill(pid, signal.SIGXCPU)  # see `whereabouts`
        for pid in list(self.jobs):
            self._bury(pid)
        if self.setup.isolate:
            self._end_orphans()

    def _fork(self) -> tuple[int, int | None]:
        """Fork, into a PID namespace of its own where there can be one: see `namespaces.fork`."""
        return namespaces.fork() if self.settled.in_namespaces else (os.fork(), None)

    def _run(self, request: dict[str, Any], descriptor: int, *groups: int) -> None:
        pid, first = self._fork()
        if pid == 0:
            try:
                with contextlib.suppress(OSError):  # then it has no share of its own
                    for group in groups:
                        os.write(group, b"0")
                self._child(request, descriptor)
            finally:
                os._exit(0)  # no atexit handler, no thread of the student's may run on
        for handle in (descriptor, *groups):
            os.close(handle)
        if first is not None:
            namespace = os.stat(f"/proc/{first}/ns/pid").st_ino
            self._tell({"began": request["run"], "namespace": namespace})
        self.jobs[pid] = request["run"], request["uid"], first

    def _child(self, request: dict[str, Any], descriptor: int) -> None:
        """In the forked child: lock down, answer one question on its socket."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        keep_freed(LARGEST_KEPT, MOST_KEPT)  # every pass through a network needs them again
        folder = Path(request["folder"])
        if self.setup.isolate:
            lockdown.enter(folder, request["uid"], request["cpus"], descriptor,
                           request["cpu_seconds"], request["memory"], self.settled)
        else:
            os.setsid()
        from .child import serve

        connection = socket.socket(fileno=descriptor)
        serve(connection.makefile("rb"), connection.makefile("wb"))

    def _reap(self) -> None:
        """Report every child that has ended."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            self._bury(ended.si_pid)

    def _bury(self, pid: int) -> None:
        """End what a child left behind, then reap and report it."""
        job, uid, first = self.jobs.pop(pid, (None, None, None))
        status, usage = self._end(pid, first)
        if self.setup.isolate and first is None:
            if uid is not None:
                processes.kill_uid(uid)
            self._end_orphans()
            if uid is not None:
                processes.sweep_uid(uid)
        if job is not None:
            self._tell({
                "ended": job,
                "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak_mb": usage.ru_maxrss / 1024,
            })

    def _tell(self, report: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the grader has gone
            self.control.send(json.dumps(report).encode())

    def _end(self, pid: int, first: int | None) -> tuple[int, Any]:
        """Kill a child, and all that is left in its PID namespace, and reap it.

        Args:
            first: the namespace's first process, if it has one of its own.

        Returns:
            how the child ended, and what it used.
        """
        _kill(pid)
        _, status, usage = os.wait4(pid, 0)
        if first is not None:
            os.kill(first, signal.SIGKILL)
            # It ends after all others, of which some may have become children of this process.
            while os.waitpid(first, os.WNOHANG) == (0, 0):
                self._end_orphans(first)
                time.sleep(0.0002)
        return status, usage

    def _end_orphans(self, *ending: int) -> None:
        """Kill processes that left their check's process group, and the orphans they leave."""
        own = os.getpid()
        kept = {*self.jobs, *(first for *_, first in self.jobs.values()), *ending}
        while True:
            children = Path(f"/proc/self/task/{own}/children").read_text()
            orphans = set(map(int, children.split())) - kept
            if not orphans:
                return
            for orphan in orphans:
                _kill(orphan)
                os.waitpid(orphan, 0)


def _let_code_go() -> None:
    """Let go of 70 MB of code that imports ran. No fork gets it: each maps what it runs itself."""
    with open("/proc/self/maps") as maps:
        for span, access, _, _, inode, *_ in map(str.split, maps):
            if access == "r-xp" and inode != "0":  # 0: memory without a file
                first, end = (int(address, 16) for address in span.split("-"))
                libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), MADV_DONTNEED)


def _kill(pid: int) -> None:
    """Kill a child that has not been reaped, and its process group (its pid cannot be reused)."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def enter_namespaces(orders: Orders) -> lockdown.Settled:
    """Go on in namespaces, where the machine allows it; before there is a second thread."""
    settled = lockdown.Settled(dict(orders.layers))
    # For an ordinary user the limit counts all processes of that person, up to Linux 5.13.
    by_person = orders.isolate and not orders.uids and processes.threads(os.getuid())
    try:
        if orders.isolate:
            namespaces.enter(*orders.shown())
            settled.layers.update({"PID namespace": None, "mount namespace": None})
    except OSError as error:
        settled.layers.update(dict.fromkeys(("PID namespace", "mount namespace"), error.strerror))
    release = tuple(map(int, re.findall("[0-9]+", os.uname().release)[:2]))
    if not settled.in_namespaces or release < (5, 14):
        settled.processes += by_person
    settled.needed = orders.shown()[0][:2]
    return settled


def main(control_fd: int, setup: str) -> None:
    """Entry of the server process; `setup` is `Orders` as JSON."""
    orders = Orders(**json.loads(setup))
    settled = enter_namespaces(orders)
    if orders.uids and not settled.in_namespaces:
        for path in filter(closed, (sys.prefix, orders.folder)):
            sys.exit(f"checks run as another user here, who cannot reach {path}: put it elsewhere, "
                     "or open the folders above it (chmod o+x)")
    preload(orders.assignment)
    if orders.uids and not settled.in_namespaces and closed(sys.base_prefix):
        _preload_library([os.path.dirname(os.__file__)])
    # A child that collects garbage would touch, and so copy, all that was imported here.
    gc.collect()
    imported()
    _let_code_go()
    Server(socket.socket(fileno=control_fd), orders, settled).serve()
