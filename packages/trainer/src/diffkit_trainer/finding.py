"""Which checkpoints a run has, and which of them are whole."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from diffkit_trainer.errors import RunError
from diffkit_trainer.run import read_config
from diffkit_trainer.strict_json import read_json
from diffkit_trainer.whole import sha256

__all__ = ["checkpoints", "clear", "has_checkpoint", "newest", "verifies"]

FILES = ("config.json", "ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.json")
FURTHER = re.compile(r"ema-0\.[0-9e-]{1,24}\.safetensors")
UNFINISHED = re.compile(r"\.[0-9]{1,19}\.[0-9]+")
REMOVED = re.compile(r"\.trash\.([0-9]{1,19})\.[0-9]+")


def checkpoints(run: Path | str) -> Iterator[tuple[int, Path]]:
    """(step, folder) of each checkpoint of a run, newest first; other things that lie there are passed over."""
    yield from _named(Path(run) / "checkpoints", re.compile(r"([0-9]{1,19})"))


def has_checkpoint(run: Path | str) -> bool:
    """Whether there is anything to resume or to sample from, whole or not."""
    return bool(_candidates(Path(run)))


def newest(run: Path) -> tuple[Path, int, list[str]]:
    """The newest checkpoint that verifies, its step, and what is wrong with those that were passed over; RunError for none."""
    read_config(run)
    warnings: list[str] = []
    for step, folder in _candidates(run):
        try:
            _verify(folder)
        except RunError as error:
            warnings.append(str(error))
            continue
        return folder, step, warnings
    raise RunError(warnings[0] if warnings else f"{run} has no checkpoint yet")


def verifies(folder: Path) -> bool:
    """Whether its manifest names the right files, and all their sums are right."""
    try:
        _verify(folder)
    except RunError:
        return False
    return True


def clear(folder: Path, *, unfinished: bool) -> None:
    """Remove what a process left that was killed while it saved (unfinished) or removed; the run's lock keeps others out."""
    pattern = UNFINISHED if unfinished else REMOVED
    for name in os.listdir(folder):
        if pattern.fullmatch(name):
            shutil.rmtree(folder / name)


def _candidates(run: Path) -> list[tuple[int, Path]]:
    """The checkpoints, newest first; then those that were about to be replaced or removed when their process was killed."""
    return [*checkpoints(run), *_named(run / "checkpoints", REMOVED)]


def _named(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted(((int(match[1]), folder / match[0]) for name in names if (match := pattern.fullmatch(name))), reverse=True)


def _verify(folder: Path) -> None:
    if folder.is_symlink():
        raise RunError(f"{folder}: expected a folder, found a link")
    sums = read_json(folder / "manifest.json").get("sha256")
    if not isinstance(sums, dict) or sorted(name for name in sums if not FURTHER.fullmatch(name)) != sorted(FILES):
        raise RunError(f"{folder / 'manifest.json'}: expected the sums of {', '.join(FILES)}")
    for name, expected in sums.items():
        if sha256(folder / name) != expected:
            raise RunError(f"sha256 mismatch {folder / name}")
