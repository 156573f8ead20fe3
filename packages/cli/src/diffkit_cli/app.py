"""The command line application: registers the commands."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from diffkit_cli.commands.distill import distill
from diffkit_cli.commands.doctor import doctor
from diffkit_cli.commands.evaluate import evaluate
from diffkit_cli.commands.export import export
from diffkit_cli.commands.import_pipeline import import_pipeline
from diffkit_cli.commands.info import info
from diffkit_cli.commands.inpaint import inpaint
from diffkit_cli.commands.interpolate import interpolate
from diffkit_cli.commands.sample import sample
from diffkit_cli.commands.schedules import schedules
from diffkit_cli.commands.steps import steps
from diffkit_cli.commands.train import train
from diffkit_cli.commands.tune import tune
from diffkit_cli.commands.ui import ui
from diffkit_cli.errors import UsageError, nearest
from diffkit_cli.synonyms import command_meant
from diffkit_cli.unknown_flags import Command

__all__ = ["app"]


class _Commands(TyperGroup):
    """Refuses an unknown command with the nearest names."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-"):  # before the flags of the application are parsed, which imports pydantic
            self._require_command(ctx, args[0])
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self._require_command(ctx, args[0])
        return super().resolve_command(ctx, args)

    def _require_command(self, ctx: Any, name: str) -> None:
        if name not in self.commands and not ctx.resilient_parsing:
            raise UsageError(f"no command {name!r}: {command_meant(name) or nearest(name, self.commands, 'commands')}")


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(requested: bool) -> None:
    if requested:
        from importlib import metadata

        from diffkit_cli.terminal.console import results

        for package in ("cli", "schedules", "samplers", "unet", "trainer"):
            results().print(f"diffkit-{package} {metadata.version(f'diffkit-{package}')}")
        raise typer.Exit


@app.callback()
def diffkit(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of errors.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show all versions.")] = False,
) -> None:
    """Train diffusion models on your images, and sample from them."""
    try:
        Path.cwd()  # some libraries end the process where there is none
    except OSError as error:
        raise type(error)(error.errno, "is gone", "the working directory") from None


COMMANDS = (
    train,
    sample,
    interpolate,
    steps,
    inpaint,
    tune,
    distill,
    info,
    doctor,
    evaluate,
    export,
    import_pipeline,
    schedules,
    ui,
)
for command in COMMANDS:
    app.command("import" if command is import_pipeline else command.__name__, cls=Command)(command)
