"""The run's log: a JSON object a line, in step with the checkpoint that is gone on from."""

import json
from pathlib import Path
from typing import Any

from diffkit_trainer.errors import RunError
from diffkit_trainer.whole import write_whole

__all__ = ["append_log", "read_log", "truncate_log"]


def append_log(run: Path | str, entry: dict[str, Any]) -> None:
    """Add one JSON object as a line to log.jsonl. Raises RunError where the disk refuses."""
    path = Path(run) / "log.jsonl"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def read_log(run: Path | str) -> list[dict[str, Any]]:
    """The entries of log.jsonl, objects with a step; a line that is no such thing, as one that was cut off, is left out."""
    path = Path(run) / "log.jsonl"
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
    entries = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), int):
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
