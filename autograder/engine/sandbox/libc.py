"""The C library, for the system calls that Python does not have."""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    """The result of a call.

    Raises:
        OSError: the call has failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def keep_freed(below: int = 2**20, most: int = 2**17) -> None:
    """Let malloc keep freed blocks of fewer bytes than `below` for later, and `most` in all. Else
    what it keeps grows with the largest block that was freed."""
    if hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(M_MMAP_THRESHOLD, below)
        libc.mallopt(M_TRIM_THRESHOLD, most)
