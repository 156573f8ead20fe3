"""Options that cannot be taken as they are, and what to say of them."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["UsageError", "flag", "given", "nearest"]

LISTED = 50


class UsageError(ValueError):
    """An option that cannot be taken as it is; the message names it, what was expected, and what was found."""


def flag(key: str) -> str:
    """The option that gives a key.

    >>> flag("batch_size")
    '--batch-size'
    """
    return f"--{key.replace('_', '-')}"


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, of those whose default is None."""
    return {key: value for key, value in options.items() if value is not None}


def nearest(word: str, known: Iterable[str], what: str) -> str:
    """What to say to a word that is not known: the nearest one that is, or all of them.

    >>> nearest("smaple", ["sample", "train"], "commands"), nearest("x", ["sample", "train"], "commands")
    ("did you mean 'sample'?", 'the commands are sample, train')
    """
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"did you mean {near[0]!r}?" if near else f"the {what} are {', '.join(names[:LISTED])}{more}"
