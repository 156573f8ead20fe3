"""The options that several commands share, and the completion of their values."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.options.choices import SAMPLERS, SPACINGS
from diffkit_cli.options.numbers import real, whole
from diffkit_cli.options.outputs import ending_in, png_or_folder

__all__ = [
    *("Device", "Eta", "Gif", "Json", "Number", "Out", "Raw", "Run", "Sampler"),
    *("Seed", "Size", "Spacing", "Steps", "WebP", "Work", "films", "one_of"),
]

Work = Callable[[], int | None]
"""What a command does once all is read that it needs; its exit code, None for 0."""


def one_of(words: Iterable[str]) -> Callable[[str], list[str]]:
    """Completes what was typed to the words that begin with it, for `typer.Option(autocompletion=)`.

    >>> one_of(["ddim", "ddpm", "heun"])("dd")
    ['ddim', 'ddpm']
    """
    known = tuple(words)

    def complete(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return complete


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
Seed = Annotated[int, whole(help="Image i depends on seed + i alone.")]
Number = Annotated[int, whole("-n", "--number", help="How many images.")]
Size = Annotated[str | None, typer.Option(metavar="N or HxW", help="Draw at another size than the run was trained on.")]
Sampler = Annotated[str | None, typer.Option(help=f"{', '.join(SAMPLERS)}; default ddim.", autocompletion=one_of(SAMPLERS))]
Steps = Annotated[int | None, whole(help="Steps of the sampler; default 20, for ddpm all there are.")]
Eta = Annotated[float | None, real(help="0 is DDIM, 1 the noise of DDPM; default: what the sampler's name says.")]
Spacing = Annotated[
    str | None,
    typer.Option(help=f"Of the times: {', '.join(SPACINGS)}; default uniform.", autocompletion=one_of(SPACINGS)),
]
Out = Annotated[
    Path, typer.Option(metavar="PATH", help="NAME.png: one grid; otherwise a folder, one PNG an image.", callback=png_or_folder)
]
Gif = Annotated[Path | None, typer.Option(metavar="FILE.gif", help="An animation too.", callback=ending_in("--gif", ".gif"))]
WebP = Annotated[
    Path | None,
    typer.Option("--webp", metavar="FILE.webp", help="An animation too, without loss.", callback=ending_in("--webp", ".webp")),
]


def films(*paths: Path | None) -> list[Path]:
    """The animations that were asked for.

    >>> films(None, Path("a.webp"))
    [PosixPath('a.webp')]
    """
    return [path for path in paths if path is not None]
