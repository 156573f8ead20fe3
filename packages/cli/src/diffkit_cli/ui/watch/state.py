"""What is in the folders of runs now: logs, previews, and whether a training writes them. Imports no library of pages."""

import re
import time
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_trainer import read_config, read_log

from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.progress import duration
from diffkit_cli.ui.watch.curves import seconds_left

__all__ = ["LogReader", "previews", "progress"]

QUIET_SECONDS = 60.0
"""Without an entry for so long, and for four times its usual interval, a training counts as stopped."""


class LogReader:
    """The logs of runs, read again where the file has changed."""

    def __init__(self) -> None:
        self._found: dict[Path, tuple[tuple[int, int], list[dict[str, Any]]]] = {}

    def read(self, run: Path) -> list[dict[str, Any]]:
        """The entries now. Raises RunError as `read_log` does."""
        file = run / "log.jsonl"
        stamp = (status.st_size, status.st_mtime_ns) if file.exists() and (status := file.stat()) else (0, 0)
        if run not in self._found or self._found[run][0] != stamp:
            self._found[run] = stamp, read_log(run)
        return self._found[run][1]


class Preview(NamedTuple):
    """samples/STEP.png of a run."""

    step: int
    path: Path


def previews(run: Path) -> list[Preview]:
    """The previews of a run, oldest first."""
    folder = run / "samples"
    files = [path for path in folder.iterdir() if re.fullmatch(r"[0-9]{8,18}\.png", path.name)] if folder.is_dir() else []
    return [Preview(int(path.stem), path) for path in sorted(files)]


def progress(run: Path, log: list[dict[str, Any]]) -> str:
    """How far a run is, and the time left where it is training. Raises RunError for a config that is damaged."""
    trained = RunConfig.in_folder(run, read_config(run)).trained
    steps, step = trained.steps if trained else 0, log[-1]["step"] if log else 0
    if steps and step >= steps:
        return f"finished, {steps:,} steps"
    left, quiet = seconds_left(log, steps), _quiet(run)
    interval = left * (step - log[-2]["step"]) / (steps - step) if left and len(log) > 1 else 0.0
    if left is None or quiet > max(QUIET_SECONDS, 4 * interval):
        waiting = "just started" if quiet < QUIET_SECONDS else "stopped"
        return f"step {step:,} of {steps:,}, {waiting}"
    return f"step {step:,} of {steps:,}, {duration(left)} left"


def _quiet(run: Path) -> float:
    """Seconds since the log, or the config, was written."""
    file = next((path for path in (run / "log.jsonl", run / "config.json") if path.exists()), run)
    return time.time() - file.stat().st_mtime
