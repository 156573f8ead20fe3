"""Pixels as PNG files: one picture, a grid of pictures, a folder of pictures."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from diffkit_trainer.figures.metadata import png_text
from diffkit_trainer.files.atomic import written
from diffkit_trainer.pixels import as_image

__all__ = ["grid", "save_images", "to_png"]

WHITE = 255
VISIBLE = 64


def grid(pixels: Tensor, columns: int | None = None, padding: int = 2, scale: int | None = None) -> Image.Image:
    """The images side by side, row after row, with `padding` white pixels around each.

    pixels: uint8 (N, 1 or 3, H, W). columns: ceil(sqrt(N)) unless given, which is as near to a square as whole rows get.
    scale: each pixel becomes scale x scale; the smallest that makes an image at least 64 high unless given. Cells that are left
    over are white. Size: columns (scale W + padding) + padding by as many rows of scale H + padding, + padding.
    Raises ValueError for other pixels, and unless columns >= 1, padding >= 0 and scale >= 1.

    >>> grid(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).size
    (200, 134)
    """
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or not pixels.numel():
        found = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
        raise ValueError(f"pixels must be torch.uint8 of shape (N, 1 or 3, H, W), none of them 0; got {found}")
    count, channels, height, width = pixels.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    scale = math.ceil(VISIBLE / height) if scale is None else scale
    for name, value, least in (("columns", columns, 1), ("padding", padding, 0), ("scale", scale, 1)):
        if value < least:
            raise ValueError(f"{name} must be >= {least}, got {value}")
    rows, down, right = math.ceil(count / columns), scale * height + padding, scale * width + padding
    canvas = torch.full((channels, rows * down + padding, columns * right + padding), WHITE, dtype=torch.uint8)
    large = pixels.detach().cpu().repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    for i, image in enumerate(large):
        top, left = i // columns * down + padding, i % columns * right + padding
        canvas[:, top : top + scale * height, left : left + scale * width] = image
    return as_image(canvas)


def to_png(pixels: Tensor, path: str | Path, note: Mapping[str, Any] | None = None) -> None:
    """Writes one image, uint8 (1 or 3, H, W), as a PNG at its own size, with a note that `read_metadata` reads back.

    Parent folders are made. The file appears whole or not at all: it is written under a temporary name and renamed. Raises
    ValueError for other pixels, OSError where the file cannot be written.
    """
    _write(as_image(pixels), Path(path), note)


def save_images(
    pixels: Tensor, out: str | Path, *, columns: int | None = None, notes: Sequence[Mapping[str, Any]] | None = None
) -> list[Path]:
    """Writes uint8 images (N, 1 or 3, H, W): one grid if `out` ends in .png, else a folder of 00000.png, 00001.png, ...

    The grid is enlarged as `grid` does; in a folder each has its own size. notes: one for the grid, or one an image; see
    `read_metadata`. Gives the paths written. Written as `to_png` does, and raises as `grid` and `to_png` do.
    """
    out = Path(out)
    if out.suffix.lower() == ".png":
        _write(grid(pixels, columns), out, notes[0] if notes else None)
        return [out]
    paths = [out / f"{i:05d}.png" for i in range(len(pixels))]
    for i, path in enumerate(paths):
        to_png(pixels[i], path, notes[i] if notes else None)
    return paths


def _write(image: Image.Image, path: Path, note: Mapping[str, Any] | None) -> None:
    with written(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=png_text(note))
