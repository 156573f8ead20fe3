"""The checkpoints of a run, and which of them are complete."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import sha256
from diffkit_trainer.files.typed_json import NonNegativeInt, as_type, read_document
from diffkit_trainer.run.folder import read_config

__all__ = [
    *("Checkpoint", "checkpoint_at", "checkpoints", "has_checkpoint", "is_valid", "latest_checkpoint"),
    *("remove_trash", "remove_unfinished"),
]

REQUIRED = ("config.json", "ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.json")
EXTRA = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
"""Names of further files of a checkpoint: other averages, and files of later versions."""
MAX_FILES = 1000
UNFINISHED = re.compile(r"\.[0-9]{1,19}\.[0-9]+")
TRASH = re.compile(r"\.trash\.([0-9]{1,19})\.[0-9]+")


class Manifest(Struct):
    """The sha256 of each file of a checkpoint, by its name."""

    sha256: Annotated[dict[str, str], Meta(max_length=MAX_FILES)]


class Saved(Struct):
    """What state.json says of the checkpoint itself."""

    step: NonNegativeInt


def checkpoints(run: Path | str) -> Iterator[tuple[int, Path]]:
    """(step, folder) of each checkpoint of a run, newest first; anything else in the folder is skipped."""
    yield from _named(Path(run) / "checkpoints", re.compile(r"([0-9]{1,19})"))


def has_checkpoint(run: Path | str) -> bool:
    """Whether the run has a checkpoint, complete or damaged."""
    return bool(_candidates(Path(run)))


class Checkpoint(NamedTuple):
    """A valid checkpoint: its folder and step. warnings: one for each newer checkpoint, all of which are damaged."""

    folder: Path
    step: int
    warnings: list[str]


def latest_checkpoint(run: Path) -> Checkpoint:
    """The newest valid checkpoint.

    Raises RunError where none is valid, and where the folder of one was renamed to another step.
    """
    read_config(run)
    warnings: list[str] = []
    for step, folder in _candidates(run):
        try:
            _verify(folder)
        except RunError as error:
            warnings.append(str(error))
            continue
        _require_name(folder, step)
        return Checkpoint(folder, step, warnings)
    raise RunError(warnings[0] if warnings else f"{run} has no checkpoint yet")


def checkpoint_at(run: Path, step: int) -> Checkpoint:
    """The checkpoint of a step. Raises RunError for a damaged or renamed one; where there is none, the error lists the steps."""
    read_config(run)
    found = dict(checkpoints(run))
    if step not in found:
        steps = f"it has those of {', '.join(map(str, sorted(found)))}" if found else "it has none yet"
        raise RunError(f"{run} has no checkpoint of step {step}: {steps}")
    _verify(found[step])
    _require_name(found[step], step)
    return Checkpoint(found[step], step, [])


def is_valid(folder: Path) -> bool:
    """Whether its manifest lists the required files and every sha256 matches."""
    try:
        _verify(folder)
    except RunError:
        return False
    return True


def remove_unfinished(folder: Path) -> None:
    """Remove the folders of processes that were killed while they saved; the run's lock keeps other processes out."""
    _remove(folder, UNFINISHED)


def remove_trash(folder: Path) -> None:
    """Remove the folders of processes that were killed while they removed a checkpoint."""
    _remove(folder, TRASH)


def _remove(folder: Path, pattern: re.Pattern[str]) -> None:
    for name in os.listdir(folder):
        if pattern.fullmatch(name):
            shutil.rmtree(folder / name)


def _candidates(run: Path) -> list[tuple[int, Path]]:
    """The checkpoints, newest first; then those that a killed process was about to replace or remove."""
    return [*checkpoints(run), *_named(run / "checkpoints", TRASH)]


def _named(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted(((int(match[1]), folder / match[0]) for name in names if (match := pattern.fullmatch(name))), reverse=True)


def _require_name(folder: Path, step: int) -> None:
    """Raises RunError unless the checkpoint was saved at this step."""
    found = as_type(read_document(folder / "state.json"), Saved, folder / "state.json").step
    if found != step:
        raise RunError(f"{folder}: is the checkpoint of step {found}: rename it to {found}")


def _verify(folder: Path) -> None:
    if folder.is_symlink():
        raise RunError(f"{folder}: expected a folder, found a link")
    path = folder / "manifest.json"
    sums = as_type(read_document(path), Manifest, path).sha256
    if not set(REQUIRED) <= sums.keys() or not all(EXTRA.fullmatch(name) for name in sums):
        raise RunError(f"{path}: expected the sums of {', '.join(REQUIRED)}")
    for name, expected in sums.items():
        if sha256(folder / name) != expected:
            raise RunError(f"sha256 mismatch {folder / name}")
