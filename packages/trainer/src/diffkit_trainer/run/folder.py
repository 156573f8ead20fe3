"""The run folder: config.json, log.jsonl (`log`), samples/, checkpoints/ (`checkpoint`), and its lock (`lock`)."""

import json
import os
from pathlib import Path
from typing import Any

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import atomic_write_text as write_whole
from diffkit_trainer.files.typed_json import read_document, with_format

__all__ = ["is_run_folder", "read_config", "require_writable", "write_config"]


def is_run_folder(run: Path | str) -> bool:
    """Whether the folder already holds a run: it has a config.json."""
    return (Path(run) / "config.json").exists()


def write_config(run: Path | str, config: dict[str, Any]) -> None:
    """Write the resolved config, whole or not at all.

    Raises RunError where the folder cannot be made or written.
    """
    run = Path(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
        write_whole(run / "config.json", json.dumps(with_format(config), indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"{run}: cannot be written ({error.strerror})") from None


def read_config(run: Path | str) -> dict[str, Any]:
    """The config of a run; RunError for a folder that is none, and for a config in a format that is not known here."""
    run = Path(run)
    if not is_run_folder(run):
        raise RunError(f"{run} is no run folder: it has no config.json" if run.is_dir() else f"{run}: no such run folder")
    return read_document(run / "config.json")


def require_writable(run: Path | str) -> None:
    """Raises RunError where the run folder or its checkpoints could not be written, by writing there."""
    run = Path(run)
    for folder in (run, run / "checkpoints"):
        probe = folder / f".probe.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunError(f"{folder}: cannot be written ({error.strerror}); give another --out") from None
