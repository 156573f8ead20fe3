"""How much memory is left."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

__all__ = ["free_memory"]

GROUPS = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Of a control group of version 2 and of 1: the files of its limit and of what it uses, and the cache in that."""


def free_memory(device: torch.device | str = "cpu", root: Path = Path("/")) -> int | None:
    """Bytes that can still be taken on the device, without swapping; None where neither the device nor the system says.

    A CUDA device says what it has left. For any other it is the machine's MemAvailable, or what a limit of the process's control
    groups leaves, where that is less. root: where /proc and /sys are.

    >>> free_memory("meta", Path("/nowhere")) is None
    True
    """
    device = torch.device(device)
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    return min([*_available(root), *_left_by_groups(root)], default=None)


def _available(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield 1024 * int(line.split()[1])


def _left_by_groups(root: Path) -> Iterator[int]:
    """Of the group of this process and of each group that holds it."""
    for line in _lines(root / "proc/self/cgroup"):
        _, kind, path = line.split(":", 2)
        if kind in GROUPS:
            top = root / "sys/fs/cgroup" / kind
            group = top / path.strip("/")
            for folder in (group, *group.parents):
                with suppress(OSError, ValueError):  # no such file, or "max"
                    yield _left(folder, *GROUPS[kind])
                if folder == top:
                    break


def _left(folder: Path, limit: str, used: str, cache: str) -> int:
    most, taken = (int((folder / name).read_text()) for name in (limit, used))
    cached = next((int(line.split()[1]) for line in _lines(folder / "memory.stat") if line.startswith(f"{cache} ")), 0)
    return max(0, most - taken + cached)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
