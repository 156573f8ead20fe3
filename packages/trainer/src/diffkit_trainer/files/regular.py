"""Files that are opened only where they are files: reading a FIFO would wait for ever, and a device may never end."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from diffkit_trainer.errors import RefusedError, RunError

__all__ = ["open_regular", "opened", "read_file", "refusal"]


def open_regular(path: str | os.PathLike[str], *, links: bool = True) -> BufferedReader:
    """A regular file, opened for reading without waiting. links: take one that a link leads to.

    Raises OSError as the system does, and RefusedError, which says what it is, for anything else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno == errno.ELOOP and not links:
            raise RefusedError("a link") from None
        raise
    refused = refusal(os.fstat(descriptor).st_mode)  # of what was opened, not of what had its name before
    if refused:
        os.close(descriptor)
        raise RefusedError(refused)
    return open(descriptor, "rb")


@contextmanager
def opened(path: Path, *, links: bool = False) -> Iterator[BufferedReader]:
    """A file of a run, opened for reading; RunError, naming it, where it is no regular file or cannot be read."""
    try:
        with open_regular(path, links=links) as file:
            yield file
    except RefusedError as error:
        raise RunError(f"{path}: expected a regular file, found {error}") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None


def read_file(path: Path, largest: int, *, links: bool = False) -> bytes:
    """What is in a file of a run of at most `largest` bytes; RunError, naming it, for anything else.

    >>> read_file(Path("/dev/zero"), 8)
    Traceback (most recent call last):
    diffkit_trainer.errors.RunError: /dev/zero: expected a regular file, found a device
    """
    with opened(path, links=links) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise RunError(f"{path}: expected at most {largest} bytes, found {size}")
        return file.read(size)


def refusal(mode: int) -> str | None:
    """Why a path of this st_mode is never read, or None for a regular file.

    >>> refusal(stat.S_IFDIR), refusal(stat.S_IFREG)
    ('a folder', None)
    """
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
