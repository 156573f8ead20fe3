"""Atomic writes: a file or folder is complete under its name, or absent, whenever the process or the machine stops."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.regular_file import open_run_file

__all__ = [
    "atomic_write",
    "atomic_write_bytes",
    "atomic_write_text",
    "commit_folder",
    "remove_folder",
    "require_creatable",
    "require_free_space",
    "sha256",
]

FOLDERS_OPEN = hasattr(os, "O_DIRECTORY")
"""Whether the system opens folders as files: all but Windows."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder to write to. At the end of the block it is synced and renamed to `path`.

    If the block raises, the temporary file is removed and `path` stays as it was. Parent folders are created. An OSError names
    `path`, not the temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # not tempfile: only the owner could read its files, whatever the umask
    temporary = path.with_name(_temporary_name(path))
    try:
        yield temporary
        _sync(temporary)  # or a power cut leaves the new name on an empty file
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        error.filename = str(path)  # a write to a full disk names no file
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Replace a file by one with this content; see `atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def atomic_write_text(path: Path, text: str) -> None:
    """Replace a file by one with this text in UTF-8; see `atomic_write`."""
    atomic_write_bytes(path, text.encode("utf-8"))


def commit_folder(temporary: Path, final: Path) -> None:
    """Sync a finished folder to the disk and rename it to `final`, which it replaces. Its files get the umask's permissions."""
    mode = _mode_of_new_files(temporary)
    for path in temporary.iterdir():
        path.chmod(mode)  # safetensors creates files that only their owner can read
        _sync(path)
    _sync(temporary)
    if final.exists():  # move the former folder away in one piece: it stays complete until the new one is in place
        final.rename(_trash(final))
    temporary.rename(final)
    _sync(final.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder. It is renamed first, so that a partly removed folder is never taken for a complete one."""
    trash = _trash(folder)
    folder.rename(trash)
    shutil.rmtree(trash)


def require_free_space(folder: Path, needed: int) -> None:
    """Raises RunError if the disk has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RunError(f"{folder}: {needed} bytes are needed, {free} are free on this disk; make room")


def require_creatable(path: Path) -> None:
    """Raises OSError, naming the path, if no file can be created there.

    It is tried in the nearest parent folder that exists. No file and no folder is left behind.
    """
    folder = next((each for each in path.parents if os.path.lexists(each)), path.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    probe = folder / _temporary_name(path)
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def sha256(path: Path) -> str:
    """The sha256 of a regular file, in hex. Raises RunError for anything else."""
    with open_run_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk.

    Windows syncs only files that are open for writing. It opens no folder: its file system keeps the names by a journal.
    """
    if not FOLDERS_OPEN and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if FOLDERS_OPEN else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary_name(path: Path) -> str:
    return f".{path.name}.{os.getpid()}.tmp"


def _trash(folder: Path) -> Path:
    trash = folder.with_name(f".trash.{folder.name}.{os.getpid()}")
    if trash.exists():
        shutil.rmtree(trash)
    return trash


def _mode_of_new_files(folder: Path) -> int:
    """The permissions of a new file there, 0666 less the umask. To read the umask itself is to change it, in all threads."""
    probe = folder / ".mode"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY, 0o666))
        return stat.S_IMODE(probe.stat().st_mode)
    finally:
        probe.unlink(missing_ok=True)
