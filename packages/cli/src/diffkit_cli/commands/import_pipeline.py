"""diffkit import: import a pipeline of diffusers as a run."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.flags import Force, Work

__all__ = ["import_pipeline"]


def import_pipeline(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Unconditional pipeline, as save_pretrained writes it.")],
    out: Annotated[
        Path, typer.Option(metavar="RUN", help="Folder or FILE.safetensors to write: a RUN, which train takes by --from.")
    ],
    force: Force = False,
) -> Work:
    """Import a diffusers pipeline as a run."""
    from diffkit_trainer import ExportedNetwork, RunError, read_pipeline

    from diffkit_cli.exchange.diffusers import network_of, spacing_of
    from diffkit_cli.exchange.network_file import check_network_path, write_network
    from diffkit_cli.terminal.console import command, console, plural, warn

    def work() -> None:
        check_network_path(out, ("", ".safetensors"), force=force)
        with console.status(f"reading {folder}"):
            pipeline = read_pipeline(folder)
            try:
                network, config, ignored = network_of(pipeline)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise RunError(f"{folder}: cannot be imported: {error}") from None
        for names in ignored:
            warn(f"ignored in its scheduler: {names}")
        write_network(out, ExportedNetwork(network.state_dict(), config.document(), 0, raw=True))
        parameters = sum(parameter.numel() for parameter in network.parameters())
        channels, height, width = config.shape
        image = f"{width}x{height}, {plural(channels, 'channel')}"
        usage = command("sample", out, "--spacing", spacing_of(pipeline))
        usage += f". Fine-tune with: {command('train', 'DATA', '--from', out)}"
        console.print(f"{config.imported}: {parameters:,} parameters, {image}: {out}. Sample with: {usage}")

    return work
