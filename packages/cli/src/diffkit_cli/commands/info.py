"""diffkit info: describe a run, an exported network or a generated image; compare the runs of a folder."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.bundled import DEFAULT, bundled
from diffkit_cli.flags import Force, Json, Work
from diffkit_cli.paths import ending_in

__all__ = ["info"]


def info(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FILE",
            show_default=False,
            help="Run folder, folder of runs, exported network, bundled network by name, or image of diffkit. Default: fashion.",
            callback=bundled,
        ),
    ] = DEFAULT,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also plot the loss of the run or runs.", callback=ending_in("--plot", ".png")),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> Work:
    """Describe a run, an exported network or a generated image; compare the runs of a folder."""
    from diffkit_cli.reports.run import describe, table_of
    from diffkit_cli.reports.runs import compare, runs_in, table_of_runs
    from diffkit_cli.sampling.outputs import require_replaceable
    from diffkit_cli.terminal.console import answer, console, show

    def work() -> None:
        if plot is not None:
            require_replaceable([plot], force=force)
        runs = runs_in(path)
        if runs:
            found = compare(runs)
            title, shown, document = str(path), table_of_runs(found), {"runs": found}
        else:
            title, rows, document = describe(path)
            shown = table_of(rows)
        if plot is not None:
            from diffkit_cli.training.loss_curve import plot_losses  # here: a plot alone needs torch

            plot_losses(runs or [path], plot)
        answer(document) if json else show(title, shown)
        if plot is not None:
            console.print(f"loss curve: {plot}")

    return work
