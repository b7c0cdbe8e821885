"""What a worker child gives up before it meets student code (Linux).

A layer is used where the machine allows it: `enter` returns for each layer None if it is active, or
the reason why it is missing. The layers overlap on purpose; none is trusted alone.

Sources: prctl(2), setrlimit(2).
"""

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from . import landlock, namespaces, seccomp
from .layers import LAYERS
from .libc import checked, libc
from .places import MAX_PROCESSES

MAX_FILE = 256 * 2**20  # bytes of one file
MAX_DESCRIPTORS = 512  # of one process
MAX_SIGNALS = 1024  # that wait, and timers

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38


@dataclass
class Settled:
    """What the server has settled for all checks.

    Args:
        layers: those that it has taken itself, or why not: layer -> None, or why it is missing.
        needed: folders that a check imports from.
        processes: how many processes and threads the uid of a check may have.
        program: of `seccomp.compiled`, if there is one.
    """

    layers: dict[str, str | None] = field(default_factory=dict)
    needed: list[Path] = field(default_factory=list)
    processes: int = MAX_PROCESSES
    program: bytes | None = None

    @property
    def in_namespaces(self) -> bool:
        """Whether the server and its checks have namespaces of their own."""
        return self.layers.get("PID namespace", "") is None


def become_subreaper() -> None:
    """In the server: orphans of a check become its children, so that it can end them."""
    checked(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def enter(folder: Path, uid: int | None, cpus: Collection[int], keep: int, cpu_seconds: int,
          memory: int, settled: Settled) -> dict[str, str | None]:
    """In the child: take on every layer that this machine has.

    Args:
        folder: the check's own folder, the only place it may write to.
        uid: slot uid to become, or None to stay who we are.
        cpus: processors to stay on.
        keep: the one descriptor beyond 0, 1, 2 that stays open.
        cpu_seconds, memory: limits; `memory` is address space beyond what is mapped already.

    Returns:
        layer -> None, or why it is missing.
    """
    missing = dict(settled.layers)

    def layer(name: str, action: Callable[[], object]) -> None:
        try:
            action()
            missing[name] = None
        except (OSError, ImportError, ValueError, RuntimeError) as error:
            missing[name] = str(error)

    writable: list[str | Path] = [folder, "/dev/shm"]  # DataLoader passes tensors through the other
    if cpus:
        with contextlib.suppress(OSError):  # the machine may have lost one
            os.sched_setaffinity(0, cpus)
    layer("own session", os.setsid)
    layer("descriptors", lambda: _close_all_but(keep))
    if settled.in_namespaces:
        layer("mount namespace", lambda: namespaces.own_folders(folder, settled.needed))
        writable += namespaces.OWN
        if uid is None:
            # So that the kernel counts the processes of this check alone.
            layer("PID namespace", namespaces.own_users)
            namespaces.powerless()
    layer("rlimits", lambda: _limit(cpu_seconds, memory, settled.processes))
    if uid is not None:
        layer("own uid", lambda: _become(uid))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # die with the server
    layer("no new privileges", no_new_privileges)
    layer("Landlock", lambda: landlock.restrict(writable))
    program = settled.program
    if program is not None:
        layer("seccomp", lambda: seccomp.take_on(program))
    return {name: missing.get(name) for name in LAYERS}


def no_new_privileges() -> None:
    """From here on no program gives this process more rights than it has."""
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _close_all_but(keep: int) -> None:
    os.closerange(3, keep)
    os.closerange(keep + 1, 65536)  # beyond what the server ever has open
    os.dup2(1, 2)  # 2 was the server's log, in which checks could leave words for each other


def _limit(cpu_seconds: int, memory: int, processes: int) -> None:
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for kind, value in (
        (resource.RLIMIT_AS, mapped + memory),
        (resource.RLIMIT_FSIZE, MAX_FILE),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
        (resource.RLIMIT_SIGPENDING, MAX_SIGNALS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    # The soft limit sends SIGXCPU, which tells that time was up; a second later comes SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    with contextlib.suppress(OSError):  # without memory, let the kernel end a check, not the grader
        Path("/proc/self/oom_score_adj").write_text("1000")


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
