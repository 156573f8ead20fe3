"""The free memory of a device or of the machine."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

__all__ = ["free_memory"]

GROUPS = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""By the version of control groups (2, 1): the files of the limit and the usage, and the key of the cache in memory.stat."""


def free_memory(device: torch.device | str = "cpu", root: Path = Path("/")) -> int | None:
    """Bytes that can be allocated on the device without swapping; None if neither the device nor the system reports them.

    A CUDA device reports its own free memory. For other devices it is the machine's MemAvailable, or what the limits of the
    process's control groups leave, if that is less. root: the folder that holds /proc and /sys.

    >>> free_memory("meta", Path("/nowhere")) is None
    True
    """
    device = torch.device(device)
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    return min([*_available(root), *_group_headrooms(root)], default=None)


def _available(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield 1024 * int(line.split()[1])


def _group_headrooms(root: Path) -> Iterator[int]:
    """The headroom of this process's control group and of each group above it."""
    for line in _lines(root / "proc/self/cgroup"):
        _, kind, path = line.split(":", 2)
        if kind in GROUPS:
            top = root / "sys/fs/cgroup" / kind
            group = top / path.strip("/")
            for folder in (group, *group.parents):
                with suppress(OSError, ValueError):  # no such file, or "max"
                    yield _headroom(folder, *GROUPS[kind])
                if folder == top:
                    break


def _headroom(folder: Path, limit: str, used: str, cache: str) -> int:
    maximum, usage = (int((folder / name).read_text()) for name in (limit, used))
    cached = next((int(line.split()[1]) for line in _lines(folder / "memory.stat") if line.startswith(f"{cache} ")), 0)
    return max(0, maximum - usage + cached)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
