"""Errors of exhausted memory, in one line with the way out."""

import re

__all__ = ["out_of_memory"]

PHRASES = ("allocate memory", "out of memory", "failed to map segment", "bad_alloc", "can't start new thread")
"""In the messages of torch, the system's loader and Python's threads."""

REQUESTED = re.compile(r"(?:allocate|allocate:?) (\d+ bytes|[\d.]+ [KMGT]i?B)")


def out_of_memory(error: BaseException) -> str:
    """The message of an error of exhausted memory; "" for any other error.

    >>> out_of_memory(MemoryError("Unable to allocate 7.45 GiB for an array"))
    'out of memory, 7.45 GiB more were requested: use a smaller batch or size, or stop other programs'
    >>> out_of_memory(RuntimeError("no such layer"))
    ''
    """
    text = str(error)
    if not isinstance(error, MemoryError) and not any(phrase in text.lower() for phrase in PHRASES):
        return ""
    requested = REQUESTED.search(text)
    more = f", {requested[1]} more were requested" if requested else ""
    return f"out of memory{more}: use a smaller batch or size, or stop other programs"
