"""Pixels as PNG files: one picture, a grid of pictures, a folder of pictures."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from diffkit_trainer.figures.metadata import png_text
from diffkit_trainer.files.atomic import written
from diffkit_trainer.pixels import as_image

__all__ = ["MOST_PIXELS", "grid", "grid_size", "save_images", "to_png"]

VISIBLE = 64

MOST_PIXELS = 2**30 // 12
"""Of a grid: what Pillow opens without a warning, its own `MAX_IMAGE_PIXELS`, and so do `read_metadata` and `read_image`."""


def grid(pixels: Tensor, columns: int | None = None, padding: int = 2, scale: int | None = None) -> Image.Image:
    """The images side by side, row after row, with `padding` white pixels around each.

    pixels: uint8 (N, 1 or 3, H, W). columns: ceil(sqrt(N)) unless given, which is as near to a square as whole rows get.
    scale: each pixel becomes scale x scale; the smallest that makes an image at least 64 high unless given, and 1 where that has
    too many pixels. Cells that are left over are white. Size: see `grid_size`.
    Raises ValueError for other pixels, and as `grid_size` does.

    >>> grid(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).size
    (200, 134)
    """
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or not pixels.numel():
        found = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
        raise ValueError(f"pixels must be torch.uint8 of shape (N, 1 or 3, H, W), none of them 0; got {found}")
    count, channels, height, width = pixels.shape
    layout = _layout(count, (height, width), columns, padding, scale)
    right, down = layout.scale * width + padding, layout.scale * height + padding
    canvas = Image.new("L" if channels == 1 else "RGB", layout.size, "white")
    for i, image in enumerate(pixels.cpu()):  # one after the other: what is large is in memory once
        large = as_image(image).resize((layout.scale * width, layout.scale * height), Image.Resampling.NEAREST)
        canvas.paste(large, (i % layout.columns * right + padding, i // layout.columns * down + padding))
    return canvas


def grid_size(
    count: int, size: tuple[int, int], columns: int | None = None, padding: int = 2, scale: int | None = None
) -> tuple[int, int]:
    """Width and height of the `grid` of so many images of a height and width: what it will be, before there are any.

    columns (scale W + padding) + padding by as many rows of scale H + padding, + padding. Raises ValueError unless columns >= 1,
    padding >= 0 and scale >= 1, and for more pixels than `MOST_PIXELS`.

    >>> grid_size(5, (8, 8))
    (200, 134)
    """
    return _layout(count, size, columns, padding, scale).size


class _Layout(NamedTuple):
    columns: int
    scale: int
    size: tuple[int, int]


def _layout(count: int, size: tuple[int, int], columns: int | None, padding: int, scale: int | None) -> _Layout:
    height, width = size
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    scales = (math.ceil(VISIBLE / height), 1) if scale is None else (scale,)
    for name, value, least in (("columns", columns, 1), ("padding", padding, 0), ("scale", scales[0], 1)):
        if value < least:
            raise ValueError(f"{name} must be >= {least}, got {value}")
    rows = math.ceil(count / columns)
    for each in scales:
        across, down = columns * (each * width + padding) + padding, rows * (each * height + padding) + padding
        if across * down <= MOST_PIXELS:
            return _Layout(columns, each, (across, down))
    found = f"{count} images of {width}x{height} in one grid make {across}x{down} pixels"
    raise ValueError(f"{found}, more than the {MOST_PIXELS} that can be read back")


def to_png(pixels: Tensor, path: str | Path, note: Mapping[str, Any] | None = None) -> None:
    """Writes one image, uint8 (1 or 3, H, W), as a PNG at its own size, with a note that `read_metadata` reads back.

    Parent folders are made. The file appears whole or not at all: it is written under a temporary name and renamed. Raises
    ValueError for other pixels, OSError where the file cannot be written.
    """
    _write(as_image(pixels), Path(path), note)


def save_images(
    pixels: Tensor,
    out: str | Path,
    *,
    columns: int | None = None,
    notes: Sequence[Mapping[str, Any]] | None = None,
    first: int = 0,
) -> list[Path]:
    """Writes uint8 images (N, 1 or 3, H, W): one grid if `out` ends in .png, else a folder of 00000.png, 00001.png, ...

    The grid is enlarged as `grid` does; in a folder each has its own size. notes: one for the grid, or one an image; see
    `read_metadata`. first: the number of the first one in a folder. Returns the paths. Written as `to_png` does, and
    raises as `grid` and `to_png` do.
    """
    out = Path(out)
    if out.suffix.lower() == ".png":
        _write(grid(pixels, columns), out, notes[0] if notes else None)
        return [out]
    paths = [out / f"{i:05d}.png" for i in range(first, first + len(pixels))]
    for i, path in enumerate(paths):
        to_png(pixels[i], path, notes[i] if notes else None)
    return paths


def _write(image: Image.Image, path: Path, note: Mapping[str, Any] | None) -> None:
    with written(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=png_text(note))
