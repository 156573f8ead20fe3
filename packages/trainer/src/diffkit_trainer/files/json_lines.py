"""Files of one JSON object per line, to which lines are appended."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.regular_file import NONBLOCK, read_file
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import as_type

__all__ = ["append_line", "read_lines"]

MAX_BYTES = 2**30


def append_line(path: Path, document: dict[str, Any]) -> None:
    """Add one JSON object as a line. Raises RunError where the file cannot be written."""
    try:
        with open(path, "a", encoding="utf-8", opener=_without_waiting) as file:
            file.write(json.dumps(document, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def read_lines(path: Path, kind: type[Any]) -> list[dict[str, Any]]:
    """The objects of a file; none where it is missing. A line that is not of this kind, such as one that was cut off, is skipped.

    Raises RunError, naming the file, for anything but a file of at most 1 GiB.
    """
    lines = read_file(path, MAX_BYTES, links=True).splitlines() if path.exists() else []
    entries = []
    for line in lines:
        with suppress(RunError):
            entry = parse_object(line, path)
            as_type(entry, kind, path)
            entries.append(entry)
    return entries


def _without_waiting(path: str, flags: int) -> int:
    """Open without waiting: a FIFO that nobody reads is an error."""
    return os.open(path, flags | NONBLOCK, 0o666)
