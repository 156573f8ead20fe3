"""diffkit schedules: print or plot noise schedules."""

from pathlib import Path
from typing import Annotated

import typer
from diffkit_trainer.options import nearest

from diffkit_cli.errors import UsageError
from diffkit_cli.flags import Force, Json, Text, Work, one_of
from diffkit_cli.paths import ending_in
from diffkit_cli.training.options import SCHEDULE_NAMES

__all__ = ["NAMES", "schedules"]

NAMES = (*SCHEDULE_NAMES, "karras")
"""The schedules that need no arguments."""

POINTS, MAX_POINTS = 6, 10_001


def schedules(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Schedules. Default: all of them.", autocompletion=one_of(NAMES)),
    ] = None,
    points: Annotated[Text, typer.Option(metavar="N", help=f"Number of values of t, from 0 to 1. Default: {POINTS}.")] = None,
    json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Write a plot. Default with --embedding: embedding.png.", callback=ending_in("--out", ".png")
        ),
    ] = None,
    force: Force = False,
    embedding: Annotated[bool, typer.Option("--embedding", help="Plot the sinusoidal embedding instead.")] = False,
) -> Work:
    """Print or plot noise schedules: t, alpha, sigma, log-SNR."""
    given = [*(names or []), *(["--points"] if points is not None else []), *(["--json"] if json else [])]
    if embedding and given:
        raise UsageError(f"--embedding plots the embedding only: leave out {' '.join(given)}")
    keys = {name: name.replace("-", "_") for name in names or NAMES}
    for name, key in keys.items():
        if key not in NAMES:
            raise UsageError(f"unknown schedule {name!r}: {nearest(key, NAMES, 'schedules')}")
    number = _points(points)
    from diffkit_cli.reports.schedules import EMBEDDING_METADATA, plot_embedding, plot_schedules, print_schedules
    from diffkit_cli.sampling.outputs import output_path, require_replaceable
    from diffkit_cli.terminal.console import console

    def work() -> None:
        if embedding:
            path = output_path(out, "embedding.png", EMBEDDING_METADATA, force=force)
            length = plot_embedding(path)
            console.print(f"the {length} components of the embedding over the noise variance: {path}")
            return
        if out is not None:
            require_replaceable([out], force=force)
        print_schedules(keys, number, as_json=json)
        if out is not None:
            plot_schedules(keys, out)
            console.print(f"plot: {out}")

    return work


def _points(text: Text) -> int:
    number = POINTS if text is None else int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 2 <= number <= MAX_POINTS:
        raise UsageError(f"--points must be an integer from 2 to {MAX_POINTS}, got {text!r:.60}")
    return number
