"""Control groups of Linux: what the processes of a place may use together, as the kernel counts it.

That includes what no limit of a process counts: shared memory, buffers of pipes and sockets. Pages
that are shared with the server count once. A group gets its share of the processors as a whole,
however many processes it has.

Source: the kernel's documentation of cgroups, versions 1 and 2.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

TOP = Path("/sys/fs/cgroup")
PREFIX = "ee641-"
CONTROLLERS = ("memory", "pids", "cpu")


class Group:
    """A control group of so many bytes, processes and threads, for one check after the other;
    nothing where the machine allows none. Its name is unique in this process."""

    def __init__(self, name: str, memory: int, processes: int,
                 listed: Path = Path("/proc/self/cgroup"), top: Path = TOP) -> None:
        self.folders: list[Path] = []
        self.handles: list[int] = []  # of files in which a process that writes 0 joins the group
        self.lacking: str | None = None  # why it does not hold all that it should
        limits = {"memory.max": memory, "memory.swap.max": 0, "memory.oom.group": 1,
                  "memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory,
                  "pids.max": processes}  # of both versions
        try:
            for parent in _parents(listed, top):
                _tidy(parent)
                folder = parent / f"{PREFIX}{os.getpid()}-{name}"
                folder.mkdir()
                self.folders.append(folder)
                for file, value in limits.items():
                    if (folder / file).exists():
                        (folder / file).write_text(str(value))
                self.handles.append(os.open(folder / "cgroup.procs", os.O_WRONLY))
        except OSError as error:  # for this controller, and those that come after it
            self.lacking = error.strerror
        if not self.folders:
            self.lacking = self.lacking or "this user may make none here"
        self.failures = killed_for_memory(self.folders)

    def ran_out(self) -> bool:
        """Whether the kernel has ended a process for the memory of this group, since last asked."""
        before, self.failures = self.failures, killed_for_memory(self.folders)
        return self.failures > before

    def close(self) -> None:
        """Remove the group; no process may be left."""
        for handle in self.handles:
            os.close(handle)
        for folder in self.folders:
            with contextlib.suppress(OSError):  # a process is still about to end: see `_tidy`
                folder.rmdir()


def killed_for_memory(folders: Iterable[Path]) -> int:
    """How many processes the kernel has ended for the memory of the group with these folders."""
    for folder in folders:
        for name in ("memory.events", "memory.oom_control"):  # of version 2, of version 1
            if (folder / name).exists():
                counts = dict(line.split() for line in (folder / name).read_text().splitlines())
                return int(counts.get("oom_kill", 0))
    return 0


def _tidy(parent: Path) -> None:
    """Remove what graders have left that were killed: their number is in the name."""
    for left in parent.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):
                left.rmdir()


def _parents(listed: Path, top: Path) -> Iterable[Path]:
    """The folders in which a group can be made, for one controller after the other."""
    own = dict(line.split(":", 2)[1:] for line in listed.read_text().splitlines())
    if "" in own and (top / "cgroup.controllers").exists():  # version 2
        group = top / own[""].lstrip("/")
        # Only a group without processes may have groups below it: those beside ours.
        parent = group if group == top else group.parent
        if {"memory", "pids"} <= set((parent / "cgroup.subtree_control").read_text().split()):
            yield parent
    else:
        for controller in CONTROLLERS:
            for names, path in own.items():
                if controller in names.split(","):
                    yield top / controller / path.lstrip("/")
