"""The commands that say what is there."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.options import Json

__all__ = ["doctor", "info", "schedules"]


def info(
    run: Annotated[Path, typer.Argument(metavar="RUN|FILE", help="A run folder, or a picture that diffkit drew.")],
    json: Json = False,
) -> None:
    """Say what is in a run folder, or how a picture was drawn."""
    from diffkit_cli.info import info

    info(run, as_json=json)


def doctor(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A folder of images or IDX files, or digits.")],
    size: Annotated[int | None, typer.Option(help="What training will resize to; default 64 for a folder of images.")] = None,
    json: Json = False,
) -> None:
    """Say what is in a folder of images, and whether it can be trained on."""
    from diffkit_cli.doctor import doctor

    raise typer.Exit(doctor(data, size=size, as_json=json))


def schedules(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which; none: all of them.")] = None,
    points: Annotated[int, typer.Option(help="Times from 0 to 1.")] = 6,
    json: Json = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="A plot of them.")] = None,
    embedding: Annotated[bool, typer.Option("--embedding", help="The embedding's picture to --out instead.")] = False,
) -> None:
    """Print the noise schedules: t, alpha, sigma, log-SNR."""
    from diffkit_cli import schedules as work

    if embedding:
        work.embedding(out or Path("embedding.png"))
    else:
        work.schedules(names or [], points=points, as_json=json, out=out)
