"""Samples written as they are generated, with their metadata."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffkit_trainer import save_images, save_png

from diffkit_cli.sampling.generate import Samples, concatenated
from diffkit_cli.sampling.metadata import image_metadata
from diffkit_cli.terminal.console import plural, warn

__all__ = ["file_metadata", "write_samples"]


def file_metadata(metadata: Mapping[str, Any], *, single: bool = False) -> dict[str, Any]:
    """The metadata of a file, from those of all images: of a grid, or of a single image."""
    return image_metadata(metadata, 0) if single else {**metadata, "grid": True}


def write_samples(
    batches: Iterable[Samples],
    out: Path,
    metadata: Mapping[str, Any],
    *,
    of_image: Callable[[Mapping[str, Any], int], Mapping[str, Any]] = image_metadata,
    columns: int | None = None,
    captions: Sequence[str] = (),
    single: bool = False,
) -> list[Any]:
    """Write the images as one grid, or into a folder, where each batch is written as soon as it is generated.

    metadata: of all images; of_image(metadata, i): of image i of a folder. captions: of the images of a grid. single: one image,
    written at its own size instead of in a grid. Returns the frames, each with all images; warns of other PNGs in the folder.
    """
    grid, count = out.suffix.lower() == ".png", 0
    pixels, frames = list[Any](), list[list[Any]]()
    for batch in batches:
        frames.append(batch.frames)
        if grid:
            pixels.append(batch.pixels)
        else:
            notes = [of_image(metadata, count + i) for i in range(len(batch.pixels))]
            count += len(save_images(batch.pixels, out, metadata=notes, first=count))
    if grid and single:
        save_png(pixels[0][0], out, file_metadata(metadata, single=True))
    elif grid:
        save_images(concatenated(pixels), out, columns=columns, captions=captions, metadata=[file_metadata(metadata)])
    elif others := sum(1 for _ in out.glob("*.png")) - count:
        warn(f"{out} also holds {plural(others, 'older PNG')}")
    return [concatenated(parts) for parts in zip(*frames, strict=True)]
