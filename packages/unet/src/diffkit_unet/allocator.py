"""Memory that is freed and allocated again at every step stays in the process, in huge pages."""

import ctypes
import mmap
import os
import sys
from pathlib import Path

__all__ = ["keep_memory"]

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Names and numbers of the settings in glibc's malloc.h."""
HUGE_PAGE = 2**21


def keep_memory() -> bool:
    """Keep freed memory in this process instead of returning it to the system; True where the system supports it (glibc).

    Each step of a network frees and allocates tensors of megabytes. By default the system takes each back and gives out empty
    pages again, which costs a fifth of a training step on a CPU. Call it once at a program's start, before the first tensors: the
    memory of those that follow then has huge pages where the system allows them, whose addresses the processor translates faster.
    It holds until the process ends, whose memory then stays at its peak. Results are the same, bit for bit.

    >>> keep_memory() in (True, False)
    True
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if getattr(libc, "mallopt", None) is None:
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 2**28}  # -1: never trimmed
    kept = all(libc.mallopt(name, value) == 1 for name, value in settings.items())
    if kept and _addresses_cost_nothing():
        _advise_huge_pages(libc)
    return kept


def _addresses_cost_nothing() -> bool:
    """Whether reserved addresses count towards no limit: neither one of this process nor that of strict overcommit."""
    limits, overcommit = Path("/proc/self/limits"), Path("/proc/sys/vm/overcommit_memory")
    if not (limits.exists() and overcommit.exists()):
        return False
    counting = ("Max address space", "Max data size")
    found = {line.split()[3] for line in limits.read_text().splitlines() if line.startswith(counting)}
    return found == {"unlimited"} and overcommit.read_text().strip() != "2"


def _advise_huge_pages(libc: ctypes.CDLL) -> None:
    """Reserve addresses for half of the machine's memory, which malloc then gives out; they get huge pages once they are used."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if block := libc.malloc(size):
        start = -(-block // HUGE_PAGE) * HUGE_PAGE
        libc.madvise(start, size - HUGE_PAGE, mmap.MADV_HUGEPAGE)
        libc.free(block)
