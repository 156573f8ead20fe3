"""Files and folders that are whole or not there, whenever the process or the machine ends."""

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from diffkit_trainer.errors import RunError

__all__ = ["publish", "remove", "require_regular", "require_room", "sha256", "sync", "write_whole"]


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


def require_regular(path: Path) -> None:
    """Raises RunError for a link, a folder, a FIFO (which would never end) and what is not there."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(mode):
        raise RunError(f"{path}: expected a regular file, found {'a link' if stat.S_ISLNK(mode) else 'something else'}")


def require_room(folder: Path, needed: int) -> None:
    """Raises RunError where the disk has less than `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RunError(f"{folder}: {needed} bytes are needed, {free} are free on this disk; make room")


def sha256(path: Path) -> str:
    """The sum of a regular file, in hex; RunError for anything else."""
    require_regular(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Replace a small file by one with this text; nothing else is left where something went wrong."""
    temporary = path.with_name(f".{path.name}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # or a power cut leaves the new name on an empty file
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


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
