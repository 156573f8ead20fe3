"""A folder of images, whatever its depth: decoded in parallel, every bad file named."""

import os
import warnings
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from diffkit_trainer.data.decode import decode, reason
from diffkit_trainer.data.listing import list_images, printable
from diffkit_trainer.errors import DataError
from diffkit_trainer.pixels import as_pixels

__all__ = ["Decoded", "decoded", "read_folder", "report"]

LISTED = 20
BATCH = 64


class Decoded(NamedTuple):
    """What a folder gave: uint8 pixels (N, C, H, W), the N files relative to it, and what was left out, with the reason."""

    pixels: Tensor
    files: list[str]
    bad: list[tuple[Path, str]]


def read_folder(
    root: Path,
    size: int | None = None,
    *,
    skip_bad: bool = False,
    on_progress: Callable[[int, int], object] | None = None,
) -> Decoded:
    """Every image below `root`, in the order of its relative path: grey (C = 1) if all are grey, else RGB.

    Raises DataError where the folder is missing, empty or without images; for all the bad files at once, unless skip_bad leaves
    them out; where none is left; and, if size is None, at the first image that differs in size from the first.
    """
    files, bad = list_images(root)
    total = len(files) + len(bad)
    pixels, names = torch.empty(0, dtype=torch.uint8), list[str]()
    # closed at once, not when the last traceback that holds it goes: it has threads and warning filters to give back
    with closing(decoded(root, files, size)) as images:
        for name, image in images:
            if on_progress is not None:
                on_progress(len(bad) + len(names) + 1, total)
            if isinstance(image, str):
                bad.append((name, image))
                continue
            kept, shape = len(names), (image.height, image.width)
            if not kept:
                pixels = _room(root, len(files), 1 if image.mode == "L" else 3, *shape)
            elif shape != pixels.shape[2:]:
                first, other = (f"{printable(n)} is {w} x {h}" for n, (h, w) in ((names[0], pixels.shape[2:]), (name, shape)))
                raise DataError(
                    f"{printable(root)}: images of different sizes: {first}, {other}; pass --size to bring them to one"
                )
            if image.mode == "RGB" and pixels.shape[1] == 1:
                grey, pixels = pixels, _room(root, len(files), 3, *shape)
                pixels[:kept] = grey[:kept]
            pixels[kept] = as_pixels(image)
            names.append(name)
    found = [(root / name, why) for name, why in sorted(bad)]
    if bad and not (skip_bad and names):
        raise DataError(report(root, sorted(bad), total, none_left=skip_bad), found)
    return Decoded(pixels[: len(names)], names, found)


def decoded(root: Path, files: list[str], size: int | None) -> Generator[tuple[str, Image.Image | str], None, None]:
    """Each file's image, or the reason why there is none; in order, a batch ahead of the reader at most."""
    base = str(root)
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool, warnings.catch_warnings():
        # Pillow warns of damaged EXIF, which loses no picture, and of large images, which decode refuses itself, with their size
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            yield from zip(batch, pool.map(partial(_attempt, base, size), batch), strict=True)


def report(root: Path, bad: list[tuple[str, str]], total: int, *, none_left: bool) -> str:
    """The message about all bad files at once; none_left where not even --skip-bad leaves an image."""
    listed = ", ".join(f"{printable(name)} ({printable(why)})" for name, why in bad[:LISTED])
    more = f" and {len(bad) - LISTED} more" if len(bad) > LISTED else ""
    way_out = "no image is left" if none_left else "remove them or pass --skip-bad"
    return f"{printable(root)}: {len(bad)} of {total} files cannot be read as images: {listed}{more}; {way_out}"


def _attempt(base: str, size: int | None, name: str) -> Image.Image | str:
    try:
        return decode(os.path.join(base, name), size)
    except Exception as error:  # a decoder fails on damaged input in any way it likes: IndexError, struct.error, ...
        return reason(error)


def _room(root: Path, count: int, channels: int, height: int, width: int) -> Tensor:
    try:
        return torch.empty(count, channels, height, width, dtype=torch.uint8)
    except RuntimeError as error:
        need = f"{count} images of {width} x {height} need {count * channels * height * width / 1e9:.0f} GB of memory"
        raise DataError(f"{printable(root)}: {need}; pass a smaller --size") from error
