"""Places in which checks run: each has one check at a time, with what it may use."""

import os
import queue
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cgroups import Group

MAX_MEMORY = 3 * 2**30  # bytes of all processes of a check together
MAX_PROCESSES = 64  # and threads; a DataLoader with two workers takes 9, one with eight takes 33


@dataclass(frozen=True)
class Place:
    """Where one check runs.

    Args:
        uid: that it runs as; None where that is ourselves.
        cpus: processors that it stays on; all where there are fewer than places.
        group: of control groups, of this place alone; None where checks are not locked down.
    """

    uid: int | None = None
    cpus: tuple[int, ...] = ()
    group: Group | None = None


class Places:
    """All places of a pool.

    As root, each has a uid that no person and no other grader on this machine uses. They come from
    the range that systemd reserves for short-lived services (systemd.exec(5), DynamicUser=). A
    locked file per uid keeps two graders apart.

    Args:
        locked: checks are locked down: give each place its uid, processors and group.
    """

    RANGE = range(61184, 65520)
    LOCKS = Path("/run/ee641-autograder")

    def __init__(self, count: int, locked: bool) -> None:
        self.uids: list[int] = []
        self.locks: list[Any] = []
        self.all = [Place()] * count
        if locked:
            if os.geteuid() == 0:
                self._claim(count)
            cpus = sorted(os.sched_getaffinity(0))
            self.all = [
                Place(uid, tuple(cpus[number::count] if len(cpus) >= count else cpus),
                      Group(f"{id(self)}-{number}", MAX_MEMORY, MAX_PROCESSES))
                for number, uid in enumerate(self.uids or [None] * count)]
        self.entrance = threading.Lock()
        self.free: queue.SimpleQueue[Place] = queue.SimpleQueue()
        for place in self.all:
            self.free.put(place)

    def _claim(self, count: int) -> None:
        import fcntl
        import pwd

        known = {entry.pw_uid for entry in pwd.getpwall()}
        self.LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
        for uid in self.RANGE:
            if len(self.uids) == count:
                return
            if uid in known:
                continue
            lock = (self.LOCKS / str(uid)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self.uids.append(uid)
            self.locks.append(lock)

    def layers(self) -> dict[str, str | None]:
        """Layers of the lock-down -> None where each place has its own, else why it is missing."""
        return {"own uid": None if self.uids else "the grader does not run as root",
                "control groups": next((place.group.lacking for place in self.all if place.group),
                                       None)}

    @contextmanager
    def taken(self, alone: bool = False) -> Iterator[Place]:
        """A place that no running check has; alone, no check runs in the others meanwhile."""
        with self.entrance:  # so that who waits for all of them gets them
            places = [self.free.get() for _ in self.all[:None if alone else 1]]
        try:
            yield places[0]
        finally:
            for place in places:
                self.free.put(place)

    def close(self) -> None:
        """Let others have the uids, and remove the groups; no check may run any more."""
        for lock in self.locks:
            lock.close()
        for place in self.all:
            if place.group is not None:
                place.group.close()


def give(folder: Path, uid: int) -> None:
    """Make a check's private folder the property of its uid, closed to all others."""
    for directory, _, files in os.walk(folder):
        os.chown(directory, uid, uid)
        for file in files:
            os.chown(os.path.join(directory, file), uid, uid)
    folder.chmod(0o700)


def closed(path: str) -> bool:
    """Whether other users cannot reach a folder."""
    return any(not folder.stat().st_mode & stat.S_IXOTH
               for folder in (Path(path), *Path(path).parents))
