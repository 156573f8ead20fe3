"""Pictures written as they are drawn, with notes of how that was done."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from diffkit_trainer import save_images, save_png

from diffkit_cli.sampling.generate import Drawn, joined
from diffkit_cli.terminal.console import plural, warn

__all__ = ["write_images"]


def write_images(
    drawn: Iterable[Drawn],
    out: Path,
    note: Callable[[int], Mapping[str, Any]],
    *,
    columns: int | None = None,
    lone: bool = False,
) -> list[Any]:
    """The images as one grid, or in a folder, each batch as it comes: what is there when something stops it is complete.

    note: of the image of that number, a grid has that of 0. lone: one image that is written at its own size, not as a grid. Gives
    the frames, all images in each; says how many other PNGs the folder holds.
    """
    grid, count = out.suffix.lower() == ".png", 0
    pixels, frames = list[Any](), list[list[Any]]()
    for part in drawn:
        frames.append(part.frames)
        if grid:
            pixels.append(part.pixels)
        else:
            notes = [note(count + i) for i in range(len(part.pixels))]
            count += len(save_images(part.pixels, out, metadata=notes, first=count))
    if grid and lone:
        save_png(pixels[0][0], out, note(0))
    elif grid:
        save_images(joined(pixels), out, columns=columns, metadata=[note(0)])
    elif others := sum(1 for _ in out.glob("*.png")) - count:
        warn(f"{out} holds {plural(others, 'other PNG')} too, from before")
    return [joined(parts) for parts in zip(*frames, strict=True)]
