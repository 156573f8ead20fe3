"""Samples of any shape as pictures, and as arrays."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from diffkit_trainer.figures.plot import COLOURS
from diffkit_trainer.files.atomic import atomic_write
from diffkit_trainer.pixels import image_to_tensor

__all__ = ["as_pixels", "pixels_shape", "save_arrays"]

PLOT_HEIGHT, MIN_PLOT_WIDTH, MAX_PLOT_WIDTH = 64, 64, 512
MAX_SLICES = 16
SUPERSAMPLING = 2


def as_pixels(values: Tensor) -> Tensor:
    """Samples (N, C, *space) as pictures, uint8 (N, 1 or 3, H, W), on one scale from the smallest to the largest of all values.

    8-bit images with 1 or 3 channels are as they are. A space of one axis is a plot with a curve for each channel. Otherwise each
    channel is grey, or RGB where there are three, and at most 16 evenly spaced slices of a volume are side by side.

    >>> as_pixels(torch.randn(2, 1, 100)).shape, as_pixels(torch.randn(2, 4, 8, 8)).shape
    (torch.Size([2, 3, 64, 100]), torch.Size([2, 1, 16, 16]))
    """
    if _is_image(values.shape[1:]) and values.dtype == torch.uint8:
        return values
    numbers = values.double().nan_to_num()
    low, high = numbers.min(), numbers.max()
    unit = (numbers - low) / (high - low).clamp(min=1e-300)
    if values.ndim == 3:
        return torch.stack([_plot(sample) for sample in unit])
    volumes = unit if values.ndim == 5 else unit.unsqueeze(2)
    chosen = _slices(volumes.shape[2])
    tiles = volumes[:, :, chosen].movedim(2, 1)  # (N, slices, C, H, W)
    if tiles.shape[2] != 3:
        tiles = tiles.flatten(1, 2).unsqueeze(2)
    count, (channels, height, width) = tiles.shape[1], tiles.shape[2:]
    columns, rows = _layout(count)
    canvas = torch.ones(len(tiles), channels, rows * height, columns * width, dtype=unit.dtype)
    for i in range(count):
        y, x = i // columns * height, i % columns * width
        canvas[:, :, y : y + height, x : x + width] = tiles[:, i]
    return (255 * canvas).round().to(torch.uint8)


def pixels_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape (1 or 3, H, W) of the picture of a sample (C, *space), see `as_pixels`.

    >>> pixels_shape((3, 8, 9)), pixels_shape((1, 40, 8, 8))
    ((3, 8, 9), (1, 32, 32))
    """
    if len(shape) == 2:
        return 3, PLOT_HEIGHT, _plot_width(shape[1])
    *_, height, width = shape
    count = len(_slices(shape[1] if len(shape) == 4 else 1)) * (1 if shape[0] == 3 else shape[0])
    columns, rows = _layout(count)
    return (3 if shape[0] == 3 else 1), rows * height, columns * width


def save_arrays(values: Tensor, folder: str | Path, *, first: int = 0) -> list[Path]:
    """Write samples (N, C, *space) as 00000.npy, 00001.npy, ..., each atomically. first: the number of the first."""
    paths = [Path(folder) / f"{i:05d}.npy" for i in range(first, first + len(values))]
    for value, path in zip(values, paths, strict=True):
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.save(file, value.cpu().numpy(), allow_pickle=False)
    return paths


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] in (1, 3)


def _slices(depth: int) -> list[int]:
    """The numbers of at most 16 evenly spaced slices."""
    count = min(depth, MAX_SLICES)
    return [(2 * i + 1) * depth // (2 * count) for i in range(count)]


def _layout(count: int) -> tuple[int, int]:
    """Columns and rows of so many tiles."""
    columns = math.ceil(math.sqrt(count))
    return columns, math.ceil(count / columns)


def _plot_width(length: int) -> int:
    return min(max(length, MIN_PLOT_WIDTH), MAX_PLOT_WIDTH)


def _plot(sample: Tensor) -> Tensor:
    """The curves of (C, L) with values in [0, 1], uint8 (3, H, W)."""
    width, height = _plot_width(sample.shape[1]), PLOT_HEIGHT
    across, up = SUPERSAMPLING * width - 1, SUPERSAMPLING * height - 1
    canvas = Image.new("RGB", (across + 1, up + 1), "white")
    draw = ImageDraw.Draw(canvas)
    step = across / max(sample.shape[1] - 1, 1)
    for i, channel in enumerate(sample.tolist()):
        points = [(step * x, up * (1 - value)) for x, value in enumerate(channel)]
        line = points if len(points) > 1 else [points[0], (across, points[0][1])]
        draw.line(line, fill=COLOURS[i % len(COLOURS)], width=SUPERSAMPLING)
    return image_to_tensor(canvas.resize((width, height), Image.Resampling.BOX))
