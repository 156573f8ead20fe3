"""diffkit export: write a network to a file, or as a pipeline of diffusers."""

from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.bundled import DEFAULT, name_of
from diffkit_cli.errors import UsageError
from diffkit_cli.flags import Force, Raw, Run, Work, one_of, sampling_flags
from diffkit_cli.sampling.options import Given

__all__ = ["FORMATS", "export"]

FORMATS = {"safetensors": ("", ".safetensors"), "onnx": (".onnx",), "diffusers": ("",)}
"""The suffixes that a file of each format may have, "" for a folder."""


@sampling_flags("step")
def export(
    *,
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="FILE.safetensors or FILE.onnx; or a folder, for safetensors and diffusers.",
            show_default=False,
        ),
    ],
    run: Run = DEFAULT,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)}. Default: by the suffix of --out.",
            autocompletion=one_of(FORMATS),
        ),
    ] = None,
    given: Given,
    half: Annotated[bool, typer.Option("--half", help="Write float16 (safetensors): half the size.")] = False,
    raw: Raw = False,
    force: Force = False,
) -> Work:
    """Export a network: safetensors, ONNX or diffusers."""
    kind = format or ("onnx" if out.suffix.lower() == ".onnx" else "safetensors")
    if kind not in FORMATS:
        raise UsageError(f"--format must be one of {', '.join(FORMATS)}; got {kind!r}")
    if half and kind != "safetensors":
        raise UsageError(f"--half is for safetensors files, got --format {kind}")
    from diffkit_trainer import ExportedNetwork, write_onnx, write_pipeline

    from diffkit_cli.exchange.diffusers import pipeline_of
    from diffkit_cli.exchange.network_file import check_network_path, write_network
    from diffkit_cli.sampling.loading import open_model
    from diffkit_cli.terminal.console import command, console

    def work() -> None:
        check_network_path(out, FORMATS[kind], pipeline=kind == "diffusers", force=force)
        loaded = open_model(run, raw=raw, step=given.get("step"), device="cpu")
        network, config = loaded.model.network, loaded.model.config
        usage = f". Sample with: {command('sample', out)}"
        if kind == "onnx":
            with console.status("writing ONNX"):
                write_onnx(out, network, config.document())
            usage = ""
        elif kind == "diffusers":
            try:
                write_pipeline(out, pipeline_of(network, config))
            except ValueError as error:
                refused = f"--format diffusers: {name_of(run)} has no equivalent in diffusers: {error}"
                raise UsageError(f"{refused}; export it as .safetensors or .onnx") from None
            usage = f". Load with: DiffusionPipeline.from_pretrained({str(out)!r})"
        else:
            write_network(out, ExportedNetwork(network.state_dict(), config.document(), loaded.step, loaded.raw), half=half)
        which = ("raw weights" if loaded.raw else "moving average") + ", float16" * half
        console.print(f"{which}, step {loaded.step}, weights {loaded.weights}: {out}{usage}")

    return work
