"""Memory that does not suffice: told in one line, with the way out."""

import re

__all__ = ["out_of_memory"]

PHRASES = ("allocate memory", "out of memory", "failed to map segment", "bad_alloc", "can't start new thread")
"""What torch, the system's loader and Python's threads say of it."""

ASKED = re.compile(r"(?:allocate|allocate:?) (\d+ bytes|[\d.]+ [KMGT]i?B)")


def out_of_memory(error: BaseException) -> str:
    """What to say of an error where memory did not suffice; "" for any other.

    >>> out_of_memory(MemoryError("Unable to allocate 7.45 GiB for an array"))
    'the memory does not suffice, 7.45 GiB more were asked for: ask for less at a time, or stop other programs'
    >>> out_of_memory(RuntimeError("no such layer"))
    ''
    """
    said = str(error)
    if not isinstance(error, MemoryError) and not any(phrase in said.lower() for phrase in PHRASES):
        return ""
    asked = ASKED.search(said)
    more = f", {asked[1]} more were asked for" if asked else ""
    return f"the memory does not suffice{more}: ask for less at a time, or stop other programs"
