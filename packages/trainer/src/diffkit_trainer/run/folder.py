"""The run folder: config.json, log.jsonl and history.jsonl (see `log`, `history`), samples/, checkpoints/ (see `checkpoint`)."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.typed_json import read_document, write_document
from diffkit_trainer.options import at_most, suggestion

__all__ = ["is_run_folder", "read_config", "remove_unused_run", "require_writable", "write_config"]

MAX_LISTED = 5
"""Runs that are named where another is missing."""


def is_run_folder(run: Path | str) -> bool:
    """Whether the folder holds a run: whether it has a config.json."""
    return (Path(run) / "config.json").exists()


def write_config(run: Path | str, config: dict[str, Any]) -> None:
    """Write the resolved config, atomically.

    Raises RunError where the folder cannot be made or written.
    """
    run = Path(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
        write_document(run / "config.json", config)
    except OSError as error:
        raise RunError(f"{run}: cannot be written ({error.strerror})") from None


def read_config(run: Path | str) -> dict[str, Any]:
    """The config of a run; RunError for a folder that is not a run, and for a config of a newer format.

    Where there is none, the error names the nearest runs in its parent folder.
    """
    run = Path(run)
    if not is_run_folder(run):
        raise RunError(_no_run(run) if run.is_dir() else _no_such(run))
    return read_document(run / "config.json")


def require_writable(run: Path | str) -> None:
    """Raises RunError where the run folder or its checkpoints cannot be written, by trying it."""
    run = Path(run)
    for folder in (run, run / "checkpoints"):
        probe = folder / f".probe.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunError(f"{folder}: cannot be written ({error.strerror}); give another --out") from None


def remove_unused_run(run: Path | str) -> None:
    """Remove the folder of a run that never began: one with its lock, which the caller holds, and no checkpoint; nothing else."""
    run = Path(run)
    if {path.name for path in run.iterdir()} <= {"checkpoints", "lock"}:
        with suppress(OSError):  # checkpoints that are not empty stay
            (run / "checkpoints").rmdir()
            (run / "lock").unlink()
            run.rmdir()


def _no_run(folder: Path) -> str:
    """The message for a folder that is no run. It names the runs inside, or the one of its name in runs/, as of data."""
    inside, usual = _runs_in(folder), Path("runs") / folder.name
    way_out = f": {_the_runs(inside, folder)}" if inside else f": did you mean {usual}?" if is_run_folder(usual) else ""
    return f"{folder} is not a run folder: it has no config.json{way_out}"


def _no_such(run: Path) -> str:
    """The message for a run that is missing."""
    runs = _runs_in(run.parent)
    hint = suggestion(run.name, runs) or _the_runs(runs, run.parent)
    return f"{run}: no such run folder: " + (hint if runs else "expected a folder that diffkit train wrote")


def _runs_in(folder: Path) -> list[str]:
    with suppress(OSError):  # no such folder either
        return sorted(path.name for path in folder.iterdir() if is_run_folder(path))
    return []


def _the_runs(runs: list[str], folder: Path) -> str:
    return f"the runs {'here' if folder == Path() else f'in {folder}'} are {at_most(MAX_LISTED, runs)}"
