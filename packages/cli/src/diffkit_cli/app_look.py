"""The commands that say what is there."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.config import given
from diffkit_cli.options import DIGITS, Device, Eta, Json, Raw, Run, Sampler, Seed, Spacing, Steps

__all__ = ["doctor", "evaluate", "export", "import_", "info", "schedules"]


def info(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FILE",
            show_default=False,
            help="A run folder, an export, or a picture that diffkit drew; none: the digits that come with it.",
        ),
    ] = DIGITS,
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


def evaluate(
    run: Run = DIGITS,
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="To compare with; none: what it was trained on.")] = None,
    n: Annotated[int, typer.Option("-n", "--number", help="Images to draw, at most a quarter of the data's.")] = 1000,
    sampler: Sampler = None,
    steps: Steps = None,
    eta: Eta = None,
    spacing: Spacing = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="The samples nearest to a training image.")] = None,
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A network to compare by, .onnx or .pt (TorchScript, whose code is run: trust it)."),
    ] = None,
    json: Json = False,
    raw: Raw = False,
    device: Device = "auto",
) -> None:
    """Say how near a run's images are to the data (KID, FD), and whether they are copies of it."""
    asked = given({"sampler": sampler, "steps": steps, "eta": eta, "spacing": spacing})
    from diffkit_cli.evaluate import evaluate_run

    evaluate_run(run, data, out, asked, n=n, seed=seed, features=features, raw=raw, as_json=json, device=device)


def export(
    out: Annotated[
        Path,
        typer.Option(metavar="FILE|FOLDER", help="FILE.safetensors, FILE.onnx, or a folder for the former.", show_default=False),
    ],
    run: Run = DIGITS,
    format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="safetensors, onnx, or diffusers (a folder); default: by --out's ending.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="float16: a safetensors file of half the size.")] = False,
    raw: Raw = False,
) -> None:
    """Write a run's network to a file, or to a folder for diffusers."""
    from diffkit_cli.export import export

    export(run, out, kind=format, half=half, raw=raw)


def import_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="An unconditional pipeline as diffusers saves it.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="A folder, or FILE.safetensors; every command takes it as a RUN.")],
) -> None:
    """Take over a network of diffusers, to draw from it."""
    from diffkit_cli.import_ import import_pipeline

    import_pipeline(folder, out)


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
