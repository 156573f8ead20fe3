"""JSON objects as typed, bounded structures, with the format that they are written in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.strict_json import LARGEST, read_json

__all__ = ["FORMAT", "Count", "Text", "as_type", "converted", "known_format", "read_document", "with_format"]

FORMAT = 1
"""Of config.json, state.json, the manifest, exports and notes in pictures; a number more where older readers would be wrong."""

Count: TypeAlias = Annotated[int, Meta(ge=0, lt=2**62)]
Text: TypeAlias = Annotated[str, Meta(max_length=4096)]
"""A name of bounded length; folders and classes may have any letters, and whoever shows them escapes what a terminal acts on."""

T = TypeVar("T")


def with_format(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it is written, with the format first.

    >>> with_format({"step": 3})
    {'format': 1, 'step': 3}
    """
    return {"format": FORMAT} | dict(document) | {"format": FORMAT}


def known_format(document: Mapping[str, Any], path: object) -> dict[str, Any]:
    """The document without its format; one that says none is of the first. RunError for a format that is not known here.

    >>> known_format({"format": 1, "step": 3}, "state.json")
    {'step': 3}
    """
    found = document.get("format", FORMAT)
    if type(found) is not int or found < 1:
        raise RunError(f"{path}: format must be a whole number from 1, found {found!r:.60}")
    if found > FORMAT:
        raise RunError(f"{path}: is written in format {found!s:.20}, formats up to {FORMAT} are known here: upgrade diffkit")
    return {key: value for key, value in document.items() if key != "format"}


def read_document(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """The object in a JSON file of a known format, without that; RunError, naming the file, for anything else."""
    return known_format(read_json(path, largest), path)


def as_type(value: Any, kind: type[T], path: object) -> T:
    """What `converted` gives; RunError, naming the file, where it does not fit."""
    try:
        return converted(value, kind)
    except ValueError as error:
        raise RunError(f"{path}: {error}") from None


def converted(value: Any, kind: type[T]) -> T:
    """The value as a structure of msgspec; ValueError, naming the place in it, where it does not fit.

    >>> converted([3, -1], tuple[int, Count])
    Traceback (most recent call last):
    ValueError: [1]: expected int >= 0, found -1
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_said(str(error), value)) from None


def _said(message: str, value: Any) -> str:
    """msgspec's message, which begins with the place and ends with what was found there, where it says neither itself."""
    what, _, path = message.replace("`", "").partition(" - at ")
    place = path.removeprefix("$").removeprefix(".")
    if what.startswith("Expected ") and ", got " not in what and "..." not in place and " in " not in place:
        for key, index in re.findall(r"(\w+)|\[(\d+)\]", place):
            value = value[key or int(index)]
        what += f", found {value!r:.60}"
    return f"{place}: {what[0].lower()}{what[1:]}" if place else what[0].lower() + what[1:]
