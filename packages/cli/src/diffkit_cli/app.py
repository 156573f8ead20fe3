"""The commands: each parses its options and gives what does the work, imported only then, for whoever runs it to call."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from diffkit_cli.commands import app_draw as draw
from diffkit_cli.commands import app_look as look
from diffkit_cli.errors import UsageError, given, nearest
from diffkit_cli.options.numbers import real, whole
from diffkit_cli.options.shared import Prediction, Preset, Schedule, Settings, Work
from diffkit_cli.training.settings import parse_set, read_settings

__all__ = ["app"]


class _Commands(TyperGroup):
    """Names the commands where there is none like the one that was typed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise UsageError(f"no command {args[0]!r}: {nearest(args[0], self.commands, 'commands')}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        from diffkit_cli.terminal.console import results

        for package in ("cli", "schedules", "samplers", "unet", "trainer"):
            results().print(f"diffkit-{package} {metadata.version(f'diffkit-{package}')}")
        raise typer.Exit


@app.callback()
def diffkit(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show every version.")] = False,
) -> None:
    """Train a diffusion model on a folder of images, and draw new ones."""
    try:
        os.getcwd()  # some libraries end the process where there is none
    except OSError as error:
        raise type(error)(error.errno, "is gone", "the working directory") from None


@app.command()
def train(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="A folder of images or IDX files; none: the digits.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; default runs/NAME OF DATA.")] = None,
    steps: Annotated[int | None, whole(help="Optimiser updates in total.")] = None,
    batch_size: Annotated[int | None, whole(help="Images an update.")] = None,
    size: Annotated[int | None, whole(help="Resize and crop to SIZE x SIZE; default: 64 for a folder of images.")] = None,
    preset: Preset = None,
    schedule: Schedule = None,
    prediction: Prediction = None,
    lr: Annotated[float | None, real(help="Learning rate.")] = None,
    ema: Annotated[float | None, real(help="Decay of the moving average.")] = None,
    seed: Annotated[int | None, whole(help="Of the weights, the order and the noise.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out files that are no readable images.")] = False,
    config: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Keys from a file; options win over them.")] = None,
    settings: Settings = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would be and take; write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --dry-run: JSON on stdout, for scripts.")] = False,
) -> Work:
    """Train a network on DATA into a run folder."""
    if json and not dry_run:
        raise UsageError("--json goes with --dry-run alone")
    flags: dict[str, Any] = {
        **{"data": data, "steps": steps, "batch_size": batch_size, "size": size, "preset": preset, "schedule": schedule},
        **{"prediction": prediction, "lr": lr, "ema": ema, "seed": seed, "device": device},
    }
    options = (read_settings(config) if config else {}) | given(flags) | parse_set(settings or [])
    from diffkit_cli.commands.train import train

    return partial(train, options, out, resuming=resume, skip_bad=skip_bad, dry=dry_run, as_json=json)


DRAWING = (draw.sample, draw.interpolate, draw.steps, draw.inpaint)
LOOKING = (look.info, look.doctor, look.evaluate, look.export, look.import_, look.schedules)
for command in (*DRAWING, *LOOKING):
    app.command(command.__name__.rstrip("_"))(command)
