"""diffkit info: what is in a run folder."""

import json
import sys
from pathlib import Path
from typing import Any

from diffkit_trainer import checkpoints, load, read_config, read_log, read_note
from diffkit_unet import UNet
from rich.console import Console
from rich.table import Table

__all__ = ["info"]


def info(path: Path, *, as_json: bool = False) -> None:
    """Print a run's data, network, schedule, progress and checkpoints, or how a picture was drawn.

    Raises RunError where no checkpoint of the run verifies, DataError for a file that is no picture of diffkit's.
    """
    if path.is_file():
        _print(str(path), [(key, _text(value)) for key, value in read_note(path).items()], read_note(path), as_json)
        return
    config, log = read_config(path), read_log(path)
    saved = [step for step, _ in checkpoints(path)]
    warnings = load(path).warnings if saved else []
    rows = [*_rows(config, log), ("checkpoints", ", ".join(map(str, saved)) or "none yet")]
    rows += [("warning", warning) for warning in warnings]
    last = log[-1] if log else None
    _print(str(path), rows, {"config": config, "last": last, "checkpoints": saved, "warnings": warnings}, as_json)


def _print(title: str, rows: list[tuple[str, str]], document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(document) + "\n")
        return
    table = Table(show_header=False, box=None, title=title, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _rows(config: dict[str, Any], log: list[dict[str, Any]]) -> list[tuple[str, str]]:
    data, image, training = config["data"], config["image"], config["training"]
    network = UNet.from_config(config["network"])
    parameters = sum(parameter.numel() for parameter in network.parameters())
    schedule = ", ".join(f"{key}={value}" for key, value in config["schedule"].items() if key != "name")
    classes = ", ".join(data["classes"])
    last = log[-1] if log else None
    return [
        (
            "images",
            f"{data['images']} of {image['width']}x{image['height']}, {image['channels']} channel(s), from {data['source']}",
        ),
        ("classes", classes or "none"),
        ("network", f"{training['preset']}, {parameters:,} parameters"),
        ("schedule", f"{config['schedule']['name']} ({schedule})"),
        ("prediction", f"{config['prediction']}, told the {config['condition']}"),
        ("training", f"batch {training['batch_size']}, lr {training['lr']:g}, EMA {training['ema']}, seed {training['seed']}"),
        (
            "progress",
            f"step {last['step'] if last else 0} of {training['steps']}" + (f", loss {last['loss']:.4f}" if last else ""),
        ),
    ]
