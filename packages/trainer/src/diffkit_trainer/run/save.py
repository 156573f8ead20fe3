"""Checkpoints: RUN/checkpoints/STEP/ with weights, state and a sha256 manifest, complete or absent.

A checkpoint is written to a temporary folder, synced to the disk, then renamed: a process killed at any moment leaves the
previous ones intact. safetensors and JSON only; nothing is ever unpickled.
"""

import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from diffkit_trainer.errors import DivergedError, RunError
from diffkit_trainer.files.atomic import commit_folder, remove_folder, require_free_space, sha256
from diffkit_trainer.files.tensors import infinity_metadata, read_tensors
from diffkit_trainer.files.typed_json import read_document, with_format
from diffkit_trainer.run.checkpoint_contents import Snapshot, average_names, restore, rounding_warning, snapshot, validate_numbers
from diffkit_trainer.run.folder import is_run_folder, write_config
from diffkit_trainer.run.verify import (
    Checkpoint,
    checkpoint_at,
    checkpoints,
    is_valid,
    latest_checkpoint,
    remove_trash,
    remove_unfinished,
)
from diffkit_trainer.training.experiment import changes
from diffkit_trainer.training.trainer import Trainer

__all__ = ["Loaded", "load", "resume", "save", "write"]


class Loaded(NamedTuple):
    """A checkpoint of a run: step, config and the weights of one network by name.

    warnings: one for each newer checkpoint that was skipped, since it is damaged.
    """

    step: int
    config: dict[str, Any]
    weights: dict[str, Tensor]
    warnings: list[str]


def save(run: Path | str, trainer: Trainer, config: dict[str, Any], *, keep: int = 2, keep_every: int | None = None) -> Path:
    """Write the trainer's state to RUN/checkpoints/STEP and return that path.

    Keeps the newest `keep` checkpoints and those whose step is a multiple of `keep_every`, and removes the others. Writes
    config.json where the run has none. All processes must call this; the first one writes. `Saver` does the same in a thread.
    Raises ValueError for a config that is not plain JSON, DivergedError for weights that are not finite, and RunError where the
    disk is full or cannot be written; then the older checkpoints stay.
    """
    state = snapshot(trainer)
    return (
        write(run, state, config, keep=keep, keep_every=keep_every)
        if trainer.world.first
        else _checkpoint_folder(run, state.step)
    )


def write(run: Path | str, state: Snapshot, config: dict[str, Any], *, keep: int, keep_every: int | None = None) -> Path:
    """Write a snapshot as `save` does."""
    final = _checkpoint_folder(run, state.step)
    folder, temporary = final.parent, final.with_name(f".{state.step}.{os.getpid()}")
    networks = {file: values for file, values in state.tensors.items() if file != "optimizer"}
    numbers = (value for values in networks.values() for name, value in values.items() if name not in state.infinite)
    if not all(value.isfinite().all() for value in numbers):
        raise DivergedError(f"the weights are not finite at step {state.step}: nothing was saved", state.step)
    documents = {"state": json.dumps(with_format(state.numbers), allow_nan=False), "config": _as_json(config)}
    newer = [path for step, path in checkpoints(run) if step > state.step]
    for path in newer:
        if is_valid(path):
            raise RunError(f"{path} is newer than step {state.step}: resume it, or save to another folder")
    if not is_run_folder(run):
        write_config(run, config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_unfinished(folder)
        require_free_space(folder, state.nbytes + 2**16)
        temporary.mkdir()
        for file, values in state.tensors.items():
            save_file(_untied(values), temporary / f"{file}.safetensors", infinity_metadata(state.infinite & values.keys()))
        for name, document in documents.items():
            (temporary / f"{name}.json").write_text(document, "utf-8")
        manifest = {path.name: sha256(path) for path in sorted(temporary.iterdir())}
        (temporary / "manifest.json").write_text(json.dumps(with_format({"sha256": manifest}), indent=2), "utf-8")
        commit_folder(temporary, final)
        older = [(step, path) for step, path in checkpoints(run) if step <= state.step]
        extra = [path for step, path in older[max(keep, 1) :] if not keep_every or step % keep_every]
        # a newer checkpoint is damaged, or it would have been resumed; a folder without a manifest is not a checkpoint
        for path in [path for path in newer if (path / "manifest.json").exists()] + extra:
            remove_folder(path)
        remove_trash(folder)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{final}: cannot be written ({error}); {state.nbytes} bytes are needed") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def load(
    run: Path | str,
    weights: str = "ema",
    expected_tensors: Callable[[dict[str, Any]], Mapping[str, Tensor]] | None = None,
    step: int | None = None,
) -> Loaded:
    """The weights of the newest valid checkpoint, or of that of a step; the run may be from an untrusted source.

    weights: "ema", another average such as "ema-0.9999", or "model" (raw). expected_tensors: expected_tensors(config) -> the
    network's tensors by name, which may be on "meta"; names, shapes and types are compared with them before the file is read.
    Raises RunError for a folder that is not a run, where no checkpoint is valid, where that of the step is missing or damaged,
    where `expected_tensors` raises ValueError, and as `read_tensors` does.
    """
    folder, step, warnings = latest_checkpoint(Path(run)) if step is None else checkpoint_at(Path(run), step)
    config, path = read_document(folder / "config.json"), folder / f"{weights}.safetensors"
    try:
        expected = expected_tensors(config) if expected_tensors else None
    except ValueError as error:
        raise RunError(f"{folder / 'config.json'}: {error}") from None
    return Loaded(step, config, read_tensors(path, expected), warnings)


def resume(
    run: Path | str, trainer: Trainer, *, may_change: Collection[str] = (), checkpoint: Checkpoint | None = None
) -> list[str]:
    """Restore the newest valid checkpoint into the trainer; returns the warnings.

    They name the damaged checkpoints that were skipped, and the differences that change the result by rounding. may_change: the
    options that may differ from those of the checkpoint, such as "lr": the trainer's count from its step on. checkpoint: the
    result of `latest_checkpoint`, which else is called here.

    Raises ValueError, which lists every difference, where `Trainer.experiment` is not that of the run: to start a new run from
    its weights, `load` them before the trainer is made. Raises RunError as `load` does, and for weights of another network.
    """
    folder, _, warnings = checkpoint or latest_checkpoint(Path(run))
    numbers = read_document(folder / "state.json")
    validate_numbers(numbers, folder / "state.json", len(trainer.running_metrics.sums))
    fixed = {name: value for name, value in trainer.experiment.items() if name not in may_change}
    warnings = warnings + _same_experiment(folder, numbers, fixed)
    model = read_tensors(folder / "model.safetensors", trainer.model.state_dict())
    averages = [
        read_tensors(folder / f"{name}.safetensors", network.state_dict())
        for name, network in zip(average_names(trainer), trainer.ema.models, strict=True)
    ]
    moments = read_tensors(folder / "optimizer.safetensors", trainer.optimiser.expected_moments() if numbers["updates"] else None)
    restore(trainer, numbers, moments, model, averages)
    changed = rounding_warning(numbers["environment"], trainer.environment)
    return warnings + ([changed] if changed else [])


def _same_experiment(folder: Path, numbers: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Raises ValueError for a changed experiment; returns a warning where the checkpoint has no record of it."""
    if "experiment" not in numbers:
        return [f"{folder} has no record of its experiment: it could not be compared"]
    changed = changes(numbers["experiment"], now)
    if changed:
        raise ValueError(f"{folder}: {', '.join(changed)}: resume with the run's own options, or start a new run")
    return []


def _untied(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with separate memory: tied weights share theirs, and safetensors refuses to save such tensors."""
    seen: set[int] = set()
    untied = {}
    for name, value in values.items():
        address = value.untyped_storage().data_ptr()
        untied[name] = value.clone() if address in seen else value
        seen.add(address)
    return untied


def _as_json(config: dict[str, Any]) -> str:
    try:
        return json.dumps(with_format(config), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the run's config must be plain JSON: {error}") from None


def _checkpoint_folder(run: Path | str, step: int) -> Path:
    return Path(run) / "checkpoints" / str(step)
