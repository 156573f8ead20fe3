"""Checkpoints that are whole or not there: RUN/checkpoints/STEP/ with weights, state and a sha256 manifest.

Written to a temporary folder, synced to the disk, then renamed: a process killed at any moment leaves the previous ones as
they were. safetensors and JSON only; nothing is ever unpickled.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from diffkit_trainer.errors import DivergedError, RunError
from diffkit_trainer.files.atomic import commit_folder as publish
from diffkit_trainer.files.atomic import remove_folder as remove
from diffkit_trainer.files.atomic import require_free_space as require_room
from diffkit_trainer.files.atomic import sha256
from diffkit_trainer.files.tensors import infinity_metadata as note_infinite
from diffkit_trainer.files.tensors import read_tensors
from diffkit_trainer.files.typed_json import read_document, with_format
from diffkit_trainer.run.folder import is_run_folder, write_config
from diffkit_trainer.run.state import Snapshot, average_names, differences, put_back, require_numbers, snapshot
from diffkit_trainer.run.verify import checkpoints, clear, newest, verifies
from diffkit_trainer.training.experiment import changes
from diffkit_trainer.training.trainer import Trainer

__all__ = ["Loaded", "load", "resume", "save", "write"]


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

    The config is written as the run's, too, where it has none. All processes must call it; the first one writes. Raises
    ValueError for a config that JSON does not hold, DivergedError for weights that are not finite, and RunError where the disk
    refuses or has too little room, leaving the older ones alone.
    """
    state = snapshot(trainer)
    return write(run, state, config, keep=keep, keep_every=keep_every) if trainer.world.first else _folder(run, state.step)


def write(run: Path | str, state: Snapshot, config: dict[str, Any], *, keep: int, keep_every: int | None = None) -> Path:
    """What `save` does, from a snapshot."""
    final = _folder(run, state.step)
    folder, temporary = final.parent, final.with_name(f".{state.step}.{os.getpid()}")
    networks = {file: values for file, values in state.tensors.items() if file != "optimizer"}
    numbers = (value for values in networks.values() for name, value in values.items() if name not in state.infinite)
    if not all(value.isfinite().all() for value in numbers):
        raise DivergedError(f"the weights are not finite at step {state.step}: nothing was saved", state.step)
    documents = {"state": json.dumps(with_format(state.numbers), allow_nan=False), "config": _as_json(config)}
    newer = [path for step, path in checkpoints(run) if step > state.step]
    for path in newer:
        if verifies(path):
            raise RunError(f"{path} is newer than step {state.step}: resume it, or save to another folder")
    if not is_run_folder(run):
        write_config(run, config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clear(folder, unfinished=True)
        require_room(folder, state.nbytes + 2**16)
        temporary.mkdir()
        for file, values in state.tensors.items():
            save_file(_apart(values), temporary / f"{file}.safetensors", note_infinite(state.infinite & values.keys()))
        for name, document in documents.items():
            (temporary / f"{name}.json").write_text(document, "utf-8")
        manifest = {path.name: sha256(path) for path in sorted(temporary.iterdir())}
        (temporary / "manifest.json").write_text(json.dumps(with_format({"sha256": manifest}), indent=2), "utf-8")
        publish(temporary, final)
        older = [(step, path) for step, path in checkpoints(run) if step <= state.step]
        extra = [path for step, path in older[max(keep, 1) :] if not keep_every or step % keep_every]
        # a newer one of ours is damaged, and a resume has passed it over; a folder without a manifest is somebody else's
        for path in [path for path in newer if (path / "manifest.json").exists()] + extra:
            remove(path)
        clear(folder, unfinished=False)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{final}: cannot be written ({error}); {state.nbytes} bytes are needed") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def load(run: Path | str, weights: str = "ema", expect: Callable[[dict[str, Any]], Mapping[str, Tensor]] | None = None) -> Loaded:
    """The weights to sample from: "ema", another average such as "ema-0.9999", or "model" (raw) of the newest checkpoint that
    verifies; for a run from anywhere.

    expect: gives the network's tensors, on "meta" if you like, from the run's config; the file is compared with them before it
    is read. Raises RunError for a folder that is no run, where no checkpoint verifies, where `expect` raises ValueError for the
    config, and as `read_tensors` does.
    """
    folder, step, warnings = newest(Path(run))
    config, path = read_document(folder / "config.json"), folder / f"{weights}.safetensors"
    try:
        expected = expect(config) if expect else None
    except ValueError as error:
        raise RunError(f"{folder / 'config.json'}: {error}") from None
    return Loaded(step, config, read_tensors(path, expected), warnings)


def resume(run: Path | str, trainer: Trainer) -> list[str]:
    """Put the newest checkpoint that verifies into the trainer; returns warnings: about damaged ones that were passed over, and
    about what differs from then and may round differently.

    Raises ValueError, with all that differs, for a trainer of another `Trainer.experiment` than the run's: to begin another one
    with its weights, load them (see `load`) before the trainer is made. Raises RunError as `load` does, and for weights that are
    not this trainer's network's.
    """
    folder, step, warnings = newest(Path(run))
    numbers = read_document(folder / "state.json")
    require_numbers(numbers, folder / "state.json", len(trainer.tally.sums))
    if numbers["step"] != step:
        raise RunError(f"{folder / 'state.json'}: step: expected {step}, that of its folder, found {numbers['step']}")
    warnings += _same_experiment(folder, numbers, trainer.experiment)
    model = read_tensors(folder / "model.safetensors", trainer.model.state_dict())
    averages = [
        read_tensors(folder / f"{name}.safetensors", network.state_dict())
        for name, network in zip(average_names(trainer), trainer.ema.models, strict=True)
    ]
    moments = read_tensors(folder / "optimizer.safetensors", trainer.optimiser.expected() if numbers["updates"] else None)
    put_back(trainer, numbers, moments, model, averages)
    changed = differences(numbers["environment"], trainer.environment)
    return warnings + ([changed] if changed else [])


def _same_experiment(folder: Path, numbers: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Raises ValueError, with all of it, for what differs and would change the result; a warning where nothing tells."""
    if "experiment" not in numbers:
        return [f"{folder} does not say what it was trained with: whether it was the same could not be compared"]
    changed = changes(numbers["experiment"], now)
    if changed:
        raise ValueError(f"{folder}: {', '.join(changed)}: resume with what the run was trained with, or start another one")
    return []


def _apart(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with memory of their own each, of which tied weights have one together: a file holds every name's."""
    seen: set[int] = set()
    apart = {}
    for name, value in values.items():
        place = value.untyped_storage().data_ptr()
        apart[name] = value.clone() if place in seen else value
        seen.add(place)
    return apart


def _as_json(config: dict[str, Any]) -> str:
    try:
        return json.dumps(with_format(config), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the run's config must be plain JSON: {error}") from None


def _folder(run: Path | str, step: int) -> Path:
    return Path(run) / "checkpoints" / str(step)
