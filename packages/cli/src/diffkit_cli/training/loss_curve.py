"""The logged loss of runs as a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from diffkit_trainer import Panel, RunError, is_run_folder, read_log, save_plot

from diffkit_cli.errors import UsageError
from diffkit_cli.terminal.progress import Smoothed

__all__ = ["Points", "loss_curves", "plot_losses", "smoothed_loss", "thinned"]

Points: TypeAlias = list[tuple[float, float]]

MAX_POINTS = 1000
FIXED = {"held out": "loss_held_out", "trained": "loss_trained"}
"""The curves of the losses of fixed samples, by the moving average, see `Trainer.held_out_losses`."""


def plot_losses(runs: Sequence[Path], out: Path) -> None:
    """Write the loss of runs over the steps as a PNG, on a logarithmic axis: of one as logged and smoothed, of several smoothed.

    Of one, the losses of held-out images and of as many others too.

    Raises UsageError for anything but run folders, RunError where no loss was logged.
    """
    for run in runs:
        if not is_run_folder(run):
            raise UsageError(f"--plot is for a run or a folder of runs, got {run}")
    logs = [(run.name, read_log(run)) for run in runs]
    curves = loss_curves(logs[0][1]) if len(runs) == 1 else {name: smoothed_loss(log) for name, log in logs}
    curves = {name: thinned([(step, loss) for step, loss in points if loss > 0]) for name, points in curves.items()}
    values = [loss for points in curves.values() for _, loss in points]
    if not values:
        raise RunError(f"{', '.join(map(str, runs))}: no loss was logged yet, so there is none to plot")
    last = max(step for points in curves.values() for step, _ in points)
    drawn = {name: points for name, points in curves.items() if points}
    panel = Panel("loss, on a logarithmic axis", drawn, 0.95 * min(values), 1.05 * max(values), 0, last, "step", log=True)
    save_plot([panel], out, {"command": "info"})


def loss_curves(log: Sequence[Mapping[str, Any]]) -> dict[str, Points]:
    """The losses of a run over the steps: logged, smoothed, and, where there are any, those of `FIXED`."""
    curves = {"logged": [(entry["step"], entry["loss"]) for entry in log if entry.get("loss") is not None]}
    curves["smoothed"] = smoothed_loss(log)
    fixed = {name: [(entry["step"], entry[key]) for entry in log if key in entry] for name, key in FIXED.items()}
    return curves | {name: points for name, points in fixed.items() if points}


def smoothed_loss(log: Sequence[Mapping[str, Any]]) -> Points:
    """(step, loss), smoothed as it is shown during a training; entries without a loss are left out."""
    mean, points, before = Smoothed(), Points(), 0
    for entry in log:
        if entry.get("loss") is not None:
            points.append((entry["step"], mean.add(entry["loss"], max(entry["step"] - before, 1))))
            before = entry["step"]
    return points


def thinned(points: Points) -> Points:
    """At most `MAX_POINTS` of the points and the last one."""
    every = -(-len(points) // MAX_POINTS) or 1
    return points[:-1:every] + points[-1:]
