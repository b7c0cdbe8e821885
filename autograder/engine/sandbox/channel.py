"""The grader's end of the channel to a worker: one job out, one reply back, within bounds.

What comes back is untrusted: the first whole frame is the reply, and anything after it, or anything
that cannot become a frame, is no answer. The grader takes a value as bytes, within the bounds of
its question, and reads it in a process that may be lost (`bounded`); it looks into short replies
alone, which say what went wrong.
"""

import errno
import functools
import math
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import wire
from .places import MAX_MEMORY

MAX_DISK = 2**30  # bytes in the folder of a check
MAX_ENTRIES = 50_000  # files and folders in it
GLANCE = 0.5  # seconds between two looks at what a check uses
SHORT = 2**14  # bytes of a reply that is read at once; no error takes more
MOST_IDLE = 6.0  # seconds in which a check uses no CPU time and wants none: it waits for ever
MOST_BLOCKED = 30.0  # likewise, where it waits for a disk, or for a child of vfork(2)
# Seconds that the checks of a problem may wait in all, of those that take longer than a glance;
# from then on, each may wait for so long.
MOST_WAITED, LEAST_IDLE = 20.0, 1.0
WAITED = "it waited"
HIDDEN = {errno.ENAMETOOLONG: "whose path is longer than the system takes",
          errno.EACCES: "that nobody may read"}
MAX_LINE = 10**6  # of a source; a forged one may have thousands of digits
ENOUGH = 0.5  # share of its CPU seconds that a check must have had to be late by its own fault
VALUE = {"value", "called", "earlier"}  # of a reply that is no error, see `child.serve`
# Of a reply that is one, see `child._describe`.
ERROR = {"stage", "type", "message", "file", "line", "code", "caller", "function"}


@dataclass(frozen=True)
class Answer:
    """What came back for a question: a value, an error of the submission, or neither.

    Args:
        status: "ok"; "error" (student code raised: see `error`); "timeout" (its CPU time was used
            up); "waited" (it used no CPU time any more); "hung" (it was not asked, since what it
            asks has hung before); "died" (the process ended without a reply); "garbage" (its reply
            was not one valid frame); "large" (its reply was larger than any answer to the question
            may be); "budget" (the time of the whole run was used up).
        frame: the bytes of the reply where status is "ok"; whether they hold a value has not been
            looked at.
        error: dict of `child._describe` where status is "error", and where it is known where the
            time went.
        detail: for "died", what ended it, as far as known; for "waited", for how long; for "hung",
            what has hung; for "large", the size.
        killed: something else than a limit or the grader sent SIGKILL, most often the kernel for
            lack of memory.
        starved: it was late because others had the processor; it wanted more than it got.
        handed: files of the submission, see `Question`; they never were where student code runs.
        seen: the bytes of what `Question.then` has seen; empty where it saw nothing.
        cpu_seconds, peak_mb: CPU time and largest resident memory of a forked worker.
        idle: seconds in which it neither used nor wanted CPU time, as far as seen.
    """

    status: str
    frame: bytes = field(default=b"", repr=False)
    error: dict[str, Any] | None = None
    detail: str = ""
    killed: bool = False
    starved: bool = False
    handed: dict[str, bytes] = field(default_factory=dict, repr=False)
    seen: bytes = field(default=b"", repr=False)
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    idle: float = 0.0

    @functools.cached_property
    def _content(self) -> dict[str, Any]:
        content = wire.unpack(self.frame)
        if not isinstance(content, dict) or not {"value"} <= set(content) <= VALUE:
            raise wire.WireError("the reply is no value")
        return content

    @property
    def value(self) -> Any:
        """The value in the frame. Where it is not trusted, read it in a process that may be lost.

        Raises:
            WireError: there is none.
        """
        return self._content["value"]

    @property
    def called(self) -> tuple[str, ...]:
        """Functions of earlier tasks that were called and answered from a record."""
        called = self._content.get("called", ())
        return tuple(name for name in called if isinstance(name, str)) if isinstance(
            called, list) else ()

    @property
    def earlier(self) -> dict[str, Any]:
        """What functions of earlier tasks gave, where they were recorded."""
        return dict(self._content.get("earlier", {}))


def parse(reply: bytes, most: wire.Bounds) -> Answer | None:
    """The answer in all that came back, or None if that is no whole frame."""
    frame, trailing = split(reply, most)
    if not frame:
        return None
    if not _plausible(frame, most):
        large = _plausible(frame, wire.LARGEST)
        return Answer("large", detail=_size(frame)) if large else Answer("garbage")
    if trailing:
        return Answer("garbage")
    if len(frame) > SHORT:
        return Answer("ok", frame)
    try:
        content = wire.unpack(frame)
    except wire.WireError:
        return Answer("garbage")
    if not isinstance(content, dict):
        return Answer("garbage")
    if "value" in content and set(content) <= VALUE:
        return Answer("ok", frame)
    error = content.get("error") if len(content) == 1 else None
    if not isinstance(error, dict) or set(error) != ERROR:
        return Answer("garbage")
    for key in ("stage", "type", "message"):
        if not isinstance(error[key], str):
            return Answer("garbage")
    line = error["line"] if isinstance(error["line"], int) else 0
    return Answer("error", error={
        **{key: value[:500] if isinstance(value, str) else None for key, value in error.items()},
        "line": int(line) if 0 < line < MAX_LINE else None})


def death(number: int | None) -> str:
    """What ended a process: the signal with this number, or itself where there is none."""
    if number is None:
        return "it ended the process (os._exit or the like)"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    usual = {"SIGSEGV": "a crash in compiled code (SIGSEGV)",
             "SIGKILL": "it was killed (SIGKILL), most often for using too much memory"}
    return usual.get(name, name)


def too_much() -> str:
    """What is said where the processes of a check use too much memory."""
    return f"its processes used more than {MAX_MEMORY // 2**20} MiB of memory together"


class Use:
    """The disk and memory that a check uses in all; `rlimits` bound only each file and process.
    `own` gives the folders in /proc of its processes, as far as they are known; `patience` is for
    how many seconds it may wait in all."""

    def __init__(self, folder: Path, own: Callable[[], Iterable[str]], patience: float) -> None:
        self.folder, self.own, self.patience = folder, own, patience
        # Not all files can be seen, once they are deleted; the whole disk shows them.
        self.reserve = min(MAX_DISK, shutil.disk_usage(folder).free // 2)
        self.ticks, self.looked = 0, math.inf  # at the last glance
        self.idle = self.blocked = 0.0
        self.wants_more = False

    def starved(self, cpu_seconds: float) -> bool:
        """Whether its processes, when last looked at, had had less than a part of this time."""
        return self.wants_more and self.ticks < ENOUGH * cpu_seconds * os.sysconf("SC_CLK_TCK")

    def excess(self) -> str:
        """Why the check must end, or an empty text."""
        own = list(self.own())
        deleted = 0
        if own:
            from . import processes  # of Linux, as all that is known of processes here

            ticks, states = processes.activity(own)
            self._count(ticks, states)
            if self.idle > self.patience or self.blocked > MOST_BLOCKED:
                return WAITED
            if processes.use_more_memory(own, MAX_MEMORY):
                return too_much()
            deleted = processes.deleted(own)
        size, entries = deleted, 0
        folders = [str(self.folder)]
        while folders:
            try:
                for entry in os.scandir(folders.pop()):
                    entries += 1
                    size += 512 * entry.stat(follow_symlinks=False).st_blocks
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    if size > MAX_DISK:
                        return f"it wrote more than {MAX_DISK // 2**20} MiB of files"
                    if entries > MAX_ENTRIES:
                        return f"it made more than {MAX_ENTRIES:,} files and folders"
            except OSError as error:
                if error.errno in HIDDEN:  # what is in there would count nowhere
                    return f"it made a folder {HIDDEN[error.errno]}"
                # Else the check is at work in there.
        full = shutil.disk_usage(self.folder.parent).free < self.reserve
        return "the disk was full" if full else ""

    def _count(self, ticks: int, states: Collection[bytes]) -> None:
        """Add the time since the last glance, if there was one, in which nothing was used or
        wanted. Where this process itself got no processor, nobody knows of all of that time."""
        now = time.monotonic()
        passed = min(now - self.looked, 2 * GLANCE)  # below 0 at the first glance
        used = (ticks - self.ticks) / os.sysconf("SC_CLK_TCK")
        self.looked, self.ticks = now, ticks
        self.wants_more = b"R" in states  # running or ready
        unused = 0.0 if self.wants_more else max(0.0, passed - max(0.0, used))
        if b"D" in states:
            self.blocked += unused
        else:
            self.idle += unused


def exchange(connection: socket.socket, job: list[bytes], deadline: float, use: Use,
             most: wire.Bounds) -> tuple[bytes, str]:
    """Send the job, and let go of it; read until the first frame is whole or the stream ends, and
    no more than `most`.

    Returns:
        The bytes so far, and why the child must be ended: "late", a sentence of `use`, or "".
    """
    reply = bytearray()
    try:
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        while job:
            connection.sendall(job.pop())
        glance = time.monotonic() + GLANCE
        while split(reply, most)[0] is None:
            now = time.monotonic()
            stop = "late" if now >= deadline else use.excess() if now >= glance else ""
            if stop:
                return bytes(reply), stop
            if now >= glance:
                glance = now + GLANCE
            connection.settimeout(max(0.001, min(deadline, glance) - now))
            try:
                chunk = connection.recv(1 << 20)
            except TimeoutError:
                continue
            if not chunk:
                break
            reply += chunk
        return bytes(reply), ""
    except TimeoutError:
        return bytes(reply), "late"
    except OSError:  # the child ended before it had read its job
        return bytes(reply), ""


def drain(connection: socket.socket) -> bytes:
    """What the ended child left on the channel, up to a MiB."""
    connection.settimeout(0.0)
    rest = bytearray()
    try:
        while len(rest) < 1 << 20:
            chunk = connection.recv(1 << 16)
            if not chunk:
                break
            rest += chunk
    except OSError:
        pass
    return bytes(rest)


def _plausible(reply: bytes | bytearray, most: wire.Bounds) -> bool:
    """Whether the bytes so far can become a frame within the bounds."""
    head = bytes(reply[:wire.HEADER.size])
    if len(head) < wire.HEADER.size:
        return wire.MAGIC.startswith(head[:8]) if len(head) <= 8 else head.startswith(wire.MAGIC)
    magic, text, arrays = wire.HEADER.unpack(head)
    return bool(magic == wire.MAGIC and text <= most.text and arrays <= most.arrays)


def split(reply: bytes | bytearray, most: wire.Bounds) -> tuple[bytes | None, bytes]:
    """`(first frame, what follows)`.

    The frame is None while it is incomplete. Bytes that cannot become a frame all count as one.
    """
    if not reply:
        return None, b""
    if not _plausible(reply, most):
        return bytes(reply), b""
    if len(reply) < wire.HEADER.size:
        return None, b""
    _, text, arrays = wire.HEADER.unpack(bytes(reply[:wire.HEADER.size]))
    size = wire.HEADER.size + text + arrays
    if len(reply) < size:
        return None, b""
    return bytes(reply[:size]), bytes(reply[size:])


def _size(frame: bytes) -> str:
    _, text, arrays = wire.HEADER.unpack_from(frame)
    return f"{(text + arrays) / 1e6:.1f} MB"
