"""The processes of a check: which they are, what they use, and how they are ended (Linux)."""

import contextlib
import os
import signal
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from .folders import remove

# Folders that any uid may write to.
OPEN_TO_ALL = ("/dev/shm", "/dev/mqueue", "/tmp", "/var/tmp", "/run/lock", "/var/crash")


def of_uid(uid: int) -> Iterator[str]:
    """The folders in /proc of a uid's processes."""
    return _those(lambda entry: entry.stat().st_uid == uid)


def of_namespace(namespace: int) -> Iterator[str]:
    """The folders in /proc of the processes in a PID namespace, which has this inode number."""
    return _those(lambda entry: os.stat(f"{entry.path}/ns/pid").st_ino == namespace)


def _those(chosen: Callable[[os.DirEntry[str]], bool]) -> Iterator[str]:
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and chosen(entry):
                yield entry.path
        except OSError:
            pass  # it has ended meanwhile, or is somebody else's


def _sum(processes: Iterable[str], number: Callable[[str], int]) -> int:
    total = 0
    for process in processes:
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            total += number(process)
    return total


def threads(uid: int) -> int:
    """Threads of all processes that a uid runs now; zombies run nothing and do not count."""
    try:
        os.getpriority(os.PRIO_USER, uid)  # fails if there are none, much faster than /proc
    except ProcessLookupError:
        return 0

    def number(process: str) -> int:
        state = Path(f"{process}/stat").read_bytes().rpartition(b") ")[2][:1]
        return 0 if state in b"ZX" else len(os.listdir(f"{process}/task"))

    return _sum(of_uid(uid), number)


def use_more_memory(processes: Sequence[str], most: int) -> bool:
    """Whether processes use more than `most` bytes of memory.

    What several share is split among them, which takes 20 ms for a large process: that is only
    looked at where they would have too much if nothing were shared.
    """
    return _sum(processes, _resident) > most and _sum(processes, _share) > most


def _resident(process: str) -> int:
    return int(Path(f"{process}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _share(process: str) -> int:
    try:
        with open(f"{process}/smaps_rollup", "rb") as stream:
            return 1024 * next(int(line.split()[1]) for line in stream if line.startswith(b"Pss:"))
    except PermissionError:  # in a container; this counts what is shared several times, but no file
        _, resident, of_files, *_ = map(int, Path(f"{process}/statm").read_bytes().split())
        return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")


def deleted(processes: Iterable[str]) -> int:
    """Bytes of the files that are deleted and which processes still have open, as far as seen."""
    sizes: dict[tuple[int, int], int] = {}

    def look(process: str) -> int:
        for descriptor in os.listdir(f"{process}/fd"):
            status = os.stat(f"{process}/fd/{descriptor}")
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                sizes[status.st_dev, status.st_ino] = 512 * status.st_blocks
        return 0

    _sum(processes, look)
    return sum(sizes.values())


def activity(processes: Iterable[str]) -> tuple[int, set[bytes]]:
    """CPU time of all threads of processes, in clock ticks, and the letters of their states."""
    states: set[bytes] = set()

    def ticks(process: str) -> int:
        total = 0
        for thread in os.listdir(f"{process}/task"):
            fields = Path(f"{process}/task/{thread}/stat").read_bytes().rpartition(b") ")[2].split()
            states.add(fields[0])
            total += int(fields[11]) + int(fields[12])
        return total

    return _sum(processes, ticks), states


def sweep_uid(uid: int) -> None:
    """As root: remove what a slot's uid has left in folders that are open to all."""
    for folder in OPEN_TO_ALL:
        try:
            left = [entry.path for entry in os.scandir(folder)
                    if entry.stat(follow_symlinks=False).st_uid == uid]
        except OSError:
            continue
        for path in left:
            remove(Path(path))


def kill_uid(uid: int) -> None:
    """As root: end every process of a slot's uid, even if it keeps forking."""
    while threads(uid):
        pid = os.fork()
        if pid == 0:
            try:
                os.setresuid(uid, uid, uid)
                os.kill(-1, signal.SIGKILL)  # all processes of this uid at once
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
