"""diffkit info: what is in a run folder."""

import json
from pathlib import Path
from typing import Any

from diffkit_trainer import RunError, checkpoints, load, read_config, read_log, read_metadata, read_schedule

from diffkit_cli.networks import outline_of
from diffkit_cli.run_config import RunConfig, Trained
from diffkit_cli.sampling.model import exported_in, open_run
from diffkit_cli.sampling.pretrained import named
from diffkit_cli.terminal.console import answer, plural, show, table

__all__ = ["info"]


def info(path: Path, *, as_json: bool = False) -> None:
    """Print a run's data, network, schedule, progress and checkpoints, what an exported file holds, or how a picture was drawn.

    Raises RunError where no checkpoint of the run verifies, or for a damaged export; DataError for another file.
    """
    if path.is_file() or exported_in(path):
        _print(named(path), *(_exported(path) if exported_in(path) else _drawn(path)), as_json)
        return
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
        rows = [*_rows(config, config.trained), ("progress", _progress(step, log, config.trained.steps))]
    except ValueError as error:
        raise RunError(f"{path / 'config.json'}: {error}") from None
    rows += [("checkpoints", ", ".join(map(str, saved)) or "none yet")]
    rows += [("warning", warning) for warning in warnings]
    found = {"step": step, "last": log[-1] if log else None, "checkpoints": saved, "warnings": warnings}
    _print(str(path), rows, {"config": document, **found}, as_json)


def _drawn(path: Path) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    note = read_metadata(path)
    return [(key, _text(value)) for key, value in note.items()], note


def _exported(path: Path) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    source = open_run(path, raw=False, device="cpu")
    weights = f"{source.weights}, {'as trained' if source.raw else 'moving average'}"
    config = source.sampler.config
    rows = [*_rows(config, config.trained), ("step", str(source.step)), ("weights", weights)]
    return rows, {"config": config.document(), **source.note()}


def _print(title: str, rows: list[tuple[str, str]], document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        answer(document)
        return
    shown = table("", "")
    for row in rows:
        shown.add_row(*row)
    show(title, shown)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _progress(saved: int | None, log: list[dict[str, Any]], steps: int) -> str:
    """What would go on from here, and what the log knows beyond it."""
    said = f"saved at step {saved} of {steps}" if saved is not None else f"nothing saved of {plural(steps, 'step')}"
    if not log:
        return said
    last = log[-1]
    return f"{said}; logged to step {last['step']}" + (f", loss {last['loss']:.4f}" if last.get("loss") is not None else "")


def _rows(config: RunConfig, trained: Trained | None = None) -> list[tuple[str, str]]:
    data, image = config.data, config.image
    size = f"{image.width}x{image.height}, {plural(image.channels, 'channel')}"
    parameters = sum(parameter.numel() for parameter in outline_of(config.network).parameters())
    schedule = ", ".join(f"{key}={value!s:.40}" for key, value in config.schedule.items() if key != "name")
    rows = [
        ("images", f"{data.images} of {size}, from {data.source}" if data.source else f"{size}; of which data is not known"),
        ("classes", ", ".join(data.classes) or "none"),
        ("network", f"{trained.preset if trained else config.imported}, {parameters:,} parameters"),
        ("schedule", f"{config.schedule.get('name')} ({schedule})"),
        ("prediction", f"{config.prediction}, told the {config.condition}"),
    ]
    if trained is None:
        return rows
    said = f"batch {trained.batch_size}, lr {trained.lr:g}, EMA {trained.ema}, seed {trained.seed}"
    return [*rows, ("training", said)]
