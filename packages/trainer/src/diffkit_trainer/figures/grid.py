"""A grid of images as one image."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from diffkit_trainer.figures.font import fitted, font
from diffkit_trainer.pixels import tensor_to_image

__all__ = ["MAX_PIXELS", "grid", "grid_size"]

MIN_HEIGHT = 64
CAPTION_HEIGHT, CAPTION_SIZE = 16, 11
MAX_PIXELS = 2**30 // 12
"""Of a grid: Pillow's default MAX_IMAGE_PIXELS, so that `read_metadata` and `read_image` can read it."""


def grid(
    pixels: Tensor, columns: int | None = None, padding: int = 2, scale: int | None = None, captions: Sequence[str] = ()
) -> Image.Image:
    """The images row after row, with `padding` white pixels around each, and a caption below each where captions are given.

    pixels: uint8 (N, 1 or 3, H, W). columns: default ceil(sqrt(N)), the nearest to a square.
    scale: each pixel becomes scale x scale; by default the smallest that makes an image at least 64 high, or 1 if the grid would
    have too many pixels. Unused cells are white. captions: one for each image, cut to its width. Size: see `grid_size`. Raises
    ValueError for other pixels, for another number of captions, and as `grid_size` does.

    >>> grid(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).size
    (200, 134)
    """
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or not pixels.numel():
        found = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
        raise ValueError(f"pixels must be torch.uint8 of shape (N, 1 or 3, H, W), none of them 0; got {found}")
    count, channels, height, width = pixels.shape
    if captions and len(captions) != count:
        raise ValueError(f"{count} images need one caption each, got {len(captions)}")
    layout = _layout(count, (height, width), columns, padding, scale, captioned=bool(captions))
    right, bottom, down = layout.scale * width + padding, layout.scale * height, layout.row_height
    canvas = Image.new("L" if channels == 1 else "RGB", layout.size, "white")
    for i, image in enumerate(pixels.cpu()):  # one at a time: only the canvas holds all of them enlarged
        enlarged = tensor_to_image(image).resize((layout.scale * width, layout.scale * height), Image.Resampling.NEAREST)
        canvas.paste(enlarged, (i % layout.columns * right + padding, i // layout.columns * down + padding))
    draw, face = ImageDraw.Draw(canvas), font(CAPTION_SIZE)
    for i, caption in enumerate(captions):
        middle = i % layout.columns * right + padding + (right - padding) / 2
        y = i // layout.columns * down + padding + bottom + CAPTION_HEIGHT / 2
        draw.text((middle, y), fitted(caption, CAPTION_SIZE, right - padding), fill="black", font=face, anchor="mm")
    return canvas


def grid_size(
    count: int,
    size: tuple[int, int],
    columns: int | None = None,
    padding: int = 2,
    scale: int | None = None,
    *,
    captioned: bool = False,
) -> tuple[int, int]:
    """Width and height of the `grid` of `count` images of size (H, W); captioned: with captions, of 16 pixels in height each.

    columns (scale W + padding) + padding by rows (scale H + caption + padding) + padding. Raises ValueError unless columns >= 1,
    padding >= 0 and scale >= 1, and for more than `MAX_PIXELS` pixels.

    >>> grid_size(5, (8, 8))
    (200, 134)
    """
    return _layout(count, size, columns, padding, scale, captioned=captioned).size


class _Layout(NamedTuple):
    columns: int
    scale: int
    row_height: int
    size: tuple[int, int]


def _layout(
    count: int, size: tuple[int, int], columns: int | None, padding: int, scale: int | None, *, captioned: bool
) -> _Layout:
    height, width = size
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    scales = (math.ceil(MIN_HEIGHT / height), 1) if scale is None else (scale,)
    for name, value, minimum in (("columns", columns, 1), ("padding", padding, 0), ("scale", scales[0], 1)):
        if value < minimum:
            raise ValueError(f"{name} must be >= {minimum}, got {value}")
    rows = math.ceil(count / columns)
    for each in scales:
        row_height = each * height + captioned * CAPTION_HEIGHT + padding
        across, down = columns * (each * width + padding) + padding, rows * row_height + padding
        if across * down <= MAX_PIXELS:
            return _Layout(columns, each, row_height, (across, down))
    found = f"{count} images of {width}x{height} in one grid make {across}x{down} pixels"
    raise ValueError(f"{found}, more than the {MAX_PIXELS} that can be read back")
