"""Checkpoints that are whole or not there: RUN/checkpoints/STEP/ with weights, state and a sha256 manifest.

Written to a temporary folder, synced to the disk, then renamed: a process killed at any moment leaves the previous ones as
they were. safetensors and JSON only; nothing is ever unpickled.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from diffkit_trainer.errors import DivergedError, RunError
from diffkit_trainer.run import read_config
from diffkit_trainer.strict_json import read_json
from diffkit_trainer.trainer import Trainer

__all__ = ["Loaded", "checkpoints", "load", "resume", "save"]

_FILES = ("config.json", "ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.json")


class Loaded(NamedTuple):
    """A run's newest checkpoint that verifies: its step, the run's config, one network's weights by name, and the warnings
    about newer checkpoints that were damaged."""

    step: int
    config: dict[str, Any]
    weights: dict[str, Tensor]
    warnings: list[str]


def save(run: Path | str, trainer: Trainer, config: dict[str, Any], *, keep: int = 2) -> Path:
    """Write the trainer's state as RUN/checkpoints/STEP and return that path; then remove all but the newest `keep`.

    Raises DivergedError for weights that are not finite, and RunError where the disk refuses, leaving the older ones alone.
    """
    folder = Path(run) / "checkpoints"
    final, temporary = folder / str(trainer.step), folder / f".{trainer.step}.{os.getpid()}"
    numbers, optimizer = trainer.state()
    tensors = {"model": trainer.model.state_dict(), "ema": trainer.ema.model.state_dict(), "optimizer": optimizer}
    if not all(value.isfinite().all() for name in ("model", "ema") for value in tensors[name].values()):
        raise DivergedError(f"the weights are not finite at step {trainer.step}: nothing was saved")
    try:
        for stale in folder.glob(".*"):  # of a process that was killed while it saved or removed; the run's lock keeps others out
            shutil.rmtree(stale)
        temporary.mkdir(parents=True)
        for name, values in tensors.items():
            save_file({key: value.detach().contiguous() for key, value in values.items()}, temporary / f"{name}.safetensors")
        (temporary / "state.json").write_text(json.dumps(numbers, allow_nan=False), "utf-8")
        (temporary / "config.json").write_text(json.dumps(config, allow_nan=False), "utf-8")
        manifest = {name: _sha256(temporary / name) for name in _FILES}
        (temporary / "manifest.json").write_text(json.dumps({"sha256": manifest}, indent=2), "utf-8")
        for path in temporary.iterdir():
            path.chmod(0o666 & ~_umask())  # safetensors makes files that only their owner can read
            _sync(path)
        _sync(temporary)
        if final.exists():  # the same step saved again, after falling back past a damaged one
            _remove(final)
        temporary.rename(final)
        _sync(folder)
        for _, old in list(checkpoints(run))[max(keep, 1) :]:
            _remove(old)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        needed = sum(value.nbytes for values in tensors.values() for value in values.values())
        raise RunError(f"{final}: cannot be written ({error}); it takes {needed / 1e6:.1f} MB") from None
    return final


def checkpoints(run: Path | str) -> Iterator[tuple[int, Path]]:
    """(step, folder) of each checkpoint of a run, newest first; other things that lie there are passed over."""
    folder = Path(run) / "checkpoints"
    found = [path for path in folder.iterdir() if path.name.isascii() and path.name.isdigit()] if folder.is_dir() else []
    yield from sorted(((int(path.name), path) for path in found), reverse=True)


def load(run: Path | str, weights: str = "ema") -> Loaded:
    """The weights to sample from: "ema" or "model" (raw) of the newest checkpoint that verifies.

    Raises RunError for a folder that is no run, and where no checkpoint verifies.
    """
    folder, step, warnings = _newest(Path(run))
    return Loaded(step, read_json(folder / "config.json"), _tensors(folder / f"{weights}.safetensors"), warnings)


def resume(run: Path | str, trainer: Trainer) -> list[str]:
    """Put the newest checkpoint that verifies into the trainer; returns warnings about damaged ones that were passed over.

    Raises RunError as `load` does, and for weights that are not this trainer's network's.
    """
    folder, _, warnings = _newest(Path(run))
    model, ema, optimizer = (_tensors(folder / f"{name}.safetensors") for name in ("model", "ema", "optimizer"))
    for name, found, network in (("model", model, trainer.model), ("ema", ema, trainer.ema.model)):
        same_tensors(found, network.state_dict(), folder / f"{name}.safetensors")
    trainer.restore(read_json(folder / "state.json"), optimizer, model, ema)
    return warnings


def same_tensors(found: dict[str, Tensor], expected: dict[str, Tensor], path: Path) -> None:
    """Raises RunError, naming the first tensor that is missing, unexpected, or of another shape or type."""
    for name in sorted(found.keys() | expected.keys()):
        is_, should = (
            f"{str(each[name].dtype).removeprefix('torch.')} of shape {tuple(each[name].shape)}" if name in each else "nothing"
            for each in (found, expected)
        )
        if is_ != should:
            raise RunError(f"{path}: {name}: expected {should}, found {is_}")


def _newest(run: Path) -> tuple[Path, int, list[str]]:
    read_config(run)
    warnings: list[str] = []
    for step, folder in checkpoints(run):
        try:
            _verify(folder)
        except RunError as error:
            warnings.append(str(error))
            continue
        return folder, step, warnings
    raise RunError(warnings[0] if warnings else f"{run} has no checkpoint yet")


def _verify(folder: Path) -> None:
    sums = read_json(folder / "manifest.json").get("sha256")
    if not isinstance(sums, dict) or sorted(sums) != sorted(_FILES):
        raise RunError(f"{folder / 'manifest.json'}: expected the sums of {', '.join(_FILES)}")
    for name, expected in sums.items():
        path = folder / name
        try:
            if path.is_symlink() or _sha256(path) != expected:
                raise RunError(f"sha256 mismatch {path}")
        except OSError as error:
            raise RunError(f"{path}: cannot be read ({error.strerror})") from None


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        found: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    for name, value in found.items():
        if not value.isfinite().all():
            raise RunError(f"{path}: {name} is not finite")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """Rename first, so that a half-removed folder is never taken for a checkpoint."""
    trash = folder.with_name(f".trash.{folder.name}.{os.getpid()}")
    folder.rename(trash)
    shutil.rmtree(trash)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
