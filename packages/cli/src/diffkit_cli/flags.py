"""The flags that several commands share, and the completion of their values. Imports neither NumPy nor torch."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from diffkit_cli.paths import ending_in, png_or_folder
from diffkit_cli.sampling.options import OPTIONS, choices

__all__ = [
    *("Device", "Eta", "Gif", "Json", "Out", "Raw", "Run", "Sampler", "Size", "Spacing", "Steps", "Text", "WebP", "Work"),
    *("one_of", "sampling_flag"),
]

Work = Callable[[], int | None]
"""The work of a command, once its options are parsed and its modules are imported; gives the exit code, None for 0."""

Text = str | None
"""A flag as it was typed, None where it was not given; the owner of the option parses it."""


def one_of(words: Iterable[str]) -> Callable[[str], list[str]]:
    """Completes what was typed to the words that begin with it, for `typer.Option(autocompletion=)`.

    >>> one_of(["ddim", "ddpm", "heun"])("dd")
    ['ddim', 'ddpm']
    """
    known = tuple(words)

    def complete(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return complete


def sampling_flag(name: str, *flags: str, default: object = None, help: str | None = None) -> Any:
    """The flag of a sampling option: help and words are the option's, unless the command means something else by it.

    default: as the help names it.
    """
    words, text = choices(name), help or OPTIONS[name].help
    text = f"{text.rstrip('.')}: {', '.join(words)}." if words else text
    text += f" Default: {default}." if default else ""
    metavar = {"size": "N or HxW", "classes": "CLASS"}.get(name, OPTIONS[name].metavar)
    return typer.Option(*flags, help=text, metavar=metavar, autocompletion=one_of(words))


Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        show_default=False,
        help="Run folder, or a file of diffkit export. Default: the bundled digits network.",
    ),
]
Raw = Annotated[bool, typer.Option("--raw", help="Use the raw weights instead of the moving average (EMA).")]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps ...")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Sampler = Annotated[Text, sampling_flag("sampler", default="the run's, else ddim")]
Steps = Annotated[Text, sampling_flag("steps", default="20; for ddpm every timestep (1,000 for a continuous schedule)")]
Eta = Annotated[Text, sampling_flag("eta", default="the sampler's")]
Spacing = Annotated[Text, sampling_flag("spacing", default="the run's, else uniform")]
Size = Annotated[Text, sampling_flag("size", default="the size of the training images")]
Out = Annotated[
    Path,
    typer.Option(metavar="PATH", help="NAME.png for one grid; a folder for one PNG per image.", callback=png_or_folder),
]
Gif = Annotated[
    Path | None,
    typer.Option("--gif", metavar="FILE.gif", help="Also write an animation.", callback=ending_in("--gif", ".gif")),
]
WebP = Annotated[
    Path | None,
    typer.Option("--webp", metavar="FILE.webp", help="Also write a lossless animation.", callback=ending_in("--webp", ".webp")),
]
