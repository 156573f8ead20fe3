"""Grids of images one after another, as an animated GIF or WebP."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from diffkit_trainer.figures.grid import grid, grid_size
from diffkit_trainer.figures.metadata import save_options
from diffkit_trainer.files.atomic import atomic_write

__all__ = ["ANIMATION_FORMATS", "animation_size", "save_animation"]

ANIMATION_FORMATS = {".gif": "GIF", ".webp": "WEBP"}
"""Pillow's name of the format, by the file's suffix."""

MAX_SIDE = {".gif": 65535, ".webp": 16383}
"""In pixels; a limit of the format."""

MIN_FRAME_MS = 20
LAST_FRAME_FACTOR = 10


def animation_size(
    count: int, size: tuple[int, int], out: str | Path, columns: int | None = None, *, captioned: bool = False
) -> tuple[int, int]:
    """Width and height of an animation with `count` images of size (H, W) in each frame; see `grid_size`.

    Raises ValueError for another suffix, for a side longer than the format allows, and as `grid_size` does.

    >>> animation_size(4, (64, 64), "a.gif")
    (134, 134)
    """
    suffix = Path(out).suffix.lower()
    if suffix not in ANIMATION_FORMATS:
        raise ValueError(f"an animation's name must end in {' or '.join(ANIMATION_FORMATS)}, got {Path(out).name!r}")
    width, height = grid_size(count, size, columns, captioned=captioned)
    if max(width, height) > MAX_SIDE[suffix]:
        raise ValueError(f"{count} images a frame make {width}x{height} pixels, at most {MAX_SIDE[suffix]} a side go into {out}")
    return width, height


def save_animation(
    frames: Sequence[Tensor],
    out: str | Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    columns: int | None = None,
    captions: Sequence[str] = (),
    seconds: float = 3.0,
    hold_last: bool = True,
) -> None:
    """Write one grid for each frame, uint8 (N, 1 or 3, H, W), as .gif (at most 256 colours per frame) or .webp (lossless).

    All frames are shown for the same time, together for `seconds`, but each for at least 1/50 s. hold_last: show the last frame
    ten times as long. captions: of the images, see `grid`. The animation repeats without end. metadata: read by `read_metadata`.
    The file is written atomically. Raises ValueError for no frames, and as `grid` and `animation_size` do.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if not frames:
        raise ValueError("an animation needs at least one frame")
    animation_size(len(frames[0]), (frames[0].shape[-2], frames[0].shape[-1]), out, columns, captioned=bool(captions))
    first, *others = (grid(frame, columns, captions=captions) for frame in frames)
    duration = max(MIN_FRAME_MS, round(1000 * seconds / len(frames)))
    with atomic_write(out) as temporary:
        first.save(
            temporary,
            format=ANIMATION_FORMATS[suffix],
            save_all=True,
            append_images=others,
            duration=[duration] * len(others) + [LAST_FRAME_FACTOR * duration if hold_last else duration],
            loop=0,
            **({"lossless": True} if suffix == ".webp" else {"optimize": False}),
            **save_options(ANIMATION_FORMATS[suffix], metadata),
        )
