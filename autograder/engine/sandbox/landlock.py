"""The files that a check may reach (Landlock).

Sources: landlock(7) and linux/landlock.h up to ABI 7.
"""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from .libc import checked, libc
from .namespaces import DEVICES, SYSTEM


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("access", ctypes.c_uint64), ("parent", ctypes.c_int32)]


CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = EXECUTE | READ_FILE | READ_DIR


def restrict(writable: Iterable[str | Path], readable: Iterable[str | Path] = ()) -> None:
    """Let this process read the interpreter's and the system's files and some other folders, and
    write to some.

    It reaches no TCP port, no abstract socket and no process outside either.

    Raises:
        OSError: the kernel has no Landlock.
    """
    abi = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    everything = (1 << (13 + (abi >= 2) + (abi >= 3))) - 1
    rules = _Ruleset(fs=everything, net=3 if abi >= 4 else 0, scoped=3 if abi >= 6 else 0)
    size = 8 * (1 + (abi >= 4) + (abi >= 6))
    ruleset = checked(libc.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0))

    def allow(path: str | Path, access: int) -> None:
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            access &= EXECUTE | WRITE_FILE | READ_FILE | (1 << 14 if abi >= 3 else 0)
        rule = _Beneath(access, handle)
        checked(libc.syscall(ADD_RULE, ruleset, 1, ctypes.byref(rule), 0))
        os.close(handle)

    for path in (sys.prefix, sys.base_prefix, *SYSTEM, "/proc", *readable):
        allow(path, READ & everything)
    for device in DEVICES:
        allow(device, WRITE_FILE | READ_FILE)
    for place in writable:
        allow(place, everything & ~EXECUTE)
    checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)
