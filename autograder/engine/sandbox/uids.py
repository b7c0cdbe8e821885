"""Uids for checks, one per slot, where the grader runs as root."""

import os
import queue
from pathlib import Path
from typing import Any


class SlotUids:
    """As root: uids that no person and no other grader on this machine uses, one per slot.

    They come from the range that systemd reserves for short-lived services (systemd.exec(5),
    DynamicUser=). A locked file per uid keeps two graders apart.
    """

    RANGE = range(61184, 65520)
    LOCKS = Path("/run/ee641-autograder")

    def __init__(self, count: int) -> None:
        self.all: list[int] = []
        self.locks: list[Any] = []
        self.free: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        if count and hasattr(os, "geteuid") and os.geteuid() == 0:
            self._claim(count)
        for uid in self.all:
            self.free.put(uid)

    def _claim(self, count: int) -> None:
        import fcntl
        import pwd

        known = {entry.pw_uid for entry in pwd.getpwall()}
        self.LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
        for uid in self.RANGE:
            if len(self.all) == count:
                return
            if uid in known:
                continue
            lock = (self.LOCKS / str(uid)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self.all.append(uid)
            self.locks.append(lock)

    def take(self) -> int | None:
        """A uid that no running check has, or None where all checks run as ourselves."""
        return self.free.get() if self.all else None

    def put_back(self, uid: int | None) -> None:
        if uid is not None:
            self.free.put(uid)

    def close(self) -> None:
        for lock in self.locks:
            lock.close()


def give(folder: Path, uid: int) -> None:
    """Make a check's private folder the property of its uid, closed to all others."""
    for directory, _, files in os.walk(folder):
        os.chown(directory, uid, uid)
        for file in files:
            os.chown(os.path.join(directory, file), uid, uid)
    folder.chmod(0o700)
