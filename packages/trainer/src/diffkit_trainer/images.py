"""Images to train on, decoded once into one array of bytes, and where they come from."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffkit_trainer.convert import as_image, as_pixels, raw_bytes
from diffkit_trainer.datasets import read_dataset
from diffkit_trainer.decode import square
from diffkit_trainer.folder import read_folder
from diffkit_trainer.idx import find_idx, read_pair
from diffkit_trainer.listing import printable

__all__ = ["LARGEST", "ImageFolder", "Images", "classes_of", "open_images"]

DIGITS = Path(__file__).parent / "digits"
LARGEST = 4096
CHUNK = 2**24


@dataclass(frozen=True, eq=False)  # tensors have no equality that is one bool; compare fingerprints
class Images:
    """All images of a data set: uint8 pixels (N, C, H, W), and their labels (int64, (N,)) with the classes' names, if any.

    N >= 1; C is 1 or 3; labels are indices into classes. skipped holds the files that were left out, with the reason. Raises
    ValueError for anything else.

    >>> images = open_images("digits")
    >>> len(images), images.shape, images.classes[:3], images.labels[:5].tolist()
    (1797, (1, 8, 8), ('0', '1', '2'), [0, 1, 2, 3, 4])
    """

    pixels: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    name: str = "images"
    skipped: tuple[tuple[Path, str], ...] = ()

    def __post_init__(self) -> None:
        p, y = self.pixels, self.labels
        if p.dtype != torch.uint8 or p.ndim != 4 or p.shape[1] not in (1, 3) or not p.numel():
            raise ValueError(f"pixels must be torch.uint8 (N, 1 or 3, H, W), none of them 0; got {p.dtype} {tuple(p.shape)}")
        if y is None:
            return
        if y.dtype != torch.int64 or y.shape != (len(p),):
            raise ValueError(f"labels must be torch.int64 ({len(p)},), one an image; got {y.dtype} {tuple(y.shape)}")
        if y.min() < 0 or y.max() >= len(self.classes):
            raise ValueError(
                f"labels must be in 0 ... {len(self.classes) - 1}, one a class; got {int(y.min())} ... {int(y.max())}"
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    @cached_property
    def fingerprint(self) -> str:
        """sha256, in hex, of shape, classes, pixels and labels: equal exactly when one trains on the same data.

        Neither the name nor the folder counts. Computed once.

        >>> open_images("digits").fingerprint[:16]
        '4c4de7484fa7e891'
        """
        head = {"shape": list(self.pixels.shape), "classes": list(self.classes), "labels": self.labels is not None}
        digest = hashlib.sha256(json.dumps(head).encode())
        digest.update(raw_bytes(self.pixels))
        if self.labels is not None:
            digest.update(json.dumps(self.labels.tolist()).encode())
        return digest.hexdigest()

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel over all pixels, on the scale where 255 is 1.

        The sums are of integers, so the result is exact to a rounding of float64 however many images there are. A channel that
        is constant gets the deviation 1: dividing by it does no harm.

        >>> mean, std = open_images("digits").statistics()
        >>> round(mean[0], 4), round(std[0], 4)
        (0.3053, 0.3759)
        """
        moments = [_moments(self.pixels[:, channel]) for channel in range(self.shape[0])]
        return tuple(mean for mean, _ in moments), tuple(std or 1.0 for _, std in moments)


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
    name = printable(root.resolve().name)
    pair = find_idx(root)
    if pair is not None:
        return _from_idx(*pair, name, size, on_progress)
    pixels, files, bad = read_folder(root, size, skip_bad=skip_bad, on_progress=on_progress)
    labels, classes = classes_of(files)
    return Images(pixels, labels, classes, name, tuple(bad))


ImageFolder = open_images
"""The name that other libraries have for it."""


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


def _moments(values: Tensor) -> tuple[float, float]:
    """Mean and deviation of bytes / 255, from how often each of the 256 values occurs."""
    counts = torch.zeros(256, dtype=torch.int64)
    for start in range(0, len(values), step := max(1, CHUNK // values[0].numel())):
        counts += torch.bincount(values[start : start + step].flatten(), minlength=256).cpu()
    n, total, squares = (sum(v**power * c for v, c in enumerate(counts.tolist())) for power in (0, 1, 2))
    # n squares - total^2 is n^2 times the variance, a Python integer of any length: no cancellation, and exactly 0 if constant
    return total / (255 * n), math.sqrt(n * squares - total**2) / (255 * n)
