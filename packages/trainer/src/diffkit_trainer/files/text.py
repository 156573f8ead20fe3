"""File names as text for one line of a message."""

import os

__all__ = ["printable"]


def printable(name: str | os.PathLike[str]) -> str:
    r"""A file name as one line of UTF-8: undecodable bytes and control characters become escapes.

    >>> printable("a\udce9\n.png")
    'a\\xe9\\n.png'
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
