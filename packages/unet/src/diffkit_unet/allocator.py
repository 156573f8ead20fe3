"""Memory that is freed and allocated again at every step stays in the process."""

import ctypes
import sys

__all__ = ["keep_memory"]

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Names and numbers of the settings in glibc's malloc.h."""


def keep_memory() -> bool:
    """Keep freed memory in this process instead of returning it to the system; True where the system supports it (glibc).

    Each step of a network frees and allocates tensors of megabytes. By default the system takes each back and gives out empty
    pages again, which costs a fifth of a training step on a CPU. Call it once at a program's start. It holds until the process
    ends, whose memory then stays at its peak. Results are the same, bit for bit.

    >>> keep_memory() in (True, False)
    True
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 2**28}
    return all(mallopt(name, value) == 1 for name, value in settings.items())
