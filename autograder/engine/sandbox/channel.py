"""The grader's end of the channel to a worker: one job out, one reply back, within bounds.

What comes back is untrusted: the first whole frame is the reply, and anything after it, or anything
that cannot become a frame, is no answer.
"""

import io
import os
import shutil
import signal
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import wire

MAX_DISK = 2**30  # bytes in the folder of a check
MAX_ENTRIES = 50_000  # files and folders in it
MAX_MEMORY = 3 * 2**30  # bytes of all processes of a check together
GLANCE = 0.5  # seconds between two looks at what a check uses
MOST_IDLE = 6.0  # seconds in which a check uses no CPU time and wants none: it waits for ever
WAITED = "it waited"
ERROR = {"stage", "type", "message", "file", "line", "code"}  # of `child._describe`


@dataclass(frozen=True)
class Answer:
    """What came back for a question: a value, an error of the submission, or neither.

    Args:
        status: "ok"; "error" (student code raised: see `error`); "timeout" (its CPU time was used
            up); "waited" (it used no CPU time any more); "hung" (it was not asked, since what it
            asks has hung before); "died" (the process ended without a reply); "garbage" (its reply
            was not one valid frame); "budget" (the time of the whole run was used up).
        error: dict of `child._describe` where status is "error", and where it is known where the
            time went.
        detail: for "died", what ended it, as far as known; for "waited", for how long; for "hung",
            what has hung.
        killed: something else than a limit or the grader sent SIGKILL, most often the kernel for
            lack of memory.
        cpu_seconds, peak_mb: CPU time and largest resident memory of a forked worker.
    """

    status: str
    value: Any = None
    error: dict[str, Any] | None = None
    detail: str = ""
    killed: bool = False
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


def parse(frame: bytes | None, trailing: bytes) -> Answer | None:
    """The answer in a reply, or None if there is no reply at all."""
    if not frame:
        return None
    try:
        reply = wire.read_frame(io.BytesIO(frame))
    except (wire.WireError, EOFError):
        return Answer("garbage")
    if trailing or not isinstance(reply, dict) or len(reply) != 1:
        return Answer("garbage")
    if "value" in reply:
        return Answer("ok", value=reply["value"])
    error = reply.get("error")
    if not isinstance(error, dict) or set(error) != ERROR:
        return Answer("garbage")
    for key in ("stage", "type", "message"):
        if not isinstance(error[key], str):
            return Answer("garbage")
    return Answer("error", error={key: value[:500] if isinstance(value, str) else
                                  value if isinstance(value, int) else None
                                  for key, value in error.items()})


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


def in_time(answer: Answer | None) -> Answer | None:
    """The answer; "timeout" where it says that its CPU time was up, and where it was then."""
    up = answer is not None and answer.error is not None and answer.error["type"] == "TimeUp"
    return replace(answer, status="timeout") if answer is not None and up else answer


class Use:
    """The disk and memory that a check uses in all; `rlimits` bound only each file and process.

    Args:
        uid: whose processes are the check's; None where that is unknown.
    """

    def __init__(self, folder: Path, uid: int | None) -> None:
        self.folder, self.uid = folder, uid
        # Deleted files that are still open take space too; only the whole disk shows it.
        self.reserve = min(MAX_DISK, shutil.disk_usage(folder).free // 2)
        self.ticks, self.idle_since = -1, time.monotonic()

    def excess(self) -> str:
        """Why the check must end, or an empty text."""
        if self.uid is not None:
            from .lockdown import activity_of, memory_of  # of Linux, as uids of checks are

            ticks, wants_more = activity_of(self.uid)
            if wants_more or ticks != self.ticks:
                self.ticks, self.idle_since = ticks, time.monotonic()
            elif time.monotonic() - self.idle_since > MOST_IDLE:
                return WAITED
            if memory_of(self.uid) > MAX_MEMORY:
                return f"its processes used more than {MAX_MEMORY // 2**20} MiB of memory together"
        size = entries = 0
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
            except OSError:
                pass  # the check is at work in there
        full = shutil.disk_usage(self.folder.parent).free < self.reserve
        return "the disk was full" if full else ""


def exchange(connection: socket.socket, job: bytes, deadline: float,
              use: Use) -> tuple[bytes, str]:
    """Send the job, read until the first frame is whole or the stream ends.

    Returns:
        The bytes so far, and why the child must be ended: "late", a sentence of `use`, or "".
    """
    reply = bytearray()
    try:
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        connection.sendall(job)
        glance = time.monotonic() + GLANCE
        while split(reply)[0] is None and _plausible(reply):
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


def drain(connection: socket.socket, limit: int = 1 << 20) -> bytes:
    """What the ended child left on the channel (bounded)."""
    connection.settimeout(0.0)
    rest = bytearray()
    try:
        while len(rest) < limit:
            chunk = connection.recv(1 << 16)
            if not chunk:
                break
            rest += chunk
    except OSError:
        pass
    return bytes(rest)


def _plausible(reply: bytes | bytearray) -> bool:
    """Whether the bytes so far can become a frame within the size limits."""
    head = bytes(reply[:wire.HEADER.size])
    if len(head) < wire.HEADER.size:
        return wire.MAGIC.startswith(head[:8]) if len(head) <= 8 else head.startswith(wire.MAGIC)
    magic, text, arrays = wire.HEADER.unpack(head)
    return bool(magic == wire.MAGIC and text <= wire.MAX_JSON and arrays <= wire.MAX_ARRAYS)


def split(reply: bytes | bytearray) -> tuple[bytes | None, bytes]:
    """`(first frame, what follows)`.

    The frame is None while it is incomplete. Bytes that cannot become a frame all count as one.
    """
    if not reply:
        return None, b""
    if not _plausible(reply):
        return bytes(reply), b""
    if len(reply) < wire.HEADER.size:
        return None, b""
    _, text, arrays = wire.HEADER.unpack(bytes(reply[:wire.HEADER.size]))
    size = wire.HEADER.size + text + arrays
    if len(reply) < size:
        return None, b""
    return bytes(reply[:size]), bytes(reply[size:])
