"""Samples written as they are generated, with their metadata."""

from collections.abc import Iterable, Sequence
from typing import Any

from diffkit_trainer import as_pixels, save_arrays, save_images, save_png

from diffkit_cli.sampling.generate import Samples, concatenated
from diffkit_cli.sampling.outputs import Output
from diffkit_cli.terminal.console import plural, warn

__all__ = ["write_samples"]


def write_samples(
    batches: Iterable[Samples], output: Output, *, columns: int | None = None, captions: Sequence[str] = (), single: bool = False
) -> list[Any]:
    """Write the samples as one grid, or into a folder, where each batch is written as soon as it is generated.

    A grid shows samples that are no images, see `as_pixels`; a folder has them as arrays, without metadata.

    captions: of the images of a grid. single: one image, written at its own size instead of in a grid. Returns the frames, each
    with all images; warns of other PNGs in the folder. An error or a signal notes how many images are in the folder.
    """
    path, written, i = output.path, set(output.kept), -1
    grid = path.suffix.lower() == ".png"
    pixels, frames = list[Any](), list[list[Any]]()
    try:
        for batch in batches:
            frames.append(batch.frames)
            if grid:
                pixels.append(batch.pixels)
                continue
            for i, image in enumerate(batch.pixels, batch.first):
                if as_pixels(batch.pixels) is batch.pixels:
                    save_images(image[None], path, metadata=[output.of_image(i)], first=i)
                else:
                    save_arrays(image[None], path, first=i)
                written.add(i)
    except BaseException as error:
        if i >= 0 and output.has(i):  # a signal may come between the file and the next line
            written.add(i)
        if written:
            again = f"the same command{' without its animations' if output.animated else ''} generates the others"
            error.add_note(f"{len(written)} of {plural(output.images, 'image')} are in {path}: {again}")
        raise
    if grid and single:
        save_png(as_pixels(pixels[0])[0], path, output.metadata)
    elif grid:
        save_images(as_pixels(concatenated(pixels)), path, columns=columns, captions=captions, metadata=[output.metadata])
    elif (others := sum(1 for _ in path.glob("*.png")) - output.images) > 0:
        warn(f"{path} also holds {plural(others, 'older PNG')}")
    return [as_pixels(concatenated(parts)) for parts in zip(*frames, strict=True)]
