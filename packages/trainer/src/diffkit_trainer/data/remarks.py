"""What is said of a folder of images: what was left out, by kind, and which images are in no class."""

import os
from collections.abc import Mapping, Sequence

from diffkit_trainer.data.decode import FORMATS, missing_decoders
from diffkit_trainer.files.text import printable

__all__ = ["RUN", "kind_of", "remarks_on"]

RUN, OTHER = "run folder", "other file"
"""The kinds that have a plural."""

MAX_SUFFIX = 8
MAX_KINDS = 8
MAX_NAMES = 3


def kind_of(name: str) -> str:
    """The suffix of a file in capitals.

    >>> kind_of("a.heic"), kind_of("README")
    ('HEIC', 'other file')
    """
    suffix = os.path.splitext(name)[1][1:]  # noqa: PTH122 - for a million files
    return suffix.upper() if suffix.isalnum() and len(suffix) <= MAX_SUFFIX else OTHER


def remarks_on(left_out: Mapping[str, int], files: Sequence[str]) -> tuple[str, ...]:
    """A line on what was left out, with what installs missing decoders, and one on images that are in no class.

    >>> remarks_on({"TXT": 1, "other file": 2}, ["rose/1.png", "rose/2.png", "a.png"])
    ('left out: 2 other files, 1 TXT', 'no classes: 1 of 3 images is in no folder (a.png); move it into that of its class')
    """
    counts = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{count} {kind}{'s' * (count > 1 and kind in (RUN, OTHER))}" for kind, count in counts if count]
    more = f" and {len(parts) - MAX_KINDS} more kinds" if len(parts) > MAX_KINDS else ""
    installs = [
        f"; {kind} needs {install}"
        for name, install in missing_decoders().items()
        for kind in left_out
        if f".{kind.lower()}" in FORMATS[name]
    ]
    found = [f"left out: {', '.join(parts[:MAX_KINDS])}{more}{''.join(installs)}"] if parts else []
    loose = [name for name in files if os.sep not in name]
    if 0 < 2 * len(loose) < len(files):
        names = ", ".join(map(printable, loose[:MAX_NAMES])) + ", ..." * (len(loose) > MAX_NAMES)
        where, move = ("is in no folder", "it") if len(loose) == 1 else ("are in no folder", "each")
        found.append(f"no classes: {len(loose)} of {len(files)} images {where} ({names}); move {move} into that of its class")
    return tuple(found)
