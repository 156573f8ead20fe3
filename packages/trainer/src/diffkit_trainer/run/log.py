"""log.jsonl: one JSON object per line."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from msgspec import Struct

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import atomic_write_text
from diffkit_trainer.files.json_lines import append_line, read_lines
from diffkit_trainer.files.typed_json import NonNegativeInt

__all__ = ["append_log", "read_log", "truncate_log"]


class Entry(Struct):
    """The keys of an entry that are read; `Trainer.metrics` and others add more."""

    step: NonNegativeInt
    loss: float | None = None
    last: bool = False


def append_log(run: Path | str, entry: dict[str, Any]) -> None:
    """Add one JSON object as a line to log.jsonl. Raises RunError where the disk cannot be written."""
    append_line(Path(run) / "log.jsonl", entry)


def read_log(run: Path | str) -> list[dict[str, Any]]:
    """The entries of log.jsonl; a line that is not an entry, such as one that was cut off, is skipped.

    Raises RunError for anything but a file of at most 1 GiB.
    """
    return read_lines(Path(run) / "log.jsonl", Entry)


def truncate_log(run: Path | str, step: int, drop: Collection[str] = ()) -> None:
    """Remove the entries after `step`, which the resumed run logs again.

    The "last" entry is removed too: it was logged at the end of the run, between two intervals. drop: keys that are removed from
    the entry at `step`, for the same reason. Raises RunError where the disk cannot be written.

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
    for entry in kept:
        for key in drop if entry["step"] == step else ():
            entry.pop(key, None)
    try:
        atomic_write_text(path, "".join(json.dumps(entry) + "\n" for entry in kept))
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None
