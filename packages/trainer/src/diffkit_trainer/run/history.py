"""history.jsonl: one JSON object for each time that a run was started or resumed."""

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from diffkit_trainer.files.json_lines import append_line, read_lines
from diffkit_trainer.files.typed_json import NonNegativeInt, Text

__all__ = ["append_start", "read_history"]


class Start(Struct):
    """The keys of an entry that are read."""

    step: NonNegativeInt
    date: Text
    host: Text


def append_start(run: Path | str, step: int, **more: Any) -> None:
    """Add the step at which the run starts now, the date (UTC) and this machine's name. Raises RunError as `append_log` does.

    It is no part of a checkpoint or an export: those depend on the training alone.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as run:
    ...     append_start(run, 0, device="cpu")
    ...     print(list(read_history(run)[0]))
    ['step', 'date', 'host', 'device']
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    append_line(Path(run) / "history.jsonl", {"step": step, "date": now, "host": socket.gethostname()} | more)


def read_history(run: Path | str) -> list[dict[str, Any]]:
    """The entries, oldest first; none for a run without the file. Raises RunError as `read_log` does."""
    return read_lines(Path(run) / "history.jsonl", Start)
