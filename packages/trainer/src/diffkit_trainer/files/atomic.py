"""Files and folders that are whole or not there, whenever the process or the machine ends."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.regular import opened

__all__ = ["publish", "remove", "require_place", "require_room", "sha256", "sync", "write_whole", "written"]


def publish(temporary: Path, final: Path) -> None:
    """Give a finished folder its name: readable by others as the umask says, synced to the disk, renamed, and that synced."""
    mode = _mode_of_new_files(temporary)
    for path in temporary.iterdir():
        path.chmod(mode)  # safetensors makes files that only their owner can read
        sync(path)
    sync(temporary)
    if final.exists():  # the same name again: set aside, and whole until the new one has its place
        final.rename(_aside(final))
    temporary.rename(final)
    sync(final.parent)


def remove(folder: Path) -> None:
    """Rename first, so that a half-removed folder is never taken for a whole one."""
    trash = _aside(folder)
    folder.rename(trash)
    shutil.rmtree(trash)


def require_place(path: Path) -> None:
    """Raises OSError, which names the place, where no file of that name can be made, by making one beside it: of its folders the
    nearest that is there is tried. Nothing is left, no folder is made."""
    folder = next((each for each in path.parents if os.path.lexists(each)), path.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    probe = folder / _temporary_name(path)
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def require_room(folder: Path, needed: int) -> None:
    """Raises RunError where the disk has less than `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RunError(f"{folder}: {needed} bytes are needed, {free} are free on this disk; make room")


def sha256(path: Path) -> str:
    """The sum of a regular file, in hex; RunError for anything else."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; at the end it is synced to the disk and becomes `path`, or is removed where
    something went wrong.

    Parent folders are made. An OSError names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # not tempfile: its files are readable by their owner alone, whatever the umask
    temporary = path.with_name(_temporary_name(path))
    try:
        yield temporary
        sync(temporary)  # or a power cut leaves the new name on an empty file
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        error.filename = str(path)  # a write to a full disk names no file, and nobody knows the temporary one
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_whole(path: Path, text: str) -> None:
    """Replace a file by one with this text, see `written`."""
    with written(path) as temporary:
        temporary.write_text(text, "utf-8")


def _temporary_name(path: Path) -> str:
    return f".{path.name}.{os.getpid()}.tmp"


def _aside(folder: Path) -> Path:
    aside = folder.with_name(f".trash.{folder.name}.{os.getpid()}")
    if aside.exists():
        shutil.rmtree(aside)
    return aside


def _mode_of_new_files(folder: Path) -> int:
    """What the umask leaves of 0666, as a new file there has it: to ask for the umask is to change it, in all threads."""
    probe = folder / ".mode"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY, 0o666))
        return stat.S_IMODE(probe.stat().st_mode)
    finally:
        probe.unlink(missing_ok=True)
