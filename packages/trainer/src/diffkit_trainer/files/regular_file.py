"""Opens regular files only: a read from a FIFO may wait for ever, and a device may never end."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom, BufferedReader
from pathlib import Path
from threading import Lock

from diffkit_trainer.errors import RefusedError, RunError

__all__ = ["NONBLOCK", "irregular_kind", "open_regular", "open_run_file", "read_at", "read_file", "regular_descriptor"]

NONBLOCK, NOFOLLOW, BINARY = (getattr(os, f"O_{name}", 0) for name in ("NONBLOCK", "NOFOLLOW", "BINARY"))
"""Windows has neither of the first two, and it alone has the third, without which it translates line ends."""
_seeking = Lock()


def open_regular(path: str | os.PathLike[str], *, links: bool = True) -> BufferedReader:
    """A regular file, opened for reading without waiting. links, errors: see `regular_descriptor`."""
    return os.fdopen(regular_descriptor(path, os.O_RDONLY, links=links), "rb")


def regular_descriptor(path: str | os.PathLike[str], flags: int, *, links: bool = True) -> int:
    """The descriptor of a regular file, opened without waiting. flags: as for os.open. links: follow symbolic links.

    Raises OSError as the system does, and RefusedError, whose text is the kind of file, for anything but a regular file.
    """
    if not links and not NOFOLLOW and os.path.islink(path):  # noqa: PTH114 - the path may be a string
        raise RefusedError("a link")
    try:
        descriptor = os.open(path, flags | NONBLOCK | BINARY | (0 if links else NOFOLLOW), 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP and not links:
            raise RefusedError("a link") from None
        raise
    kind = irregular_kind(os.fstat(descriptor).st_mode)  # of the open file: the path may lead elsewhere by now
    if kind:
        os.close(descriptor)
        raise RefusedError(kind)
    return descriptor


@contextmanager
def open_run_file(path: Path, *, links: bool = False) -> Iterator[BufferedReader]:
    """A file of a run, opened for reading. Raises RunError, naming it, if it is not a regular file or cannot be read."""
    try:
        with open_regular(path, links=links) as file:
            yield file
    except RefusedError as error:
        raise RunError(f"{path}: expected a regular file, found {error}") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None


def read_file(path: Path, max_bytes: int, *, links: bool = False) -> bytes:
    """The content of a regular file of at most `max_bytes` bytes. Raises RunError, naming the file, for anything else.

    >>> read_file(Path("/dev/zero"), 8)
    Traceback (most recent call last):
    diffkit_trainer.errors.RunError: /dev/zero: expected a regular file, found a device
    """
    with open_run_file(path, links=links) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise RunError(f"{path}: expected at most {max_bytes} bytes, found {size}")
        return file.read(size)


def read_at(file: BufferedReader | BufferedRandom, size: int, start: int) -> bytes:
    """Up to `size` bytes of an open file. Several threads may read one file."""
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), size, start)
    with _seeking:
        file.seek(start)
        return file.read(size)


def irregular_kind(mode: int) -> str | None:
    """The kind of file with this st_mode in words, or None for a regular file.

    >>> irregular_kind(stat.S_IFDIR), irregular_kind(stat.S_IFREG)
    ('a folder', None)
    """
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
