"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from diffkit_samplers import SPACINGS

from diffkit_cli.recipe import METHODS

__all__ = [
    *("DIGITS", "Device", "Eta", "Gif", "Json", "Number", "Out", "Raw", "Run", "Sampler", "Seed", "Size", "Spacing", "Steps"),
    *("WebP", "films"),
]

DIGITS = Path(__file__).parent / "digits" / "model.safetensors"
"""The network that comes with the command, for a RUN that is not given; scripts/make_digits_network.py makes it."""

Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        show_default=False,
        help="The folder that diffkit train made, or a file of diffkit export; none: the digits that come with it.",
    ),
]
Raw = Annotated[bool, typer.Option("--raw", help="The network as trained, not its moving average.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]
Seed = Annotated[int, typer.Option(help="Image i depends on seed + i alone.")]
Number = Annotated[int, typer.Option("-n", "--number", help="How many images.")]
Size = Annotated[str | None, typer.Option(metavar="N or HxW", help="Draw at another size than the run was trained on.")]
Sampler = Annotated[str | None, typer.Option(help=f"{', '.join(METHODS)}; default ddim.")]
Steps = Annotated[int | None, typer.Option(help="Steps of the sampler; default 20, for ddpm all there are.")]
Eta = Annotated[float | None, typer.Option(help="0 is DDIM, 1 the noise of DDPM; default: what the sampler's name says.")]
Spacing = Annotated[str | None, typer.Option(help=f"Of the times: {', '.join(SPACINGS)}; default uniform.")]
Out = Annotated[Path, typer.Option(metavar="PATH", help="NAME.png: one grid; otherwise a folder, one PNG an image.")]
Gif = Annotated[Path | None, typer.Option(metavar="FILE.gif", help="An animation too.")]
WebP = Annotated[Path | None, typer.Option("--webp", metavar="FILE.webp", help="An animation too, without loss.")]


def films(*paths: Path | None) -> list[Path]:
    """The animations that were asked for.

    >>> films(None, Path("a.webp"))
    [PosixPath('a.webp')]
    """
    return [path for path in paths if path is not None]
