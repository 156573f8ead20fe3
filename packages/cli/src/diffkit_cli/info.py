"""diffkit info: what is in a run folder."""

from pathlib import Path
from typing import Any

from diffkit_trainer import RunError, checkpoints, load, read_config, read_log
from diffkit_unet import UNet
from rich.console import Console
from rich.table import Table

__all__ = ["info"]


def info(run: Path) -> None:
    """Print the run's data, network, schedule, progress and checkpoints; RunError where none of them verifies."""
    config, log = read_config(run), read_log(run)
    table = Table(show_header=False, box=None, title=str(run), title_justify="left", title_style="bold")
    try:
        rows = _rows(config, log)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run / 'config.json'}: does not describe a run ({error})") from None
    for name, value in rows:
        table.add_row(name, value)
    console = Console(highlight=False, markup=False)
    saved = [step for step, _ in checkpoints(run)]
    table.add_row("checkpoints", ", ".join(map(str, saved)) or "none yet")
    console.print(table)
    if saved:
        for warning in load(run).warnings:
            console.print(f"warning: {warning}")


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
            f"step {last['step'] if last else 0} of {training['steps']}"
            + (f", loss {last['loss']:.4f}" if last and last["loss"] is not None else ""),
        ),
    ]
