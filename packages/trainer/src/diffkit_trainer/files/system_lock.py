"""The system's lock on an open file: flock, on Windows a locked byte."""

import errno
import os
import time
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

__all__ = ["HELD_BY_ANOTHER", "lock_file"]

HELD_BY_ANOTHER = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
"""The errno of a lock that another process holds."""
BYTE = 2**30
"""The byte that is locked, far behind the content: Windows lets no other process read a locked byte."""
SECONDS_BETWEEN_TRIES = 0.1


def lock_file(file: IO[Any], *, wait: bool) -> None:
    """Lock a file that was just opened. The system releases the lock when the file is closed or the process ends.

    Raises OSError: one of HELD_BY_ANOTHER, without wait, and others where the file system has no locks.
    """
    if "fcntl" in globals():
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    else:
        _lock_byte(file.fileno(), wait=wait)


def _lock_byte(descriptor: int, *, wait: bool) -> None:
    os.lseek(descriptor, BYTE, os.SEEK_SET)  # the lock begins at the current position
    try:
        while not _try(descriptor, wait=wait):
            time.sleep(SECONDS_BETWEEN_TRIES)
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)


def _try(descriptor: int, *, wait: bool) -> bool:
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError as error:
        if wait and error.errno in HELD_BY_ANOTHER:
            return False
        raise
    return True
