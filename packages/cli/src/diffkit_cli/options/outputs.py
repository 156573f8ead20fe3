"""What the commands may write to: told while options are read, before anything is drawn for them."""

import errno
from collections.abc import Callable
from pathlib import Path

from diffkit_cli.errors import UsageError

__all__ = ["ending_in", "png_or_folder"]

OTHERS = (".jpg", ".jpeg", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".apng", ".svg", ".pdf")
"""Endings of other pictures, which nobody gives to a folder."""


def ending_in(flag: str, ending: str) -> Callable[[Path | None], Path | None]:
    """Takes a file's name with that ending, in capitals too, for `typer.Option(callback=)`.

    Raises UsageError for another ending, IsADirectoryError where a folder has the name.

    >>> ending_in("--gif", ".gif")(Path("a.gif"))
    PosixPath('a.gif')
    """

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() != ending:
            raise UsageError(f"{flag} must end in {ending}, got {path}")
        return _file(path) if path is not None else None

    return check


def png_or_folder(path: Path) -> Path:
    """Takes NAME.png or a folder's name, for `typer.Option(callback=)`.

    Raises UsageError for the name of another picture, and as the system does where a folder is a file, or the other way round.

    >>> png_or_folder(Path("samples"))
    PosixPath('samples')
    """
    if path.suffix.lower() in OTHERS:
        raise UsageError(f"--out must end in .png, for one grid, or be a folder, got {path}")
    if path.suffix.lower() == ".png":
        return _file(path)
    if path.is_file():
        raise FileExistsError(errno.EEXIST, "is a file", str(path))
    return path


def _file(path: Path) -> Path:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    return path
