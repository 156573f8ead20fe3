"""Images as PNG files, with metadata: one image, one grid, or a folder of images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from diffkit_trainer.figures.grid import grid
from diffkit_trainer.figures.metadata import save_options
from diffkit_trainer.files.atomic import atomic_write
from diffkit_trainer.pixels import tensor_to_image

__all__ = ["save_images", "save_png"]


def save_png(image: Tensor | Image.Image, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
    """Write one image, uint8 (1 or 3, H, W) or Pillow's, as a PNG with metadata that `read_metadata` reads.

    Parent folders are created. The file is written atomically. Raises ValueError for other pixels, OSError if the file cannot
    be written.
    """
    image = tensor_to_image(image) if isinstance(image, Tensor) else image
    with atomic_write(Path(path)) as temporary:
        image.save(temporary, format="PNG", **save_options("PNG", metadata))


def save_images(
    pixels: Tensor,
    out: str | Path,
    *,
    columns: int | None = None,
    captions: Sequence[str] = (),
    metadata: Sequence[Mapping[str, Any]] | None = None,
    first: int = 0,
) -> list[Path]:
    """Write images, uint8 (N, 1 or 3, H, W): one grid if `out` ends in .png, else a folder of 00000.png, 00001.png, ...

    `grid` may enlarge the images and has the captions; in a folder each image has its own size. metadata: one mapping for the
    grid, or one for each image of a folder. first: the number of the first image in a folder. Gives the paths. Raises as `grid`
    and `save_png` do.
    """
    out = Path(out)
    if out.suffix.lower() == ".png":
        save_png(grid(pixels, columns, captions=captions), out, metadata[0] if metadata else None)
        return [out]
    paths = [out / f"{i:05d}.png" for i in range(first, first + len(pixels))]
    for i, path in enumerate(paths):
        save_png(pixels[i], path, metadata[i] if metadata else None)
    return paths
