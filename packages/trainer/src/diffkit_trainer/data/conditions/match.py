"""Pairs files by their names, which may lack folders and suffixes."""

import os
from collections.abc import Callable, Sequence

from diffkit_trainer.files.text import printable
from diffkit_trainer.options import at_most

__all__ = ["listed", "match_names"]

MAX_LISTED = 20

LEVELS: tuple[Callable[[str], str], ...] = (
    lambda path: path,
    lambda path: os.path.splitext(path)[0],  # noqa: PTH122 - for a million files
    lambda path: path.rpartition("/")[2],
    lambda path: os.path.splitext(path.rpartition("/")[2])[0],  # noqa: PTH122
)
"""What two names must share: the path, that without its suffix, the name, or that without its suffix."""


def match_names(files: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """For each file the position of its name; None where there is none.

    Names are compared by the first of `LEVELS` at which each file has one; by the one with the fewest missing if there is none.
    A level at which two files are the same is not used. Of equal names the last counts.

    >>> match_names(["red/1.png", "red/2.png"], ["2.jpg", "1.jpg"]), match_names(["1.png", "2.png"], ["2.png"])
    ([1, 0], [None, 0])
    """
    best: list[int | None] = [None] * len(files)
    for level in LEVELS:
        wanted = [level(_path(file)) for file in files]
        if len(set(wanted)) < len(files):
            continue
        positions = {level(_path(name)): i for i, name in enumerate(names)}
        found = [positions.get(name) for name in wanted]
        if found.count(None) < best.count(None):
            best = found
        if None not in best:
            break
    return best


def listed(words: Sequence[str]) -> str:
    """At most 20 words for a message, and the number of the others.

    >>> listed(["a.png", "b.png"]), listed(list("abcdefghijklmnopqrstuvw"))[-15:]
    ('a.png, b.png', 's, t and 3 more')
    """
    return at_most(MAX_LISTED, [printable(word) for word in words])


def _path(name: str) -> str:
    path = name.replace(os.sep, "/").replace("\\", "/")
    return path.removeprefix("./")
