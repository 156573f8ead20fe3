"""The runs of a folder, compared."""

from pathlib import Path
from typing import Any

from diffkit_trainer import RunError, checkpoints, is_run_folder, read_config, read_history, read_log

from diffkit_cli.paths import export_file
from diffkit_cli.reports.run import started
from diffkit_cli.run_config import RunConfig
from diffkit_cli.terminal.console import Table, table, warn
from diffkit_cli.training.loss_curve import smoothed_loss

__all__ = ["compare", "runs_in", "table_of_runs"]


def runs_in(folder: Path) -> list[Path]:
    """The run folders that are directly in a folder, by name; none for a run folder itself."""
    if not folder.is_dir() or is_run_folder(folder):
        return []
    return sorted(path for path in folder.iterdir() if is_run_folder(path) and not export_file(path))


def compare(runs: list[Path]) -> list[dict[str, Any]]:
    """What distinguishes the runs, as JSON; one that cannot be read is left out with a warning.

    step: of the newest checkpoint, which is not verified. loss: smoothed, see `smoothed_loss`.
    """
    found = []
    for run in runs:
        try:
            found.append(_summary(run))
        except RunError as error:
            warn(str(error))
    return found


def table_of_runs(found: list[dict[str, Any]]) -> Table:
    """The table of what `compare` gives."""
    shown = table("run", "images", "network", "prediction", "batch", "lr", "class dropout", "step", "loss", "started")
    for each in found:
        loss = "" if each["loss"] is None else f"{each['loss']:.4f} {each['loss_function'] or ''}"
        dropout = "" if each["class_dropout"] is None else f"{each['class_dropout']:g}"
        step = f"{each['step'] or 0}/{each['steps']}"
        images = f"{each['images']} of {each['width']}x{each['height']}, {Path(each['source']).name}"
        date = (each["started"] or "")[:16].replace("T", " ")
        row = (each["network"], each["prediction"], str(each["batch_size"]), f"{each['lr']:g}", dropout, step, loss.strip(), date)
        shown.add_row(Path(each["run"]).name, images, *row)
    return shown


def _summary(run: Path) -> dict[str, Any]:
    config, start = RunConfig.in_folder(run, read_config(run)), started(read_history(run))
    trained = config.trained
    if trained is None or config.training is None:
        raise RunError(f"{run}: was not trained by diffkit train")
    losses = smoothed_loss(read_log(run))
    return {
        **{"run": str(run), "source": config.data.source, "images": config.data.images},
        **{"width": config.shape[-1], "height": config.shape[-2] if len(config.shape) > 2 else 1, "network": trained.preset},
        **{"prediction": config.prediction, "batch_size": trained.batch_size, "lr": trained.lr, "ema": trained.ema},
        **{"class_dropout": config.class_dropout, "step": next((step for step, _ in checkpoints(run)), None)},
        **{"steps": trained.steps, "loss": losses[-1][1] if losses else None},
        **{"loss_function": config.training.get("loss"), "started": start and start["date"], "host": start and start["host"]},
    }
