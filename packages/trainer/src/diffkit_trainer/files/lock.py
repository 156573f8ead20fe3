"""Lock files that keep a second process out. The system releases them when the process ends, however it ends."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from diffkit_trainer.errors import LockedError, RefusedError, RunError
from diffkit_trainer.files.regular_file import regular_descriptor
from diffkit_trainer.files.system_lock import HELD_BY_ANOTHER, lock_file

__all__ = ["locked", "wait_for_lock"]

PROCESS_ID = re.compile(rb"[0-9]*")
"""The content of a lock file: the id of the process that held it last."""
MAX_BYTES = 32


@contextmanager
def locked(run: Path | str) -> Iterator[None]:
    """Hold the lock of a run folder, which is created if missing.

    Raises LockedError, with the process id, if another process holds it, and RunError if the folder cannot be written or has
    something else under the lock's name, which stays as it is. On a file system without locks it warns, and two runs are not
    kept apart.
    """
    run, path = Path(run), Path(run) / "lock"
    try:
        run.mkdir(parents=True, exist_ok=True)
        file = _open(path)
    except OSError as error:
        raise RunError(f"{run}: cannot be written ({error.strerror})") from None
    with file:
        acquired, holder = _acquire(file, run, wait=False) and _has_name(file, path), file.read(MAX_BYTES)
        if not PROCESS_ID.fullmatch(holder):
            raise RunError(f"{path}: is not a lock of diffkit: move it away")
        if not acquired:
            raise LockedError(f"{run} is in use by process {holder.decode() or 'unknown'}: wait for it, or stop it")
        try:
            file.seek(0)
            file.truncate()
            file.write(b"%d" % os.getpid())
            file.flush()
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror})") from None
        yield


@contextmanager
def wait_for_lock(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock file, then hold it. It is removed at the end of the block, unless that raises.

    Raises OSError if the file cannot be created, and RunError if it is not a regular file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open(path) as file:
        _acquire(file, path, wait=True)
        with suppress(OSError):
            os.utime(path)
        yield
        with suppress(PermissionError):  # Windows keeps the name of an open file
            path.unlink(missing_ok=True)


def _open(path: Path) -> IO[bytes]:
    """The lock file, created if missing. Raises OSError as the system does, and RunError for anything but a regular file."""
    try:
        return os.fdopen(regular_descriptor(path, os.O_RDWR | os.O_CREAT, links=False), "r+b")
    except RefusedError as error:
        raise RunError(f"{path}: expected a lock file, found {error}: move it away") from None


def _has_name(file: IO[Any], path: Path) -> bool:
    """Whether the open file still has this name: another process may have removed it, see `remove_unused_run`."""
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def _acquire(file: IO[Any], path: Path, *, wait: bool) -> bool:
    """Whether this process holds the lock now; False if another one does."""
    try:
        lock_file(file, wait=wait)
    except OSError as error:
        if error.errno in HELD_BY_ANOTHER:
            return False
        warnings.warn(
            f"{path}: this file system has no locks ({error.strerror}): let no other process use it meanwhile", stacklevel=4
        )
    return True
