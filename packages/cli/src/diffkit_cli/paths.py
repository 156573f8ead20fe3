"""The paths that commands write to, checked while options are parsed, before anything is computed; and exports that they read."""

import errno
from collections.abc import Callable
from pathlib import Path

from diffkit_cli.errors import UsageError

__all__ = ["ending_in", "export_file", "png_or_folder"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".apng", ".svg", ".pdf")
"""Suffixes of other image formats, which a folder's name does not have."""


def ending_in(flag: str, suffix: str) -> Callable[[Path | None], Path | None]:
    """A check of a file name for `typer.Option(callback=)`: it must have this suffix, in any case.

    Raises UsageError for another suffix, IsADirectoryError where a folder has the name.

    >>> ending_in("--gif", ".gif")(Path("a.gif"))
    PosixPath('a.gif')
    """

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() != suffix:
            raise UsageError(f"{flag} must end in {suffix}, got {path}")
        return _file(path) if path is not None else None

    return check


def png_or_folder(path: Path) -> Path:
    """A check for `typer.Option(callback=)`: NAME.png or the name of a folder.

    Raises UsageError for another image format, IsADirectoryError and FileExistsError where the name is taken by the other kind.

    >>> png_or_folder(Path("samples"))
    PosixPath('samples')
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise UsageError(f"--out must end in .png, for one grid, or be a folder, got {path}")
    if path.suffix.lower() == ".png":
        return _file(path)
    if path.is_file():
        raise FileExistsError(errno.EEXIST, "is a file", str(path))
    return path


def export_file(run: Path) -> Path | None:
    """The file of `diffkit export` or `diffkit import`, given it or its folder; None for a run folder."""
    inside = run / "model.safetensors"
    return inside if inside.is_file() else run if run.suffix.lower() == ".safetensors" and run.is_file() else None


def _file(path: Path) -> Path:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    return path
