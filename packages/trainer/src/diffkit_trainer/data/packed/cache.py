"""The cache folder of packed images, and the removal of unused packs."""

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from diffkit_trainer.files.atomic import remove_folder

__all__ = ["cache_folder", "mark_used", "remove_unused"]

NAME = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{32})?(\.partial|\.lock)?|\.trash\..+")
HOUR, MONTH = 3600, 30 * 86400


def cache_folder() -> Path:
    """The folder of packed images: $DIFFKIT_CACHE, else $XDG_CACHE_HOME/diffkit, else ~/.cache/diffkit. Safe to delete.

    An empty variable counts as unset. Raises RuntimeError for a user without a home.
    """
    folder = os.environ.get("DIFFKIT_CACHE")
    return Path(folder) if folder else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diffkit"


def mark_used(path: Path) -> None:
    """Set the file's time to now, as a sign that its pack was opened. Does nothing if the cache cannot be written."""
    with suppress(OSError):
        os.utime(path)


def remove_unused(folder: Path, key: str) -> None:
    """Remove the packs and leftovers other than `key` that were not opened for 30 days.

    A pack of the same data (the same part of the key before the "-") in an earlier state goes after an hour: the data will not
    have its former modification times again. An hour, so that no process is just about to map it; a process that has mapped it
    keeps it. What cannot be removed stays.
    """
    data, now = key.partition("-")[0], time.time()
    for path in folder.iterdir():
        name = path.name.partition(".")[0]
        if name == key or not NAME.fullmatch(path.name):
            continue
        with suppress(OSError):
            idle = now - max(each.stat().st_mtime for each in (path, *(path.iterdir() if path.is_dir() else ())))
            if idle > (HOUR if name.partition("-")[0] == data else MONTH):
                remove_folder(path) if path.is_dir() else path.unlink()
