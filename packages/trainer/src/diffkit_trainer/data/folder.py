"""A folder of images, searched through all its subfolders: decoded in parallel, every bad file named."""

from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from diffkit_trainer.data.decode import decode_all
from diffkit_trainer.data.folder_warnings import folder_warnings
from diffkit_trainer.data.generated import GENERATED
from diffkit_trainer.data.images import Images, Progress
from diffkit_trainer.data.listing import Listing, list_images
from diffkit_trainer.errors import DataError
from diffkit_trainer.files.text import printable
from diffkit_trainer.options import Mode, at_most
from diffkit_trainer.pixels import image_to_tensor

__all__ = ["DecodedFolder", "bad_files_message", "class_labels", "is_folder", "open_folder", "read_folder"]

MAX_LISTED = 20


def is_folder(source: Any) -> bool:
    """Whether the source is a path. `open_folder` reports a path that leads to no folder and no archive."""
    return isinstance(source, str | Path)


def open_folder(
    source: str | Path,
    size: tuple[int, int] | None,
    *,
    mode: Mode | None = None,
    skip_bad: bool = False,
    on_progress: Progress | None = None,
) -> Images:
    """The images of a folder or an archive; see `open_images`."""
    root = Path(source)
    listing = list_images(root)
    pixels, files, bad = read_folder(listing, size, mode=mode, skip_bad=skip_bad, on_progress=on_progress)
    labels, classes = class_labels(files)
    warnings = folder_warnings(listing.left_out, files, listing.generated)
    return Images(pixels, labels, classes, printable(root.resolve().name), tuple(bad), warnings, files=tuple(files))


class DecodedFolder(NamedTuple):
    """Pixels (N, C, H, W) of a folder, its N files by relative path, and the files that cannot be read, with the reason."""

    pixels: Tensor
    files: list[str]
    bad: list[tuple[Path, str]]


def read_folder(
    listing: Listing,
    size: tuple[int, int] | None = None,
    *,
    mode: Mode | None = None,
    skip_bad: bool = False,
    on_progress: Progress | None = None,
) -> DecodedFolder:
    """Every image of a folder, in the order of its relative path: grey (C = 1) if all are grey, else RGB; or of the given mode.

    Images that diffkit generated are left out, and counted in the listing, unless there are no others. Raises DataError for all
    bad files at once, unless skip_bad leaves them out; if none is left; and, if size is None, for the first image whose size
    differs from the first one's.
    """
    root, files, left_out = listing.root, listing.files, listing.left_out
    bad, total = list(listing.bad), len(files) + len(listing.bad)
    pixels, names = torch.empty(0, dtype=torch.uint8), list[str]()
    # closed here, not when the last traceback that refers to it is gone: it owns threads and warning filters
    with closing(decode_all(listing.open, files, size, mode, generated=listing.generated)) as images:
        for done, (name, image) in enumerate(images, len(bad) + 1):
            if on_progress is not None:
                on_progress(done, total)
            if image == GENERATED:
                left_out[GENERATED] += 1
                continue
            if isinstance(image, str):
                bad.append((name, image))
                continue
            kept, shape = len(names), (image.height, image.width)
            if not kept:
                pixels = _allocate(root, len(files), image, len(image.getbands()))
            elif shape != pixels.shape[2:]:
                first, other = (f"{printable(n)} is {w} x {h}" for n, (h, w) in ((names[0], pixels.shape[2:]), (name, shape)))
                raise DataError(f"{printable(root)}: images of different sizes: {first}, {other}; pass --size to resize them")
            if image.mode == "RGB" and pixels.shape[1] == 1:
                grey, pixels = pixels, _allocate(root, len(files), image, 3)
                pixels[:kept] = grey[:kept]
            pixels[kept] = image_to_tensor(image)
            names.append(name)
    skipped = [(root / name, reason) for name, reason in sorted(bad)]
    if bad and not (skip_bad and names):
        raise DataError(bad_files_message(root, sorted(bad), total, none_left=skip_bad), skipped)
    return DecodedFolder(pixels[: len(names)], names, skipped)


def class_labels(files: list[str]) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels (N,) and class names from the first folder of each relative path; none if a file is in no folder.

    >>> class_labels(["rose/1.png", "daisy/a/2.png"])
    (tensor([1, 0]), ('daisy', 'rose'))
    """
    parts = [Path(file).parts for file in files]
    if any(len(part) == 1 for part in parts):
        return None, ()
    folders = sorted({part[0] for part in parts})
    index = {folder: i for i, folder in enumerate(folders)}
    return torch.tensor([index[part[0]] for part in parts]), tuple(map(printable, folders))


def bad_files_message(root: Path, bad: list[tuple[str, str]], total: int, *, none_left: bool) -> str:
    """One line about all bad files. none_left: without them there is no image, so --skip-bad does not help."""
    which = at_most(MAX_LISTED, [f"{printable(name)} ({printable(reason)})" for name, reason in bad])
    way_out = "no image is left" if none_left else "remove them or pass --skip-bad"
    return f"{printable(root)}: {len(bad)} of {total} files cannot be read as images: {which}; {way_out}"


def _allocate(root: Path, count: int, image: Image.Image, channels: int) -> Tensor:
    dtype = torch.float32 if image.mode == "F" else torch.uint8
    try:
        return torch.empty(count, channels, image.height, image.width, dtype=dtype)
    except RuntimeError as error:
        size = count * channels * image.height * image.width * dtype.itemsize
        needed = f"{count} images of {image.width} x {image.height} need {size / 1e9:.0f} GB of memory"
        raise DataError(f"{printable(root)}: {needed}; pass a smaller --size") from error
