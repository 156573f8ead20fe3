"""Grids of images one after the other, as an animated GIF or WebP."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from diffkit_trainer.figures.grid import grid
from diffkit_trainer.files.atomic import written

__all__ = ["ANIMATIONS", "save_animation"]

ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}
"""The formats, by the name's suffix."""

REST = 10


def save_animation(
    frames: Sequence[Tensor], out: str | Path, *, columns: int | None = None, seconds: float = 3.0, rest: bool = True
) -> None:
    """Writes one grid a frame, uint8 (N, 1 or 3, H, W) each, as `out`: .gif (at most 256 colours a frame) or .webp (lossless).

    The frames share `seconds`, but none is shown for less than 1/50 s; with rest, the last is shown ten times as long; it all
    repeats for ever. The file appears whole or not at all. Raises ValueError for another suffix or no frames, and as `grid` does.
    """
    out = Path(out)
    if out.suffix.lower() not in ANIMATIONS:
        raise ValueError(f"an animation's name ends in {' or '.join(ANIMATIONS)}, got {out.name!r}")
    if not frames:
        raise ValueError("an animation needs at least one frame")
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
