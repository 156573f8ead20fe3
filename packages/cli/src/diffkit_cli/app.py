"""The commands: each parses its options and calls what does the work, imported only then."""

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.config import RECIPES, SCHEDULE_NAMES, given, parse_set

__all__ = ["app"]

app = typer.Typer(
    help="Denoising diffusion on your own pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that diffkit train made.")]
Raw = Annotated[bool, typer.Option("--raw", help="The network as trained, not its moving average.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")]


def _version(wanted: bool) -> None:
    if wanted:
        for package in ("cli", "schedules", "samplers", "unet", "trainer"):
            typer.echo(f"diffkit-{package} {metadata.version(f'diffkit-{package}')}")
        raise typer.Exit


@app.callback()
def diffkit(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show every version.")] = False,
) -> None:
    """Train a diffusion model on a folder of images, and draw new ones."""


@app.command()
def train(
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="A folder of images or IDX files; none: the digits.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; default runs/NAME OF DATA.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser updates in total.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images an update.")] = None,
    size: Annotated[int | None, typer.Option(help="Resize and crop to SIZE x SIZE; default: 64 for a folder of images.")] = None,
    preset: Annotated[str | None, typer.Option(help=f"The network: {', '.join(RECIPES)}.")] = None,
    schedule: Annotated[str | None, typer.Option(help=f"One of {', '.join(SCHEDULE_NAMES)}.")] = None,
    prediction: Annotated[str | None, typer.Option(help="What the network says: eps, x0, v or flow.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    ema: Annotated[float | None, typer.Option(help="Decay of the moving average.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the weights, the order and the noise.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out files that are no readable images.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other key, such as save_every=500.")
    ] = None,
) -> None:
    """Train a network on DATA into a run folder."""
    options = given(
        {
            **{"data": data, "steps": steps, "batch_size": batch_size, "size": size, "preset": preset, "schedule": schedule},
            **{"prediction": prediction, "lr": lr, "ema": ema, "seed": seed, "device": device},
        }
    ) | parse_set(settings or [])
    from diffkit_cli.train import train

    raise typer.Exit(train(options, out, resuming=resume, skip_bad=skip_bad))


@app.command()
def sample(
    run: Run,
    n: Annotated[int, typer.Option("-n", "--number", help="How many images.")] = 16,
    steps: Annotated[int, typer.Option(help="Evaluations of the network.")] = 20,
    eta: Annotated[float, typer.Option(help="0 is DDIM, 1 the noise of DDPM.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Image i depends on seed + i alone.")] = 0,
    out: Annotated[Path, typer.Option(help="NAME.png: one grid; otherwise a folder, one PNG an image.")] = Path("samples.png"),
    raw: Raw = False,
    batch_size: Annotated[int, typer.Option(help="Images at a time; does not change them.")] = 64,
    device: Device = "auto",
) -> None:
    """Draw new images from a run."""
    from diffkit_cli.sample import sample

    sample(run, out, n=n, steps=steps, eta=eta, seed=seed, raw=raw, batch_size=batch_size, device=device)


@app.command()
def interpolate(
    run: Run,
    rows: Annotated[int, typer.Option(help="Pairs of noises.")] = 5,
    columns: Annotated[int, typer.Option(help="Images from one noise to the other.")] = 11,
    steps: Annotated[int, typer.Option(help="Evaluations of the network.")] = 20,
    seed: Annotated[int, typer.Option(help="Row i goes from seed + 2i to seed + 2i + 1.")] = 0,
    out: Annotated[Path, typer.Option(help="NAME.png: one grid; otherwise a folder.")] = Path("interpolation.png"),
    raw: Raw = False,
    device: Device = "auto",
) -> None:
    """Draw rows of images between two noises."""
    from diffkit_cli.sample import interpolate

    interpolate(run, out, rows=rows, columns=columns, steps=steps, seed=seed, raw=raw, device=device)


@app.command()
def info(run: Run) -> None:
    """Say what is in a run folder."""
    from diffkit_cli.info import info

    info(run)
