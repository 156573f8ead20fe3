"""Grids of images one after the other, as an animated GIF or WebP."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from diffkit_trainer.figures.grid import grid, grid_size
from diffkit_trainer.files.atomic import written

__all__ = ["ANIMATIONS", "animation_size", "save_animation"]

ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}
"""The formats, by the name's suffix."""

LARGEST_SIDE = {".gif": 65535, ".webp": 16383}
"""In pixels: no format takes more."""

REST = 10


def animation_size(count: int, size: tuple[int, int], out: str | Path, columns: int | None = None) -> tuple[int, int]:
    """Width and height of an animation of so many images a frame, each of a height and width; see `grid_size`.

    Raises ValueError for another suffix, for a side that the format does not take, and as `grid_size` does.

    >>> animation_size(4, (64, 64), "a.gif")
    (134, 134)
    """
    suffix = Path(out).suffix.lower()
    if suffix not in ANIMATIONS:
        raise ValueError(f"an animation's name ends in {' or '.join(ANIMATIONS)}, got {Path(out).name!r}")
    width, height = grid_size(count, size, columns)
    if max(width, height) > LARGEST_SIDE[suffix]:
        raise ValueError(
            f"{count} images a frame make {width}x{height} pixels, at most {LARGEST_SIDE[suffix]} a side go into {out}"
        )
    return width, height


def save_animation(
    frames: Sequence[Tensor], out: str | Path, *, columns: int | None = None, seconds: float = 3.0, rest: bool = True
) -> None:
    """Writes one grid a frame, uint8 (N, 1 or 3, H, W) each, as `out`: .gif (at most 256 colours a frame) or .webp (lossless).

    The frames share `seconds`, but none is shown for less than 1/50 s; with rest, the last is shown ten times as long; it all
    repeats for ever. The file appears whole or not at all. Raises ValueError for no frames, and as `grid` and
    `animation_size` do.
    """
    out = Path(out)
    if not frames:
        raise ValueError("an animation needs at least one frame")
    animation_size(len(frames[0]), (frames[0].shape[-2], frames[0].shape[-1]), out, columns)
    first, *others = (grid(frame, columns) for frame in frames)
    each = max(20, round(1000 * seconds / len(frames)))
    options = {"lossless": True} if out.suffix.lower() == ".webp" else {"optimize": False}
    with written(out) as temporary:
        first.save(
            temporary,
            format=ANIMATIONS[out.suffix.lower()],
            save_all=True,
            append_images=others,
            duration=[each] * len(others) + [REST * each if rest else each],
            loop=0,
            **options,
        )
