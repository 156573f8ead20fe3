"""What a command will take, compared with what there is before the network is asked: places to write to, and memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffkit_trainer import animation_size, free_memory, grid_size, require_place

from diffkit_cli.errors import UsageError

__all__ = ["require_animations", "require_memory", "require_picture"]

BYTES = {1: 1, 3: 4}
"""That Pillow takes for a pixel, by the number of channels."""


def require_memory(what: str, needed: int, way_out: str, device: Any = "cpu") -> None:
    """Raises UsageError where more bytes are needed, at the least, than are free on the device.

    >>> require_memory("3 images", 2**60, "take fewer")
    Traceback (most recent call last):
    ...
    diffkit_cli.training.config.UsageError: 3 images take at least 1,073,741,824.0 GiB of memory, ... are free: take fewer
    """
    free = free_memory(device)
    if free is not None and needed > free:
        raise UsageError(f"{what} take at least {needed / 2**30:,.1f} GiB of memory, {free / 2**30:,.1f} are free: {way_out}")


def require_picture(
    out: Path, count: int, shape: tuple[int, int, int], *, columns: int | None = None, canvases: int = 1, folder: bool = True
) -> None:
    """Raises OSError where `out` cannot be written, UsageError where it is a grid of more images than fit one, or the memory.

    shape: of each image, (C, H, W). canvases: so often the grid is in memory. folder: whether one may be asked for instead.
    """
    grid = out.suffix.lower() == ".png"
    require_place(out if grid else out / "00000.png")
    if grid:
        channels, height, width = shape
        way_out = f"take fewer, a smaller --size{' or --out FOLDER' if folder else ''}"
        try:
            across, down = grid_size(count, (height, width), columns)
        except ValueError as error:
            raise UsageError(f"{out}: {error}: {way_out}") from None
        needed = count * channels * height * width + canvases * BYTES[channels] * across * down
        require_memory(f"{count} images in one grid", needed, way_out)


def require_animations(
    paths: Sequence[Path], frames: int, count: int, shape: tuple[int, int, int], *, columns: int | None = None
) -> None:
    """Raises OSError where a path cannot be written, UsageError where so many frames of so many images are too much for it."""
    channels, height, width = shape
    way_out = "take fewer images or a smaller --size"
    for path in paths:
        require_place(path)
        try:
            across, down = animation_size(count, (height, width), path, columns)
        except ValueError as error:
            raise UsageError(f"{path}: {error}: {way_out}") from None
        needed = frames * (count * channels * height * width + BYTES[channels] * across * down)
        require_memory(f"{frames} frames of {path}", needed, way_out)
