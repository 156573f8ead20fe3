"""Which checkpoints a run has, and which of them are whole."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import sha256
from diffkit_trainer.files.typed_json import as_type, read_document
from diffkit_trainer.run.folder import read_config

__all__ = ["checkpoints", "clear", "has_checkpoint", "newest", "verifies"]

FILES = ("config.json", "ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.json")
FURTHER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
"""The names of other files that a checkpoint may have: further averages, and what later versions add."""
MOST = 1000
UNFINISHED = re.compile(r"\.[0-9]{1,19}\.[0-9]+")
REMOVED = re.compile(r"\.trash\.([0-9]{1,19})\.[0-9]+")


class Manifest(Struct):
    """The sum of each file of a checkpoint, by its name."""

    sha256: Annotated[dict[str, str], Meta(max_length=MOST)]


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
    path = folder / "manifest.json"
    sums = as_type(read_document(path), Manifest, path).sha256
    if not set(FILES) <= sums.keys() or not all(FURTHER.fullmatch(name) for name in sums):
        raise RunError(f"{path}: expected the sums of {', '.join(FILES)} and of other files beside it")
    for name, expected in sums.items():
        if sha256(folder / name) != expected:
            raise RunError(f"sha256 mismatch {folder / name}")
