"""The content of a run folder, an exported network or an image's metadata. Reads headers and JSON, and imports no torch."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from diffkit_trainer import (
    RunError,
    checkpoints,
    describe_export,
    latest_checkpoint,
    read_config,
    read_history,
    read_log,
    read_metadata,
)
from diffkit_trainer.files import read_header

from diffkit_cli.bundled import name_of
from diffkit_cli.paths import export_file
from diffkit_cli.run_config import RunConfig, Trained
from diffkit_cli.terminal.console import Table, extent, noun, plural, table
from diffkit_cli.training.loss_curve import Points, smoothed_loss

__all__ = ["Rows", "describe", "started", "table_of"]

Rows: TypeAlias = list[tuple[str, str]]
Shapes: TypeAlias = Mapping[str, Sequence[int]]

BUFFERS = {"running_mean", "running_var", "num_batches_tracked", "mean", "log_spectrum", "colours"}
"""The last parts of the names of tensors that are no parameters: those of batch norm and of the linear part."""


def describe(path: Path) -> tuple[str, Rows, dict[str, Any]]:
    """A title, the rows of a table, and the same as JSON.

    Raises RunError where no checkpoint of a run verifies, or for a damaged export; DataError for another file.
    """
    if (file := export_file(path)) is not None:
        return name_of(path), *_exported(file)
    if path.exists() and not path.is_dir():
        metadata = read_metadata(path)
        return str(path), _of_image(metadata), metadata
    return str(path), *_run(path)


def table_of(rows: Rows) -> Table:
    """The table of the rows."""
    shown = table("", "")
    for row in rows:
        shown.add_row(*row)
    return shown


def started(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The start of a run: the last one at step 0, for those before it failed; None where it is not known."""
    return next((each for each in reversed(history) if each["step"] == 0), None)


def _of_image(metadata: Mapping[str, Any]) -> Rows:
    """The metadata of an image; the hashes of what was read have the names."""
    found = metadata.get("names")
    names = {key: str(name) for key, name in found.items()} if isinstance(found, dict) else {}
    rows = Rows()
    for key, value in metadata.items():
        if key == "names" and names:
            rows.append(("run", names.get("run", "unknown")))
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            rows.append((key, f"{names[key]}, sha256 {text}..." if key in names else text))
    return rows


def _run(path: Path) -> tuple[Rows, dict[str, Any]]:
    document, log, history = read_config(path), read_log(path), read_history(path)
    config = RunConfig.in_folder(path, document)
    if config.trained is None:
        raise RunError(f"{path / 'config.json'}: expected training, found {', '.join(document)}")
    saved = [step for step, _ in checkpoints(path)]
    folder, step, warnings = latest_checkpoint(path) if saved else (None, None, [])
    shapes = _shapes(folder / "ema.safetensors") if folder else None
    last = log[-1] if log else None
    losses = smoothed_loss(log)
    rows = [*_rows(config, shapes), ("progress", _progress(step, losses[-1:], config.trained.steps)), *_held_out(log)]
    rows += [("checkpoints", ", ".join(map(str, saved)) or "none"), *_starts(history)]
    rows += [("warning", warning) for warning in warnings]
    return rows, {"config": document, "step": step, "last": last, "checkpoints": saved, "history": history, "warnings": warnings}


def _exported(file: Path) -> tuple[Rows, dict[str, Any]]:
    found = describe_export(file)
    try:
        config = RunConfig.of(found.config)
    except ValueError as error:
        raise RunError(f"{file}: {error}") from None
    weights = f"{found.weights}, {'raw' if found.raw else 'moving average'}"
    rows = [*_rows(config, found.shapes), ("step", str(found.step)), ("weights", weights)]
    return rows, {"config": config.document(), "weights": found.weights, "step": found.step, "raw": found.raw}


def _shapes(file: Path) -> Shapes:
    return {name: entry.shape for name, entry in read_header(file).tensors.items()}


def _progress(saved: int | None, losses: Points, steps: int) -> str:
    """The newest checkpoint, from which the run would resume, and the last smoothed loss."""
    progress = f"saved at step {saved} of {steps}" if saved is not None else f"no checkpoint of {plural(steps, 'step')}"
    return progress + "".join(f"; logged to step {step}, smoothed loss {loss:.4f}" for step, loss in losses)


def _held_out(log: Sequence[Mapping[str, Any]]) -> Rows:
    """The last logged loss of held-out images."""
    last = next((entry for entry in reversed(log) if "loss_held_out" in entry), None)
    if last is None:
        return []
    found = f"loss {last['loss_held_out']:.4f}, of as many others {last['loss_trained']:.4f}, at step {last['step']}"
    return [("held-out images", found)]


def _starts(history: list[dict[str, Any]]) -> Rows:
    """When and where the run was started, and last resumed."""
    first = started(history)
    rows = [("started", _date_and_host(first))] if first else []
    if history and history[-1]["step"]:
        rows.append((f"resumed at step {history[-1]['step']}", _date_and_host(history[-1])))
    return rows


def _date_and_host(start: Mapping[str, Any]) -> str:
    device = f", {start['device']}" if "device" in start else ""
    return f"{start['date'].replace('T', ' ').replace('+00:00', ' UTC')} on {start['host']}{device}"


def _rows(config: RunConfig, shapes: Shapes | None) -> Rows:
    """shapes: of the network's tensors, None where they are not known."""
    data, trained, (channels, *space) = config.data, config.trained, config.shape
    size = f"{extent(space)}, {plural(channels, 'channel')}"
    found = f"{data.images} of {size}, from {data.source}" if data.source else f"{size}; training data unknown"
    schedule = ", ".join(f"{key}={value!s:.40}" for key, value in config.schedule.items() if key != "name")
    rows = [
        (f"{noun(config.shape)}s", found),
        ("classes", ", ".join(data.classes) or "none"),
        *([("conditions", _conditions(config))] if config.conditions else []),
        ("network", f"{config.imported or (trained and trained.preset)}{_parameters(shapes)}"),
        ("schedule", f"{config.schedule.get('name')} ({schedule})"),
        ("prediction", f"{config.prediction}, conditioned on the {config.condition}"),
    ]
    if (origin := config.fine_tuned_from) is not None:
        rows.append(("fine-tuned from", f"{origin.run}, step {origin.step}, weights {origin.weights}"))
    if (teacher := config.distilled) is not None:
        how = f"{plural(teacher.steps, 'step')}, each of {teacher.ratio} of {teacher.sampler}, guidance {teacher.guidance:g}"
        rows.append(("distilled to", how))
        rows.append(("distilled from", f"{teacher.run}, step {teacher.step}, weights {teacher.weights}"))
    if trained is not None:
        rows += [("training", _training(trained)), ("class dropout", _class_dropout(config))]
    rows += [(f"{each.option} from step {each.step} on", f"{each.after}, was {each.before}") for each in config.changes]
    if config.versions:
        rows.append(("versions", ", ".join(f"{name} {version}" for name, version in config.versions.items())))
    return rows


def _conditions(config: RunConfig) -> str:
    """The conditions with their shapes; one number has none."""
    shapes = ((name, "x".join(map(str, each.shape))) for name, each in config.conditions.items())
    return ", ".join(name if shape in ("", "1") else f"{name} ({shape})" for name, shape in shapes)


def _parameters(shapes: Shapes | None) -> str:
    if shapes is None:
        return ""
    count = sum(math.prod(shape) for name, shape in shapes.items() if name.rpartition(".")[2] not in BUFFERS)
    return f", {count:,} parameters"


def _training(trained: Trained) -> str:
    return f"batch size {trained.batch_size}, lr {trained.lr:g}, EMA {trained.ema}, seed {trained.seed}"


def _class_dropout(config: RunConfig) -> str:
    if config.class_dropout is not None:
        return f"{config.class_dropout:g}"
    return "none" if config.conditions else "none: not conditioned on classes"
