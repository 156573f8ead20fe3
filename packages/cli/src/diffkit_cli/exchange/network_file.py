"""Networks in files that every command takes as a RUN."""

from pathlib import Path

from diffkit_trainer import ExportedNetwork, RunError, write_config, write_export

from diffkit_cli.errors import UsageError

__all__ = ["check_network_path", "write_network"]


def write_network(out: Path, network: ExportedNetwork, *, half: bool = False) -> None:
    """Write a network as FILE.safetensors, or as a folder of model.safetensors and config.json."""
    if out.suffix:
        write_export(out, network, half=half)
    else:
        write_export(out / "model.safetensors", network, half=half)
        write_config(out, network.config)


def check_network_path(out: Path, suffixes: tuple[str, ...]) -> None:
    """Raises UsageError unless the path has one of these suffixes, "" for a folder.

    Raises RunError where the path is taken by something of another kind, or by a run, whose config.json would be overwritten.
    """
    if out.suffix.lower() not in suffixes:
        expected = " or ".join(f"end in {suffix}" if suffix else "be a folder" for suffix in suffixes)
        raise UsageError(f"--out must {expected}, got {out}")
    if out.exists() and out.is_dir() != (out.suffix == ""):
        raise RunError(f"{out}: is {'a folder' if out.is_dir() else 'a file'}, give another name")
    if (out / "checkpoints").exists():
        raise RunError(f"{out}: holds a run, whose config.json would be overwritten: give another name")
