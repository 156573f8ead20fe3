"""Lock files that keep a second process out. The system releases them when the process ends, however it ends."""

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from diffkit_trainer.errors import LockedError, RunError

__all__ = ["locked", "wait_for_lock"]

try:
    import fcntl
except ImportError:  # this system has no flock: two runs in one folder are not kept apart
    fcntl = None  # type: ignore[assignment]

HELD_BY_ANOTHER = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@contextmanager
def locked(run: Path | str) -> Iterator[None]:
    """Hold the lock of a run folder, which is created if missing.

    Raises LockedError, with the process id, if another process holds it, and RunError if the folder cannot be written. On a
    file system without locks it warns, and two runs are not kept apart.
    """
    run = Path(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(run / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(f"{run}: cannot be written ({error.strerror})") from None
    with os.fdopen(descriptor, "r+") as file:
        if not _acquire(file, run, wait=False):
            raise LockedError(f"{run} is in use by process {file.read().strip() or 'unknown'}: wait for it, or stop it")
        try:
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
        except OSError as error:
            raise RunError(f"{run / 'lock'}: cannot be written ({error.strerror})") from None
        yield


@contextmanager
def wait_for_lock(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock file, then hold it. It is removed at the end of the block, unless that raises.

    Raises OSError if the file cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        _acquire(file, path, wait=True)
        with suppress(OSError):
            os.utime(path)
        yield
        path.unlink(missing_ok=True)


def _acquire(file: IO[Any], path: Path, *, wait: bool) -> bool:
    """Whether this process holds the lock now; False if another one does."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in HELD_BY_ANOTHER:
            return False
        warnings.warn(
            f"{path}: this file system has no locks ({error.strerror}): let no other process use it meanwhile", stacklevel=4
        )
    return True
