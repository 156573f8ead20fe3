"""JSON objects as typed, bounded structures, and the version of the format that files are written in."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import atomic_write_text
from diffkit_trainer.files.strict_json import MAX_BYTES, read_json

__all__ = [
    *("FORMAT", "NonNegativeInt", "Text", "as_type", "convert"),
    *("read_document", "with_format", "without_format", "write_document"),
]

FORMAT = 1
"""The version in config.json, state.json, the manifest, exports and image metadata. Incremented if older readers would fail."""

NonNegativeInt: TypeAlias = Annotated[int, Meta(ge=0, lt=2**62)]
Text: TypeAlias = Annotated[str, Meta(max_length=4096)]
"""A text of bounded length. It may hold any character: code that prints it must escape what a terminal would act on."""

T = TypeVar("T")


def with_format(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the format version as its first key.

    >>> with_format({"step": 3})
    {'format': 1, 'step': 3}
    """
    return {"format": FORMAT} | dict(document) | {"format": FORMAT}


def without_format(document: Mapping[str, Any], path: object) -> dict[str, Any]:
    """The document without its format version. Raises RunError, naming the file, for a newer format.

    A document without a version has version 1.

    >>> without_format({"format": 1, "step": 3}, "state.json")
    {'step': 3}
    """
    found = document.get("format", FORMAT)
    if type(found) is not int or found < 1:
        raise RunError(f"{path}: format must be an integer from 1, found {found!r:.60}")
    if found > FORMAT:
        raise RunError(f"{path}: is written in format {found!s:.20}, this diffkit reads formats up to {FORMAT}: upgrade diffkit")
    return {key: value for key, value in document.items() if key != "format"}


def read_document(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The object in a JSON file, without its format version. Raises RunError, naming the file, for anything else."""
    return without_format(read_json(path, max_bytes), path)


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write an object as JSON with the format version, atomically. Raises OSError, and ValueError for NaN and infinity."""
    atomic_write_text(path, json.dumps(with_format(document), indent=2, allow_nan=False) + "\n")


def as_type(value: Any, kind: type[T], path: object) -> T:
    """The same as `convert`, for a value from a file. Raises RunError, naming the file, if the value does not fit."""
    try:
        return convert(value, kind)
    except ValueError as error:
        raise RunError(f"{path}: {error}") from None


def convert(value: Any, kind: type[T]) -> T:
    """A JSON value as a msgspec structure or another type. Raises ValueError, naming the field, if the value does not fit.

    >>> convert([3, -1], tuple[int, NonNegativeInt])
    Traceback (most recent call last):
    ValueError: [1]: expected int >= 0, found -1
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_field_first(str(error), value)) from None


def _field_first(message: str, value: Any) -> str:
    """msgspec's message with the field at the start and, if msgspec leaves it out, the value at the end."""
    what, _, path = message.replace("`", "").partition(" - at ")
    field = path.removeprefix("$").removeprefix(".")
    if what.startswith("Expected ") and ", got " not in what and "..." not in field and " in " not in field:
        for key, index in re.findall(r"(\w+)|\[(\d+)\]", field):
            value = value[key or int(index)]
        what += f", found {value!r:.60}"
    what = what[0].lower() + what[1:]
    return f"{field}: {what}" if field else what
