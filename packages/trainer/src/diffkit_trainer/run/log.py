"""The run's log: a JSON object a line, in step with the checkpoint that is gone on from."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import atomic_write_text as write_whole
from diffkit_trainer.files.regular import read_file
from diffkit_trainer.files.strict_json import parse_object
from diffkit_trainer.files.typed_json import Count, as_type

__all__ = ["append_log", "read_log", "truncate_log"]

LARGEST = 2**30


class Entry(Struct):
    """What is read of a line of the log; `Trainer.metrics` and whoever logs add more."""

    step: Count
    loss: float | None = None
    last: bool = False


def append_log(run: Path | str, entry: dict[str, Any]) -> None:
    """Add one JSON object as a line to log.jsonl. Raises RunError where the disk refuses."""
    path = Path(run) / "log.jsonl"
    try:
        with open(path, "a", encoding="utf-8", opener=_without_waiting) as file:
            file.write(json.dumps(entry, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def read_log(run: Path | str) -> list[dict[str, Any]]:
    """The entries of log.jsonl, objects with a step; a line that is no such thing, as one that was cut off, is left out.

    Raises RunError where there is something else than a file of at most 1 GiB.
    """
    path = Path(run) / "log.jsonl"
    lines = read_file(path, LARGEST, links=True).splitlines() if path.exists() else []
    entries = []
    for line in lines:
        with suppress(RunError):
            entry = parse_object(line, path)
            as_type(entry, Entry, path)
            entries.append(entry)
    return entries


def truncate_log(run: Path | str, step: int) -> None:
    """Drop what was logged after `step`, which a run resumed from there will log again, and the "last" entry of an end that was
    none: it stands off the interval. Raises RunError where the disk refuses.

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
        write_whole(path, "".join(json.dumps(entry) + "\n" for entry in kept))
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def _without_waiting(path: str, flags: int) -> int:
    """Opens a FIFO that nobody reads as the error that it is."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)
