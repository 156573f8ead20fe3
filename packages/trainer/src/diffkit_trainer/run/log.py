"""log.jsonl: one JSON object per line."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import atomic_write_text
from diffkit_trainer.files.regular import read_file
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import NonNegativeInt, as_type

__all__ = ["append_log", "read_log", "truncate_log"]

MAX_BYTES = 2**30


class Entry(Struct):
    """The keys of an entry that are read; `Trainer.metrics` and others add more."""

    step: NonNegativeInt
    loss: float | None = None
    last: bool = False


def append_log(run: Path | str, entry: dict[str, Any]) -> None:
    """Add one JSON object as a line to log.jsonl. Raises RunError where the disk cannot be written."""
    path = Path(run) / "log.jsonl"
    try:
        with open(path, "a", encoding="utf-8", opener=_without_waiting) as file:
            file.write(json.dumps(entry, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def read_log(run: Path | str) -> list[dict[str, Any]]:
    """The entries of log.jsonl; a line that is not an entry, such as one that was cut off, is skipped.

    Raises RunError for anything but a file of at most 1 GiB.
    """
    path = Path(run) / "log.jsonl"
    lines = read_file(path, MAX_BYTES, links=True).splitlines() if path.exists() else []
    entries = []
    for line in lines:
        with suppress(RunError):
            entry = parse_object(line, path)
            as_type(entry, Entry, path)
            entries.append(entry)
    return entries


def truncate_log(run: Path | str, step: int) -> None:
    """Remove the entries after `step`, which the resumed run logs again.

    The "last" entry is removed too: it was logged at the end of the run, between two intervals. Raises RunError where the disk
    cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as run:
    ...     for step in (10, 20):
    ...         append_log(run, {"step": step, "loss": 1 / step})
    ...     truncate_log(run, 10)
    ...     print(read_log(run))
    [{'step': 10, 'loss': 0.1}]
    """
    path = Path(run) / "log.jsonl"
    kept = [entry for entry in read_log(run) if entry["step"] <= step and not entry.get("last")]
    try:
        atomic_write_text(path, "".join(json.dumps(entry) + "\n" for entry in kept))
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open without waiting: a FIFO that nobody reads is an error."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)
