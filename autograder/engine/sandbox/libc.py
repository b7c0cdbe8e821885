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
    """Which freed memory malloc keeps for later; the rest goes back to the system at once.

    Without this, what is kept grows with the largest block that has been freed.

    Args:
        below: bytes, of one block; most: bytes, in all.
    """
    mallopt = getattr(libc, "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, below)
        mallopt(M_TRIM_THRESHOLD, most)
