"""The commands: each parses its options and gives what does the work, imported only then, for whoever runs it to call."""

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from diffkit_cli.commands import app_draw as draw
from diffkit_cli.commands import app_look as look
from diffkit_cli.commands.train import train
from diffkit_cli.errors import UsageError, nearest

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


DRAWING = (draw.sample, draw.interpolate, draw.steps, draw.inpaint)
LOOKING = (look.info, look.doctor, look.evaluate, look.export, look.import_, look.schedules)
for command in (train, *DRAWING, *LOOKING):
    app.command(command.__name__.rstrip("_"))(command)
