"""The paths that commands write to, checked while options are parsed, before anything is computed; and exports that they read."""

import errno
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from diffkit_trainer import RunError

from diffkit_cli.bundled import bundled
from diffkit_cli.errors import UsageError

__all__ = ["at_step", "ending_in", "export_file", "file_hash", "png_or_folder"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".apng", ".svg", ".pdf")
"""Suffixes of other image formats, which a folder's name does not have."""


def ending_in(flag: str, suffix: str) -> Callable[[Path | None], Path | None]:
    """A check of a file name for `typer.Option(callback=)`: it must have this suffix, in any case.

    Raises UsageError for another suffix, IsADirectoryError where a folder has the name.

    >>> print(ending_in("--gif", ".gif")(Path("a.gif")))
    a.gif
    """

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() != suffix:
            raise UsageError(f"{flag} must end in {suffix}, got {path}")
        return _file(path) if path is not None else None

    return check


def png_or_folder(path: Path) -> Path:
    """A check for `typer.Option(callback=)`: NAME.png or the name of a folder.

    Raises UsageError for another image format, IsADirectoryError and FileExistsError where the name is taken by the other kind.

    >>> print(png_or_folder(Path("samples")))
    samples
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise UsageError(f"--out must end in .png, for one grid, or be a folder, got {path}")
    if path.suffix.lower() == ".png":
        return _file(path)
    if path.is_file():
        raise FileExistsError(errno.EEXIST, "is a file", str(path))
    return path


def export_file(run: Path) -> Path | None:
    """The file of `diffkit export` or `diffkit import`, given it or its folder; None for a run folder.

    Raises RunError for an ONNX file, which is for other programs.
    """
    if run.suffix.lower() == ".onnx" and run.is_file():
        way_out = "sample from it by examples/onnx_numpy.py, or export the run as .safetensors, which is a RUN"
        raise RunError(f"{run}: is an ONNX network, which diffkit writes and does not read: {way_out}")
    inside = run / "model.safetensors"
    return inside if inside.is_file() else run if run.suffix.lower() == ".safetensors" and run.is_file() else None


def at_step(run: Path, step: int | None = None) -> tuple[Path, int | None]:
    """The run and the training step of RUN, or of RUN@STEP, as messages name them, or a bundled network by name; step: of --step.

    Raises UsageError where the two steps differ.

    >>> at_step(Path("runs/flowers"), 60)
    (PosixPath('runs/flowers'), 60)
    """
    found = re.fullmatch(r"(.+)@([0-9]{1,18})", str(run))
    if found is None or run.exists() or not Path(found[1]).exists():
        return bundled(run), step
    if step not in (None, int(found[2])):
        raise UsageError(f"--step {step}: {run} has another step: leave one of them out")
    return Path(found[1]), int(found[2])


def _file(path: Path) -> Path:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    return path


def file_hash(path: Path) -> str:
    """The first 16 digits of the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
