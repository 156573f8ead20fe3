"""diffkit train --dry-run: the resolved options, and what the training will cost; nothing is written."""

from typing import Any

import msgspec
from diffkit_trainer import CostEstimate, Trainer, estimate_cost

from diffkit_cli.terminal.console import answer, console, plural, write
from diffkit_cli.terminal.progress import duration
from diffkit_cli.training.data import sample_count
from diffkit_cli.training.options import OPTIONS, TrainOptions
from diffkit_cli.training.parse import to_toml

__all__ = ["dry_run"]

MEGABYTE = 2**20


def dry_run(options: TrainOptions, trainer: Trainer, *, as_json: bool) -> None:
    """Make a few updates, and print the resolved options on stdout, as a file for --config, with the costs as comments.

    trainer: at its first step; its state is lost. as_json: one JSON object instead, times in seconds, memory in bytes. The time
    is that of the updates alone, without previews and checkpoints.
    """
    start, steps = trainer.step, options.steps
    with console.status("measuring a few steps"):
        found = estimate_cost(trainer)
    if not trainer.world.first:
        return
    document = _document(options, trainer, found, start)
    if as_json:
        answer(document)
        return
    images = sample_count(trainer.images)
    state = sum(document["memory"][part] for part in ("weights", "gradients", "moments", "average"))
    peak = f"; {_megabytes(found.peak)} at most, {document['memory']['peak_is']}" if found.peak is not None else ""
    per_epoch = document["steps_per_epoch"]
    epochs = f"an epoch {per_epoch:.1f} steps, {plural(steps, 'step')} are {steps / per_epoch:.1f} epochs"
    measured = f"measured: {plural(found.updates, 'step')} after a first one, without previews and checkpoints"
    given = [f"{name} {'x'.join(map(str, each.shape[1:])) or 1}" for name, each in trainer.images.conditions.items()]
    lines = [
        *([f"conditions: {', '.join(given)}"] if given else []),
        f"{images}; a step is {options.batch_size} of them, {epochs}",
        f"network: {document['parameters']:,} parameters",
        f"memory: {_megabytes(state)} of weights, gradients, the optimiser's moments and the average{peak}",
        f"time: {duration(document['seconds'])} for {plural(steps - start, 'step')} at {found.seconds:.3g} s ({measured})",
    ]
    write("\n".join([to_toml(options).rstrip("\n"), *(f"# {line}" for line in lines)]))


def _document(options: TrainOptions, trainer: Trainer, found: CostEstimate, start: int) -> dict[str, Any]:
    memory = {part: getattr(found, part) for part in ("weights", "gradients", "moments", "average", "peak")}
    where = "of the device's memory" if trainer.device.type == "cuda" else "by the process"
    return {
        "config": {name: value for name, value in msgspec.to_builtins(options).items() if name in OPTIONS},
        "images": len(trainer.images),
        "shape": list(trainer.images.shape),
        "conditions": {name: list(each.shape[1:]) for name, each in trainer.images.conditions.items()},
        "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "memory": memory | {"peak_is": where},
        "steps_per_epoch": len(trainer.images) / options.batch_size,
        "seconds_per_step": found.seconds,
        "measured_steps": found.updates,
        "start": start,
        "seconds": found.seconds * (options.steps - start),
    }


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:,.0f} MiB"
