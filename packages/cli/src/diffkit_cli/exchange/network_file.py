"""Networks in files that every command takes as a RUN."""

import os
from collections.abc import Sequence
from pathlib import Path

from diffkit_trainer import PIPELINE_FILES, ExportedNetwork, RunError, is_own_export, write_config, write_export

from diffkit_cli.errors import UsageError, foreign_files

__all__ = ["check_network_path", "write_network"]

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def write_network(out: Path, network: ExportedNetwork, *, half: bool = False) -> None:
    """Write a network as FILE.safetensors, or as a folder of model.safetensors and config.json."""
    if out.suffix:
        write_export(out, network, half=half)
    else:
        write_export(out / WEIGHTS, network, half=half)
        write_config(out, network.config)


def check_network_path(out: Path, suffixes: Sequence[str], *, pipeline: bool = False, force: bool = False) -> None:
    """Raises UsageError unless the path has one of these suffixes, "" for a folder.

    It is raised too where a file would be replaced that diffkit did not make, or a network added to a folder of other files.
    pipeline: the folder is one of diffusers. force: replace files that diffkit did not make, too. Raises RunError where the path
    is taken by something of another kind, or by a run, whose config.json would be overwritten.
    """
    if out.suffix.lower() not in suffixes:
        expected = " or ".join(f"end in {suffix}" if suffix else "be a folder" for suffix in suffixes)
        raise UsageError(f"--out must {expected}, got {out}")
    if out.exists() and out.is_dir() != (out.suffix == ""):
        raise RunError(f"{out}: is {'a folder' if out.is_dir() else 'a file'}, give another name")
    if (out / "checkpoints").exists():
        raise RunError(f"{out}: holds a run, whose config.json would be overwritten: give another name")
    if not force and (foreign := _foreign(out, pipeline=pipeline)):
        raise foreign_files(foreign)
    if not force and out.is_dir() and any(out.iterdir()) and not _holds_network(out, pipeline=pipeline):
        raise UsageError(f"{out} holds other files: give a new folder, or --force to add the network to them")


def _holds_network(out: Path, *, pipeline: bool) -> bool:
    return os.path.lexists(out / (PIPELINE_FILES[0] if pipeline else CONFIG))


def _foreign(out: Path, *, pipeline: bool) -> list[Path]:
    """The files that would be replaced, and that diffkit did not write."""
    names = PIPELINE_FILES if pipeline else (WEIGHTS, CONFIG)
    there = [path for path in ([out] if out.suffix else [out / name for name in names]) if os.path.lexists(path)]
    if pipeline and is_own_export(out / PIPELINE_FILES[0]):
        return []
    return [path for path in there if pipeline or not is_own_export(path)]
