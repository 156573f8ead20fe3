"""diffkit import: a network of diffusers as a RUN."""

from pathlib import Path

from diffkit_trainer import ExportedNetwork, RunError, read_pipeline

from diffkit_cli.commands.export import check_out, write_network
from diffkit_cli.sampling.diffusers import network_of, spacing_of
from diffkit_cli.terminal.console import command, console, plural, warn

__all__ = ["import_pipeline"]


def import_pipeline(folder: Path, out: Path) -> None:
    """Write the network of an unconditional pipeline, as diffusers saves it, to what every command takes as a RUN.

    It draws as the pipeline does, from the same noise at the same times; what of its scheduler is not taken over is said.
    Raises RunError for a folder that is none, cannot be read or holds what has no counterpart, UsageError for another --out.
    """
    check_out(out, ("", ".safetensors"))
    with console.status(f"reading {folder}"):
        pipeline = read_pipeline(folder)
        try:
            network, config, left = network_of(pipeline)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise RunError(f"{folder}: cannot be taken over: {error}") from None
    for names in left:
        warn(f"not taken over from its scheduler: {names}")
    write_network(out, ExportedNetwork(network.state_dict(), config.document(), 0, raw=True))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    image = f"{config.image.width}x{config.image.height}, {plural(config.image.channels, 'channel')}"
    sample = command("sample", out, "--spacing", spacing_of(pipeline))
    console.print(f"{config.imported}: {parameters:,} parameters, {image}: {out}. Sample with: {sample}")
