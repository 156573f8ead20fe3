"""Where packed images lie, and which of them are still wanted."""

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from diffkit_trainer.files.atomic import remove

__all__ = ["cache_folder", "prune", "used"]

PACKED = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{32})?(\.partial|\.lock)?|\.trash\..+")
HOUR, MONTH = 3600, 30 * 86400


def cache_folder() -> Path:
    """Where packed images lie: $DIFFKIT_CACHE, else $XDG_CACHE_HOME/diffkit, else ~/.cache/diffkit. Safe to delete.

    A variable that is empty counts as none. Raises RuntimeError for a user without a home.
    """
    given = os.environ.get("DIFFKIT_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diffkit"


def used(path: Path) -> None:
    """Note that a pack was opened now, where the cache can be written."""
    with suppress(OSError):
        os.utime(path)


def prune(folder: Path, key: str) -> None:
    """Remove the packs and leftovers beside `key` that nobody opened for 30 days, or for an hour where they are of the same data
    (the same part before the "-") as it was before it changed: nothing brings back the times of change they were made by.

    An hour, so that none goes that a process is about to map; one that is mapped already stays with its process, whatever
    becomes of its name. What cannot be removed is left.
    """
    data, now = key.partition("-")[0], time.time()
    for path in folder.iterdir():
        name = path.name.partition(".")[0]
        if name == key or not PACKED.fullmatch(path.name):
            continue
        with suppress(OSError):
            idle = now - max(each.stat().st_mtime for each in (path, *(path.iterdir() if path.is_dir() else ())))
            if idle > (HOUR if name.partition("-")[0] == data else MONTH):
                remove(path) if path.is_dir() else path.unlink()
