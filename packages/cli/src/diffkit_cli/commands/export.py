"""diffkit export: a run's network in one file, or in a folder for diffusers."""

from pathlib import Path

from diffkit_trainer import ExportedNetwork, RunError, write_config, write_export, write_onnx, write_pipeline

from diffkit_cli.commands.sample import opened
from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.diffusers import pipeline_of
from diffkit_cli.sampling.pretrained import named
from diffkit_cli.terminal.console import command, console

__all__ = ["ENDINGS", "check_out", "export", "write_network"]

ENDINGS = {"safetensors": ("", ".safetensors"), "onnx": (".onnx",), "diffusers": ("",)}
"""The formats, and how the name of each may end, "" being a folder."""


def export(run: Path, out: Path, *, kind: str | None, half: bool, raw: bool) -> None:
    """Write the run's network to `out`: FILE.safetensors with its config, which every command takes as a RUN; FILE.onnx; a
    folder of model.safetensors and config.json; or, where kind is "diffusers", the folder of a pipeline of that library.

    half: numbers of float16. raw: the network as trained, not its average. Raises UsageError for a name that does not fit the
    kind, for a network that diffusers does not have, and where ONNX's packages are missing.
    """
    kind = kind or ("onnx" if out.suffix.lower() == ".onnx" else "safetensors")
    if kind not in ENDINGS:
        raise UsageError(f"--format must be one of {', '.join(ENDINGS)}; got {kind!r}")
    if half and kind != "safetensors":
        raise UsageError(f"--half is for safetensors files, got --format {kind}")
    check_out(out, ENDINGS[kind])
    source = opened(run, raw, "cpu", {})
    network, config = source.sampler.network, source.sampler.config
    use = f". Sample with: {command('sample', out)}"
    if kind == "onnx":
        with console.status("writing ONNX"):
            write_onnx(out, network, config.document())
        use = ""
    elif kind == "diffusers":
        try:
            write_pipeline(out, pipeline_of(network, config))
        except ValueError as error:
            raise UsageError(f"--format diffusers: {named(run)}: diffusers has no such network: {error}") from None
        use = f". Load with: DiffusionPipeline.from_pretrained({str(out)!r})"
    else:
        write_network(out, ExportedNetwork(network.state_dict(), config.document(), source.step, source.raw), half=half)
    which = ("the network as trained" if source.raw else "the moving average") + ", float16" * half
    console.print(f"{which}, step {source.step}, weights {source.weights}: {out}{use}")


def write_network(out: Path, network: ExportedNetwork, *, half: bool = False) -> None:
    """Write what every command takes as a RUN: FILE.safetensors, or a folder of model.safetensors and config.json."""
    if out.suffix:
        write_export(out, network, half=half)
    else:
        write_export(out / "model.safetensors", network, half=half)
        write_config(out, network.config)


def check_out(out: Path, endings: tuple[str, ...]) -> None:
    """Raises UsageError unless the name ends in one of these, "" being a folder.

    Raises RunError where something of another kind has the name, or a run, which must not lose its config.
    """
    if out.suffix.lower() not in endings:
        wanted = " or ".join(f"end in {ending}" if ending else "be a folder" for ending in endings)
        raise UsageError(f"--out must {wanted}, got {out}")
    if out.exists() and out.is_dir() != (out.suffix == ""):
        raise RunError(f"{out}: is {'a folder' if out.is_dir() else 'a file'}, give another name")
    if (out / "checkpoints").exists():
        raise RunError(f"{out}: holds a run, whose config.json this would replace: give another name")
