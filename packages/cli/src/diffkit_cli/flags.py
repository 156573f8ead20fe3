"""The flags that several commands share, and the completion of their values. Imports neither NumPy nor torch."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from diffkit_trainer.options import Option
from msgspec.inspect import VarTupleType

from diffkit_cli.paths import at_step, ending_in, png_or_folder
from diffkit_cli.recipes import register_network
from diffkit_cli.sampling.options import DEFAULTS, OPTIONS, choices, flags_of
from diffkit_cli.sampling.parse import parse_flags
from diffkit_cli.training import options as training

__all__ = [
    *("Device", "Force", "Gif", "Json", "Network", "Raw", "Run", "Text", "WebP", "Work"),
    *("DryRun", "DryRunJson", "one_of", "out_flag", "sampling_flags", "settings_flag", "train_flag"),
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


def out_flag(default: str) -> Any:
    """The flag of the images' path, for `Annotated`. default: the file that is written without it."""
    text = f"NAME.png for one grid; a folder for one PNG per image. Default: {default}, numbered if another image has the name."
    return typer.Option("--out", metavar="PATH", help=text, callback=lambda path: path and png_or_folder(path))


def train_flag(name: str) -> Any:
    """The flag of an option of training: help, range and words are the option's own."""
    words = training.choices(name)
    listed = f" {', '.join(words)}." if words else ""
    option = training.OPTIONS[name]
    return typer.Option(help=f"{option.help}{listed}", metavar=option.metavar, autocompletion=one_of(words))


def settings_flag(help: str) -> Any:
    """The flag of KEY=VALUE, any option of training."""
    words = [f"{key}={word}" for key in training.OPTIONS for word in training.choices(key) or [""]]
    return typer.Option("--set", metavar="KEY=VALUE", help=f"{help} --dry-run lists all.", autocompletion=one_of(words))


def sampling_flags(
    *names: str, defaults: Mapping[str, object] | None = None, help: Mapping[str, str] | None = None
) -> Callable[[Callable[..., Work]], Callable[..., Work]]:
    """Gives a command the flags of these options of sampling, where its parameter `given` is; that gets the values, parsed.

    Its RUN may be RUN@STEP, which is as --step STEP.

    defaults, help: what the command's help says of an option, where it differs from the option's own.
    """
    shown, texts = {**DEFAULTS, **(defaults or {})}, help or {}

    def with_flags(command: Callable[..., Work]) -> Callable[..., Work]:
        @wraps(command)
        def parsed(**values: Any) -> Work:
            values.pop("network")  # its callback has registered it
            given = parse_flags({name: values.pop(name) for name in names})
            values["run"], step = at_step(values["run"], given.get("step"))
            return command(given=given if step is None else given | {"step": step}, **values)

        options = [OPTIONS[name] for name in names]
        flags = [_flag(each, shown.get(each.name, each.default), texts.get(each.name, each.help)) for each in options]
        flags.append(Parameter("network", Parameter.KEYWORD_ONLY, default=None, annotation=Network))
        parameters = (flags if each.name == "given" else [each] for each in signature(command).parameters.values())
        parsed.__signature__ = Signature(list(chain.from_iterable(parameters)))  # type: ignore[attr-defined]
        return parsed

    return with_flags


def _flag(option: Option, default: object, text: str) -> Parameter:
    """The flag of an option of sampling, as a parameter of a command."""
    words = choices(option.name)
    text = f"{text.rstrip('.')}: {', '.join(words)}." if words else text
    if default not in (None, ()):
        text += f" Default: {default:g}." if isinstance(default, int | float) else f" Default: {default}."
    metavars = {"size": "N or HxW", "classes": "CLASS", "conditions": "NAME=VALUE", "given": "FILE", "guide_by": "RUN[@STEP]"}
    metavar = metavars.get(option.name, option.metavar)
    repeated = option.name != "size" and any(isinstance(each, VarTupleType) for each in option.alternatives)
    kind = list[str] | None if repeated else Text
    typed = typer.Option(*flags_of(option.name), help=text, metavar=metavar, autocompletion=one_of(words))
    return Parameter(option.name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, typed])


Network = Annotated[
    Text,
    typer.Option(
        "--network",
        metavar="MODULE:FUNCTION",
        help="Network of your own: a function (in_channels, num_classes) -> torch.nn.Module, imported because you name it here.",
        callback=lambda network: network and register_network(network),
    ),
]
Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        show_default=False,
        help="Run folder, RUN@STEP, a file of diffkit export, or a bundled network: fashion (the default) or digits.",
    ),
]
Raw = Annotated[bool, typer.Option("--raw", help="Use the raw weights instead of the moving average (EMA).")]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps ...")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print options, time and memory; write no run.")]
DryRunJson = Annotated[bool, typer.Option("--json", help="With --dry-run: JSON on stdout.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that diffkit did not make.")]
Gif = Annotated[
    Path | None,
    typer.Option("--gif", metavar="FILE.gif", help="Also write an animation.", callback=ending_in("--gif", ".gif")),
]
WebP = Annotated[
    Path | None,
    typer.Option("--webp", metavar="FILE.webp", help="Also write a lossless animation.", callback=ending_in("--webp", ".webp")),
]
