"""The runs below a folder, by the names that the page shows; nothing outside of the folder is among them."""

import os
from pathlib import Path

from diffkit_trainer import is_run_folder

from diffkit_cli.paths import export_file

__all__ = ["MAX_DEPTH", "runs_below", "trained_below"]

MAX_DEPTH = 3
"""Folders between the one that is given and a run, and one: a folder of images is not searched to its bottom."""


def runs_below(folder: Path) -> dict[str, Path]:
    """The run folders and imports below a folder by their names in it; given one of these, or an export, it alone.

    A link to something outside of the folder is left out, and so is what begins with a dot.

    >>> from diffkit_cli.bundled import DIGITS
    >>> list(runs_below(DIGITS))
    ['digits.safetensors']
    """
    if is_run_folder(folder) or export_file(folder):
        return {folder.resolve().name: folder}
    root, found = folder.resolve(), dict[str, Path]()
    _search(folder, root, "", found, MAX_DEPTH)
    return found


def trained_below(folder: Path) -> dict[str, Path]:
    """The run folders among `runs_below`, which have a log."""
    return {name: run for name, run in runs_below(folder).items() if is_run_folder(run)}


def _search(folder: Path, root: Path, prefix: str, found: dict[str, Path], depth: int) -> None:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError:  # not readable, or removed meanwhile
        return
    for name in names:
        path = folder / name
        if not path.resolve().is_relative_to(root):
            continue
        if is_run_folder(path) or (path / "model.safetensors").is_file():
            found[prefix + name] = path
        elif depth > 1:
            _search(path, root, f"{prefix}{name}/", found, depth - 1)
