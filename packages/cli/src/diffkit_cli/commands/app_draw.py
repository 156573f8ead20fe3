"""The commands that draw pictures from a run."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import given
from diffkit_cli.options.numbers import real, whole
from diffkit_cli.options.outputs import ending_in
from diffkit_cli.options.shared import (
    Device,
    Eta,
    Gif,
    Number,
    Out,
    Raw,
    Run,
    Sampler,
    Seed,
    Size,
    Spacing,
    Steps,
    WebP,
    Work,
    films,
)
from diffkit_cli.sampling.pretrained import DIGITS

__all__ = ["inpaint", "interpolate", "sample", "steps"]


def sample(
    run: Run = DIGITS,
    n: Annotated[int | None, whole("-n", "--number", help="How many images; default 16.")] = None,
    sampler: Sampler = None,
    steps: Steps = None,
    eta: Eta = None,
    spacing: Spacing = None,
    seed: Annotated[int | None, whole(help="Image i depends on seed + i alone; default 0.")] = None,
    size: Size = None,
    classes: Annotated[list[str] | None, typer.Option("--class", help="A class; several take turns.")] = None,
    guidance: Annotated[float | None, real(help="How far towards the class; 1, the default, is off.")] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="As this picture was drawn; other options change it.")
    ] = None,
    init: Annotated[Path | None, typer.Option(metavar="IMAGE", help="Begin with this image instead of with noise.")] = None,
    strength: Annotated[float | None, real(help="How much of it to draw anew: (0, 1], default 0.6.")] = None,
    out: Out = Path("samples.png"),
    gif: Gif = None,
    webp: WebP = None,
    raw: Annotated[bool | None, typer.Option("--raw/--ema", help="The network as trained, or its moving average.")] = None,
    batch_size: Annotated[int | None, whole(help="Images at a time, default what fits; does not change them.")] = None,
    device: Device = "auto",
) -> Work:
    """Draw new images from a run."""
    options = {"n": n, "sampler": sampler, "steps": steps, "eta": eta, "spacing": spacing, "seed": seed, "size": size}
    asked = given({**options, "classes": classes, "guidance": guidance, "raw": raw})
    from diffkit_cli.commands.sample import Edit, sample

    edit = Edit(like=like, init=init, strength=strength)
    return partial(sample, run, out, asked, edit, animations=films(gif, webp), batch_size=batch_size, device=device)


def interpolate(
    run: Run = DIGITS,
    rows: Annotated[int | None, whole(help="Pairs of noises; default 5.")] = None,
    columns: Annotated[int, whole(help="Images from one noise to the other.")] = 11,
    start: Annotated[Path | None, typer.Option("--from", metavar="IMAGE", help="Begin at this image.")] = None,
    stop: Annotated[Path | None, typer.Option("--to", metavar="IMAGE", help="End at this image.")] = None,
    steps: Annotated[int | None, whole(help="Evaluations of the network; default 20, between images 50.")] = None,
    spacing: Spacing = None,
    seed: Annotated[int | None, whole(help="Row i goes from seed + 2i to seed + 2i + 1; default 0.")] = None,
    size: Size = None,
    out: Out = Path("interpolation.png"),
    gif: Gif = None,
    webp: WebP = None,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Draw the way from one noise, or image, to another."""
    asked = given({"steps": steps, "spacing": spacing, "size": size})
    from diffkit_cli.commands.interpolate import interpolate

    noises, ends = given({"rows": rows, "seed": seed}), (start, stop)
    return partial(
        interpolate, run, out, asked, noises, columns=columns, ends=ends, animations=films(gif, webp), raw=raw, device=device
    )


def steps(
    run: Run = DIGITS,
    steps: Annotated[str, typer.Option(metavar="N,N,...", help="A row for each.")] = "1,2,3,4,5,20,100",
    n: Number = 10,
    sampler: Sampler = None,
    eta: Eta = None,
    spacing: Spacing = None,
    seed: Seed = 0,
    size: Size = None,
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="The picture.", callback=ending_in("--out", ".png"))] = Path(
        "steps.png"
    ),
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Draw the same noise with few and with many steps.

    Each row says how long it took.
    """
    asked = given({"sampler": sampler, "eta": eta, "spacing": spacing, "size": size})
    from diffkit_cli.commands.steps import parse_steps, steps_figure

    return partial(steps_figure, run, out, asked, counts=parse_steps(steps), n=n, seed=seed, raw=raw, device=device)


def inpaint(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder that diffkit train made, or a file of diffkit export.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The picture; cut and resized to the run's size.")],
    mask: Annotated[Path, typer.Option(metavar="MASK", help="An image of its size: white is drawn anew, black is kept.")],
    n: Number = 8,
    sampler: Sampler = None,
    steps: Annotated[int | None, whole(help="Steps of the sampler; default 20.")] = None,
    rounds: Annotated[int, whole(help="Times each step is made, so that both parts fit; 1 is quick.")] = 5,
    eta: Annotated[float | None, real(help="Noise of each step; default 1, which fits the parts together best.")] = None,
    spacing: Spacing = None,
    seed: Seed = 0,
    size: Size = None,
    out: Out = Path("inpainted.png"),
    gif: Gif = None,
    webp: WebP = None,
    raw: Raw = False,
    device: Device = "auto",
) -> Work:
    """Draw a part of a picture anew."""
    asked = given({"sampler": sampler, "steps": steps, "eta": eta, "spacing": spacing, "size": size})
    from diffkit_cli.commands.inpaint import inpaint

    return partial(
        inpaint, run, image, mask, out, asked, n=n, seed=seed, rounds=rounds, animations=films(gif, webp), raw=raw, device=device
    )
