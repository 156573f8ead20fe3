"""Where images come from: the digits, IDX files, folders, data set objects."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffkit_trainer.data.datasets import read_dataset
from diffkit_trainer.data.folder import read_folder
from diffkit_trainer.data.idx import find_idx, read_pair
from diffkit_trainer.data.images import Images
from diffkit_trainer.data.listing import printable
from diffkit_trainer.data.modes import square
from diffkit_trainer.pixels import as_image, as_pixels

__all__ = ["LARGEST", "ImageFolder", "classes_of", "of_folder", "open_images"]

DIGITS = Path(__file__).parents[1] / "digits"
LARGEST = 4096


def open_images(
    source: str | Path | Iterable[Any] = "digits",
    size: int | None = None,
    *,
    skip_bad: bool = False,
    on_progress: Callable[[int, int], object] | None = None,
) -> Images:
    """All images of a source, decoded to bytes.

    source: "digits", 1,797 handwritten digits of 8 x 8 that come with this package (unless there is a folder of that name); a
    folder of IDX files (MNIST and its relatives; its "train" pair if there are several); or a folder of images, searched
    through all its subfolders. Where every image lies in a subfolder, the first level of them names the classes. Or a data set
    object: torch's, Hugging Face's, any iterable of images, see `read_dataset`. For a large folder see `pack`.
    size: every image is cut to its centre square and resized to size x size, 1 ... 4096; smaller ones are enlarged. None keeps
    the images as they are, and then they must be of one size.
    skip_bad: leave out the files that cannot be read; they are in `skipped`. Else they are a DataError that has them all.
    on_progress(done, total) is called in this thread after every file.

    C is 1 if all images are grey, else 3. Order, and so training, does not depend on the order a file system lists files in.
    Raises ValueError for a size out of range and DataError for whatever is wrong with the data.

    >>> open_images("digits", size=16).pixels.shape
    torch.Size([1797, 1, 16, 16])
    """
    if size is not None and not 1 <= size <= LARGEST:
        raise ValueError(f"size must be in 1 ... {LARGEST}, got {size}")
    if not isinstance(source, str | Path):
        return Images(*read_dataset(source, size, on_progress))
    root = Path(source)
    if str(source) == "digits" and not root.is_dir():
        return _from_idx(DIGITS / "images-idx3-ubyte.gz", DIGITS / "labels-idx1-ubyte.gz", "digits", size, on_progress)
    pair = find_idx(root)
    if pair is not None:
        return _from_idx(*pair, printable(root.resolve().name), size, on_progress)
    return of_folder(root, size, skip_bad=skip_bad, on_progress=on_progress)


ImageFolder = open_images
"""The name that other libraries have for it."""


def of_folder(
    root: Path, size: int | None, *, skip_bad: bool = False, on_progress: Callable[[int, int], object] | None = None
) -> Images:
    """The images of a folder, as `open_images` gives them."""
    pixels, files, bad = read_folder(root, size, skip_bad=skip_bad, on_progress=on_progress)
    labels, classes = classes_of(files)
    return Images(pixels, labels, classes, printable(root.resolve().name), tuple(bad))


def classes_of(files: list[str]) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels and class names from the first folder of each relative path; none where a file lies in no folder."""
    parts = [Path(file).parts for file in files]
    if any(len(part) == 1 for part in parts):
        return None, ()
    firsts = sorted({part[0] for part in parts})
    index = {first: i for i, first in enumerate(firsts)}
    return torch.tensor([index[part[0]] for part in parts]), tuple(map(printable, firsts))


def _from_idx(
    images: Path, labels: Path | None, name: str, size: int | None, on_progress: Callable[[int, int], object] | None
) -> Images:
    pixels, values, classes = read_pair(images, labels)
    count = len(pixels)
    if size is not None and pixels.shape[2:] != (size, size):
        resized = torch.empty(count, 1, size, size, dtype=torch.uint8)
        for i in range(count):
            resized[i] = as_pixels(square(as_image(pixels[i]), size))
            if on_progress is not None:
                on_progress(i + 1, count)
        pixels = resized
    elif on_progress is not None:
        on_progress(count, count)
    return Images(pixels, values, classes, name)
