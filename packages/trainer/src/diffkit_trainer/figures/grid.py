"""A grid of images as one image."""

import math

import torch
from PIL import Image
from torch import Tensor

from diffkit_trainer.pixels import tensor_to_image

__all__ = ["grid"]

WHITE = 255
MIN_HEIGHT = 64


def grid(pixels: Tensor, columns: int | None = None, padding: int = 2, scale: int | None = None) -> Image.Image:
    """The images row after row, with `padding` white pixels around each.

    pixels: uint8 (N, 1 or 3, H, W). columns: default ceil(sqrt(N)), the nearest to a square.
    scale: each pixel becomes scale x scale; by default the smallest that makes an image at least 64 high. Unused cells are
    white. Size: columns (scale W + padding) + padding by rows (scale H + padding) + padding.
    Raises ValueError for other pixels, and unless columns >= 1, padding >= 0 and scale >= 1.

    >>> grid(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).size
    (200, 134)
    """
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or not pixels.numel():
        found = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
        raise ValueError(f"pixels must be torch.uint8 of shape (N, 1 or 3, H, W), none of them 0; got {found}")
    count, channels, height, width = pixels.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    scale = math.ceil(MIN_HEIGHT / height) if scale is None else scale
    for name, value, minimum in (("columns", columns, 1), ("padding", padding, 0), ("scale", scale, 1)):
        if value < minimum:
            raise ValueError(f"{name} must be >= {minimum}, got {value}")
    rows, down, right = math.ceil(count / columns), scale * height + padding, scale * width + padding
    canvas = torch.full((channels, rows * down + padding, columns * right + padding), WHITE, dtype=torch.uint8)
    enlarged = pixels.detach().cpu().repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    for i, image in enumerate(enlarged):
        top, left = i // columns * down + padding, i % columns * right + padding
        canvas[:, top : top + scale * height, left : left + scale * width] = image
    return tensor_to_image(canvas)
