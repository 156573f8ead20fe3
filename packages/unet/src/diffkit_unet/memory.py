"""Keeping freed memory for the next step, on processors that would return it to the system each time."""

import ctypes
import sys

__all__ = ["keep_memory"]

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""The names that glibc's malloc.h gives its settings."""


def keep_memory() -> bool:
    """Have this process keep freed memory instead of returning it to the system; True where that could be done (glibc).

    Every step of a network frees tensors of megabytes and asks for them again. By default each goes back to the system and
    comes back as empty pages, which cost a fifth of a training step on a processor. For the whole process, until it ends: call
    it once at a program's start; the process then stays as large as its largest moment. Results are the same, bit for bit.

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
