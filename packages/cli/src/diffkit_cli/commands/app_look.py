"""The commands that say what is there."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError, given
from diffkit_cli.options.choices import ALL_SCHEDULES, FORMATS
from diffkit_cli.options.numbers import whole
from diffkit_cli.options.outputs import ending_in
from diffkit_cli.options.shared import Device, Eta, Json, Raw, Run, Sampler, Seed, Spacing, Steps, Work, one_of
from diffkit_cli.sampling.pretrained import DIGITS

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
) -> Work:
    """Say what is in a run folder, or how a picture was drawn."""
    from diffkit_cli.commands.info import info

    return partial(info, run, as_json=json)


def doctor(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A folder of images or IDX files, or digits.")],
    size: Annotated[int | None, whole(help="What training will resize to; default 64 for a folder of images.")] = None,
    json: Json = False,
) -> Work:
    """Look through a folder of images before training on it."""
    from diffkit_cli.commands.doctor import doctor

    return partial(doctor, data, size=size, as_json=json)


def evaluate(
    run: Run = DIGITS,
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="To compare with; none: what it was trained on.")] = None,
    n: Annotated[
        int | None, whole("-n", "--number", help="Images to draw, at most a quarter of the data's; default 1000.")
    ] = None,
    sampler: Sampler = None,
    steps: Steps = None,
    eta: Eta = None,
    spacing: Spacing = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="The samples nearest to a training image.", callback=ending_in("--out", ".png")),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A network to compare by, .onnx or .pt (TorchScript, whose code is run: trust it)."),
    ] = None,
    json: Json = False,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Compare a run's images with the data: KID, FD, copies."""
    asked = given({"sampler": sampler, "steps": steps, "eta": eta, "spacing": spacing})
    from diffkit_cli.commands.evaluate import evaluate_run

    return partial(evaluate_run, run, data, out, asked, n=n, seed=seed, features=features, raw=raw, as_json=json, device=device)


def export(
    out: Annotated[
        Path,
        typer.Option(metavar="FILE|FOLDER", help="FILE.safetensors, FILE.onnx, or a folder for the former.", show_default=False),
    ],
    run: Run = DIGITS,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)} (a folder); default: by --out's ending.",
            autocompletion=one_of(FORMATS),
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="float16: a safetensors file of half the size.")] = False,
    raw: Raw = False,
) -> Work:
    """Write a run's network to a file, or for diffusers."""
    from diffkit_cli.commands.export import export

    return partial(export, run, out, kind=format, half=half, raw=raw)


def import_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="An unconditional pipeline as diffusers saves it.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="A folder, or FILE.safetensors; every command takes it as a RUN.")],
) -> Work:
    """Take over a network of diffusers, to draw from it."""
    from diffkit_cli.commands.import_ import import_pipeline

    return partial(import_pipeline, folder, out)


def schedules(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Which; none: all of them.", autocompletion=one_of(ALL_SCHEDULES))
    ] = None,
    points: Annotated[int | None, whole(help="Times from 0 to 1; default 6.")] = None,
    json: Json = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="A plot of them.", callback=ending_in("--out", ".png"))
    ] = None,
    embedding: Annotated[bool, typer.Option("--embedding", help="The embedding's picture to --out instead.")] = False,
) -> Work:
    """Print the noise schedules: t, alpha, sigma, log-SNR."""
    from diffkit_cli.commands import schedules as work

    if embedding:
        others = [*(names or []), *(["--points"] if points is not None else []), *(["--json"] if json else [])]
        if others:
            raise UsageError(f"--embedding draws the embedding alone: leave out {' '.join(others)}")
        return partial(work.embedding, out or Path("embedding.png"))
    return partial(work.schedules, names or [], points=6 if points is None else points, as_json=json, out=out)
