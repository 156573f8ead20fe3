"""Checkpoints that are whole or not there: RUN/checkpoints/STEP/ with weights, state and a sha256 manifest.

Written to a temporary folder, synced to the disk, then renamed: a process killed at any moment leaves the previous ones as
they were. safetensors and JSON only; nothing is ever unpickled.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from diffkit_trainer.errors import DivergedError, RunError
from diffkit_trainer.run import read_config
from diffkit_trainer.snapshot import Snapshot, average_names, differences, require_numbers, snapshot
from diffkit_trainer.strict_json import read_json
from diffkit_trainer.tensors import read_tensors
from diffkit_trainer.trainer import Trainer
from diffkit_trainer.whole import publish, remove, require_room, sha256

__all__ = ["Loaded", "checkpoints", "load", "resume", "save", "write"]

FILES = ("config.json", "ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.json")
UNFINISHED = re.compile(r"\.[0-9]{1,19}\.[0-9]+")
REMOVED = re.compile(r"\.trash\.([0-9]{1,19})\.[0-9]+")
FURTHER = re.compile(r"ema-0\.[0-9e-]{1,24}\.safetensors")


class Loaded(NamedTuple):
    """A run's newest checkpoint that verifies: its step, the run's config, one network's weights by name, and the warnings
    about newer checkpoints that were damaged."""

    step: int
    config: dict[str, Any]
    weights: dict[str, Tensor]
    warnings: list[str]


def save(run: Path | str, trainer: Trainer, config: dict[str, Any], *, keep: int = 2, keep_every: int | None = None) -> Path:
    """Write the trainer's state as RUN/checkpoints/STEP and return that path; then remove all but the newest `keep`, and those
    whose step is a multiple of `keep_every`. `Saver` does it while training goes on.

    All processes must call it; the first one writes. Raises DivergedError for weights that are not finite, and RunError where
    the disk refuses or has too little room, leaving the older ones alone.
    """
    state = snapshot(trainer)
    return write(run, state, config, keep=keep, keep_every=keep_every) if trainer.world.first else _folder(run, state.step)


def write(run: Path | str, state: Snapshot, config: dict[str, Any], *, keep: int, keep_every: int | None = None) -> Path:
    """What `save` does, from a snapshot."""
    final = _folder(run, state.step)
    folder, temporary = final.parent, final.with_name(f".{state.step}.{os.getpid()}")
    networks = {file: values for file, values in state.tensors.items() if file != "optimizer"}
    if not all(value.isfinite().all() for values in networks.values() for value in values.values()):
        raise DivergedError(f"the weights are not finite at step {state.step}: nothing was saved", state.step)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder, UNFINISHED)
        require_room(folder, state.nbytes + 2**16)
        temporary.mkdir()
        for file, values in state.tensors.items():
            save_file(values, temporary / f"{file}.safetensors")
        for name, document in (("state", state.numbers), ("config", config)):
            (temporary / f"{name}.json").write_text(json.dumps(document, allow_nan=False), "utf-8")
        manifest = {path.name: sha256(path) for path in sorted(temporary.iterdir())}
        (temporary / "manifest.json").write_text(json.dumps({"sha256": manifest}, indent=2), "utf-8")
        publish(temporary, final)
        found = list(checkpoints(run))
        # a newer one was passed over as damaged, or this one would not have come after it
        older = [(step, path) for step, path in found if step <= state.step]
        extra = [path for step, path in older[max(keep, 1) :] if not keep_every or step % keep_every]
        for path in [path for step, path in found if step > state.step] + extra:
            remove(path)
        _clear(folder, REMOVED)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise RunError(f"{final}: cannot be written ({error}); {state.nbytes} bytes are needed") from None
    return final


def checkpoints(run: Path | str) -> Iterator[tuple[int, Path]]:
    """(step, folder) of each checkpoint of a run, newest first; other things that lie there are passed over."""
    yield from _named(Path(run) / "checkpoints", re.compile(r"([0-9]{1,19})"))


def load(run: Path | str, weights: str = "ema", expect: Callable[[dict[str, Any]], Mapping[str, Tensor]] | None = None) -> Loaded:
    """The weights to sample from: "ema", another average such as "ema-0.9999", or "model" (raw) of the newest checkpoint that
    verifies; for a run from anywhere.

    expect: gives the network's tensors, on "meta" if you like, from the run's config; the file is compared with them before it
    is read. Raises RunError for a folder that is no run, where no checkpoint verifies, and as `read_tensors` does.
    """
    folder, step, warnings = _newest(Path(run))
    config, path = read_json(folder / "config.json"), folder / f"{weights}.safetensors"
    return Loaded(step, config, read_tensors(path, expect(config) if expect else None), warnings)


def resume(run: Path | str, trainer: Trainer) -> list[str]:
    """Put the newest checkpoint that verifies into the trainer; returns warnings: about damaged ones that were passed over, and
    about what differs from then and may round differently.

    Raises RunError as `load` does, and for weights that are not this trainer's network's.
    """
    folder, _, warnings = _newest(Path(run))
    numbers = read_json(folder / "state.json")
    require_numbers(numbers, folder / "state.json", len(trainer.tally.sums))
    model = read_tensors(folder / "model.safetensors", trainer.model.state_dict())
    averages = [
        read_tensors(folder / f"{name}.safetensors", network.state_dict())
        for name, network in zip(average_names(trainer), trainer.ema.models, strict=True)
    ]
    moments = read_tensors(folder / "optimizer.safetensors", trainer.optimiser.expected() if numbers["updates"] else None)
    trainer.restore(numbers, moments, model, averages)
    changed = differences(numbers["environment"], trainer.environment)
    return warnings + ([changed] if changed else [])


def _folder(run: Path | str, step: int) -> Path:
    return Path(run) / "checkpoints" / str(step)


def _newest(run: Path) -> tuple[Path, int, list[str]]:
    read_config(run)
    warnings: list[str] = []
    # one that was about to be replaced or removed when its process was killed is better than none
    for step, folder in [*checkpoints(run), *_named(run / "checkpoints", REMOVED)]:
        try:
            _verify(folder)
        except RunError as error:
            warnings.append(str(error))
            continue
        return folder, step, warnings
    raise RunError(warnings[0] if warnings else f"{run} has no checkpoint yet")


def _named(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted(((int(match[1]), folder / match[0]) for name in names if (match := pattern.fullmatch(name))), reverse=True)


def _clear(folder: Path, pattern: re.Pattern[str]) -> None:
    """Remove what a process left that was killed while it saved or removed; the run's lock keeps others out."""
    for name in os.listdir(folder):
        if pattern.fullmatch(name):
            shutil.rmtree(folder / name)


def _verify(folder: Path) -> None:
    if folder.is_symlink():
        raise RunError(f"{folder}: expected a folder, found a link")
    sums = read_json(folder / "manifest.json").get("sha256")
    if not isinstance(sums, dict) or sorted(name for name in sums if not FURTHER.fullmatch(name)) != sorted(FILES):
        raise RunError(f"{folder / 'manifest.json'}: expected the sums of {', '.join(FILES)}")
    for name, expected in sums.items():
        if sha256(folder / name) != expected:
            raise RunError(f"sha256 mismatch {folder / name}")
