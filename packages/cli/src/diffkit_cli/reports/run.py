"""What a run folder, an exported network or the metadata of an image say."""

import json
from pathlib import Path
from typing import Any, TypeAlias

from diffkit_trainer import RunError, checkpoints, load, read_config, read_log, read_metadata, read_schedule

from diffkit_cli.networks import outline_of
from diffkit_cli.run_config import RunConfig, Trained
from diffkit_cli.sampling.loading import export_file, load_model
from diffkit_cli.sampling.pretrained import name_of
from diffkit_cli.terminal.console import plural

__all__ = ["describe"]

Rows: TypeAlias = list[tuple[str, str]]


def describe(path: Path) -> tuple[str, Rows, dict[str, Any]]:
    """A title, the rows of a table, and the same as JSON.

    Raises RunError where no checkpoint of a run verifies, or for a damaged export; DataError for another file.
    """
    if export_file(path):
        return name_of(path), *_exported(path)
    if path.is_file():
        metadata = read_metadata(path)
        return (
            str(path),
            [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in metadata.items()],
            metadata,
        )
    return str(path), *_run(path)


def _run(path: Path) -> tuple[Rows, dict[str, Any]]:
    document, log = read_config(path), read_log(path)
    config = RunConfig.in_folder(path, document)
    saved = [step for step, _ in checkpoints(path)]
    newest = load(path) if saved else None
    warnings = newest.warnings if newest else []
    step = newest.step if newest else None
    if config.trained is None:
        raise RunError(f"{path / 'config.json'}: expected training, found {', '.join(document)}")
    try:
        read_schedule(config.schedule)
        rows = [*_rows(config), ("progress", _progress(step, log, config.trained.steps))]
    except ValueError as error:
        raise RunError(f"{path / 'config.json'}: {error}") from None
    rows += [("checkpoints", ", ".join(map(str, saved)) or "none")]
    rows += [("warning", warning) for warning in warnings]
    found = {"step": step, "last": log[-1] if log else None, "checkpoints": saved, "warnings": warnings}
    return rows, {"config": document, **found}


def _exported(path: Path) -> tuple[Rows, dict[str, Any]]:
    loaded = load_model(path, raw=False, device="cpu")
    weights = f"{loaded.weights}, {'raw' if loaded.raw else 'moving average'}"
    config = loaded.model.config
    rows = [*_rows(config), ("step", str(loaded.step)), ("weights", weights)]
    return rows, {"config": config.document(), **loaded.metadata()}


def _progress(saved: int | None, log: list[dict[str, Any]], steps: int) -> str:
    """The newest checkpoint, from which the run would resume, and the last log entry."""
    progress = f"saved at step {saved} of {steps}" if saved is not None else f"no checkpoint of {plural(steps, 'step')}"
    if not log:
        return progress
    last = log[-1]
    return f"{progress}; logged to step {last['step']}" + (f", loss {last['loss']:.4f}" if last.get("loss") is not None else "")


def _rows(config: RunConfig) -> Rows:
    data, image, trained = config.data, config.image, config.trained
    size = f"{image.width}x{image.height}, {plural(image.channels, 'channel')}"
    parameters = sum(parameter.numel() for parameter in outline_of(config.network).parameters())
    schedule = ", ".join(f"{key}={value!s:.40}" for key, value in config.schedule.items() if key != "name")
    rows = [
        ("images", f"{data.images} of {size}, from {data.source}" if data.source else f"{size}; training data unknown"),
        ("classes", ", ".join(data.classes) or "none"),
        ("network", f"{trained.preset if trained else config.imported}, {parameters:,} parameters"),
        ("schedule", f"{config.schedule.get('name')} ({schedule})"),
        ("prediction", f"{config.prediction}, conditioned on the {config.condition}"),
    ]
    if trained is None:
        return rows
    return [*rows, ("training", _training(trained))]


def _training(trained: Trained) -> str:
    return f"batch size {trained.batch_size}, lr {trained.lr:g}, EMA {trained.ema}, seed {trained.seed}"
