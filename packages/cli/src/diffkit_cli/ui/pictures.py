"""Images as the page sends them: PNG, in the page or as a file with its metadata."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from diffkit_trainer import as_pixels, decode_image, grid, save_png

from diffkit_cli.sampling.data_url import data_url

__all__ = ["checked_png", "png_file", "png_url"]


def png_url(values: Any) -> str:
    """One sample (C, *space) as a data URL, pixel by pixel, see `as_pixels`."""
    return data_url(grid(as_pixels(values[None]), padding=0, scale=1))


def checked_png(path: Path, most: int | None = None) -> str:
    """An image file as a data URL, once it is decoded with the checks of all images; sides of at most `most` pixels.

    Raises DataError for a file that cannot be read.
    """
    found = decode_image(path)
    if most is not None:
        found.thumbnail((most, most))
    return data_url(found)


def png_file(values: Any, metadata: Mapping[str, Any]) -> bytes:
    """The PNG of one sample that a command writes into a folder."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "image.png"
        save_png(as_pixels(values[None])[0], path, metadata)
        return path.read_bytes()
