"""The run folder: config.json, log.jsonl, samples/, checkpoints/, and the lock that keeps a second run out."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffkit_trainer.errors import LockedError, RunError
from diffkit_trainer.strict_json import read_json
from diffkit_trainer.whole import write_whole

__all__ = [
    *("append_log", "holds_run", "locked", "read_config", "read_log", "require_writable"),
    *("truncate_log", "waiting_for", "write_config"),
]

try:
    import fcntl
except ImportError:  # no flock on this system: two runs in one folder are not kept apart there
    fcntl = None  # type: ignore[assignment]


def holds_run(run: Path) -> bool:
    """Whether the folder already holds a run: it has a config.json."""
    return (run / "config.json").exists()


def write_config(run: Path, config: dict[str, Any]) -> None:
    """Write the resolved config, whole or not at all.

    Raises RunError where the folder cannot be made or written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        write_whole(run / "config.json", json.dumps(config, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"{run}: cannot be written ({error.strerror})") from None


def read_config(run: Path) -> dict[str, Any]:
    """The config of a run; RunError for a folder that is none."""
    if not holds_run(run):
        raise RunError(f"{run} is no run folder: it has no config.json" if run.is_dir() else f"{run}: no such run folder")
    return read_json(run / "config.json")


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the run folder's lock; it is free again when the process ends, however it ends.

    Raises LockedError, naming the process, where another one holds it, and RunError where the folder cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(run / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(f"{run}: cannot be written ({error.strerror})") from None
    with os.fdopen(descriptor, "r+") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise LockedError(
                    f"{run} is in use by process {file.read().strip() or 'unknown'}: wait for it, or stop it"
                ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def waiting_for(path: Path) -> Iterator[None]:
    """Hold a lock file, after whoever holds it now."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None
    with file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def require_writable(run: Path) -> None:
    """Raises RunError where the run folder or its checkpoints could not be written, by writing there."""
    for folder in (run, run / "checkpoints"):
        probe = folder / f".probe.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunError(f"{folder}: cannot be written ({error.strerror}); give another --out") from None


def append_log(run: Path, entry: dict[str, Any]) -> None:
    """Add one JSON object as a line to log.jsonl."""
    with (run / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, allow_nan=False) + "\n")


def read_log(run: Path) -> list[dict[str, Any]]:
    """The entries of log.jsonl; a last line that was cut off is left out."""
    path = run / "log.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    return entries


def truncate_log(run: Path, step: int) -> None:
    """Drop what was logged after `step`, which a run resumed from there will log again."""
    kept = [entry for entry in read_log(run) if entry["step"] <= step]
    write_whole(run / "log.jsonl", "".join(json.dumps(entry) + "\n" for entry in kept))
