"""What a command is going to write and to hold in memory, checked before the network is evaluated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffkit_trainer import animation_size, free_memory, grid_size, pixels_shape, require_creatable

from diffkit_cli.errors import UsageError

__all__ = ["require_animations", "require_image", "require_memory"]

BYTES_PER_PIXEL = {1: 1, 3: 4}
"""Of a Pillow image, by its number of channels."""


def require_memory(what: str, needed: int, way_out: str, device: Any = "cpu") -> None:
    """Raises UsageError where at least so many bytes are needed, and fewer are free on the device.

    >>> require_memory("3 images", 2**60, "use a smaller -n")
    Traceback (most recent call last):
    ...
    diffkit_cli.errors.UsageError: 3 images take at least 1,073,741,824.0 GiB of memory, ... are free: use a smaller -n
    """
    free = free_memory(device)
    if free is not None and needed > free:
        raise UsageError(f"{what} take at least {needed / 2**30:,.1f} GiB of memory, {free / 2**30:,.1f} are free: {way_out}")


def require_image(
    out: Path,
    count: int,
    shape: tuple[int, ...],
    *,
    columns: int | None = None,
    captioned: bool = False,
    copies: int = 1,
    folder: bool = True,
) -> None:
    """Raises OSError where `out` cannot be written, UsageError where the images are too many for one grid, or for the memory.

    shape: of each sample, for images (C, H, W). captioned: whether the images of a grid have captions. copies: of the grid in
    memory. folder: whether the command can write a folder instead.
    """
    grid = out.suffix.lower() == ".png"
    require_creatable(out if grid else out / "00000.png")
    if grid:
        channels, height, width = pixels_shape(shape)
        way_out = f"use fewer images, a smaller --size{' or --out FOLDER' if folder else ''}"
        try:
            grid_width, grid_height = grid_size(count, (height, width), columns, captioned=captioned)
        except ValueError as error:
            raise UsageError(f"{out}: {error}: {way_out}") from None
        needed = count * channels * height * width + copies * BYTES_PER_PIXEL[channels] * grid_width * grid_height
        require_memory(f"{count} images in one grid", needed, way_out)


def require_animations(
    paths: Sequence[Path],
    frames: int,
    count: int,
    shape: tuple[int, ...],
    *,
    columns: int | None = None,
    captioned: bool = False,
) -> None:
    """Raises OSError where a path cannot be written, UsageError where the frames are too large for the format or the memory."""
    channels, height, width = pixels_shape(shape)
    way_out = "use fewer images or a smaller --size"
    for path in paths:
        require_creatable(path)
        try:
            grid_width, grid_height = animation_size(count, (height, width), path, columns, captioned=captioned)
        except ValueError as error:
            raise UsageError(f"{path}: {error}: {way_out}") from None
        needed = frames * (count * channels * height * width + BYTES_PER_PIXEL[channels] * grid_width * grid_height)
        require_memory(f"{frames} frames of {path}", needed, way_out)
