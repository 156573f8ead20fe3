"""The locks that keep a second process out, and let go of themselves however the first one ends."""

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from diffkit_trainer.errors import LockedError, RunError

__all__ = ["locked", "waiting_for"]

try:
    import fcntl
except ImportError:  # no flock on this system: two runs in one folder are not kept apart there
    fcntl = None  # type: ignore[assignment]

HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@contextmanager
def locked(run: Path | str) -> Iterator[None]:
    """Hold the run folder's lock; it is free again when the process ends, however it ends.

    Raises LockedError, naming the process, where another one holds it, and RunError where the folder cannot be written. A file
    system that keeps no locks is a warning: two runs are not kept apart there.
    """
    run = Path(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(run / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(f"{run}: cannot be written ({error.strerror})") from None
    with os.fdopen(descriptor, "r+") as file:
        if not _lock(file, run, waiting=False):
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
def waiting_for(path: Path) -> Iterator[None]:
    """Hold a lock file, after whoever holds it now, and remove it after the block, unless that fails. Raises OSError where it
    cannot be made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        _lock(file, path, waiting=True)
        with suppress(OSError):
            os.utime(path)
        yield
        path.unlink(missing_ok=True)


def _lock(file: IO[Any], path: Path, *, waiting: bool) -> bool:
    """Whether nobody else has the file now."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waiting else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in HELD:
            return False
        warnings.warn(
            f"{path}: this file system keeps no locks ({error.strerror}): let no other process use it meanwhile", stacklevel=4
        )
    return True
