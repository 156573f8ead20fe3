"""`Images`: the samples of a data set as one array, with labels, fingerprint and statistics; images are the common case."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from diffkit_trainer.errors import DataError
from diffkit_trainer.pixels import raw_bytes

__all__ = ["Images", "Progress"]

CHUNK_PIXELS = 2**24
DTYPES = (torch.uint8, torch.float32, torch.float16)

Progress: TypeAlias = Callable[[int, int], object]
"""Called as on_progress(done, total)."""


@dataclass(frozen=True, eq=False)  # tensors have no equality that is one bool; compare fingerprints
class Images:
    """All samples of a data set, of one shape, and optional labels (int64, (N,)) with the names of the classes.

    pixels: (N, C, *space) for a space of 1, 2 or 3 axes, such as audio (N, C, L), images (N, C, H, W) or volumes (N, C, D, H, W);
    uint8, where 255 stands for 1, or float32 or float16 in any unit. No size is 0. What reads or writes image files needs uint8
    (N, 1 or 3, H, W). labels are indices into classes. skipped: the files that cannot be read, with the reason. warnings: a line
    on what else was left out, and one on images that are in no class. Raises ValueError for anything else.

    >>> from diffkit_trainer import open_images
    >>> images = open_images("digits")
    >>> len(images), images.shape, images.classes[:3], images.labels[:5].tolist()
    (1797, (1, 8, 8), ('0', '1', '2'), [0, 1, 2, 3, 4])
    """

    pixels: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    name: str = "images"
    skipped: tuple[tuple[Path, str], ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        p, y = self.pixels, self.labels
        if p.dtype not in DTYPES or not 3 <= p.ndim <= 5 or not p.numel():
            expected = "uint8, float32 or float16 of shape (N, C, *space), space of 1 to 3 axes, none of them 0"
            raise ValueError(f"pixels must be {expected}; got {p.dtype} {tuple(p.shape)}")
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
    def shape(self) -> tuple[int, ...]:
        """(C, *space) of every sample, for images (C, H, W)."""
        return tuple(self.pixels.shape[1:])

    @cached_property
    def fingerprint(self) -> str:
        """sha256, in hex, of shape, classes, pixels and labels, which are all that training depends on. Computed once.

        >>> from diffkit_trainer import open_images
        >>> open_images("digits").fingerprint[:16]
        '4c4de7484fa7e891'
        """
        head = {"shape": list(self.pixels.shape), "classes": list(self.classes), "labels": self.labels is not None}
        if self.pixels.dtype != torch.uint8:
            head["dtype"] = str(self.pixels.dtype)
        digest = hashlib.sha256(json.dumps(head).encode())
        digest.update(raw_bytes(self.pixels))
        if self.labels is not None:
            digest.update(json.dumps(self.labels.tolist()).encode())
        return digest.hexdigest()

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel over all pixels; of uint8 as fractions of 255.

        The sums over uint8 are of integers, so the result is exact to float64 rounding for any number of images. The deviation
        of a constant channel is given as 1, so that one can divide by it. Computed once. Raises DataError for float pixels that
        are not finite.

        >>> from diffkit_trainer import open_images
        >>> mean, std = open_images("digits").statistics()
        >>> round(mean[0], 4), round(std[0], 4)
        (0.3053, 0.3759)
        """
        return self._statistics

    @cached_property
    def _statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        of = _moments if self.pixels.dtype == torch.uint8 else _float_moments
        moments = [of(self.pixels[:, channel]) for channel in range(self.shape[0])]
        return tuple(mean for mean, _ in moments), tuple(std or 1.0 for _, std in moments)


def _moments(values: Tensor) -> tuple[float, float]:
    """Mean and deviation of bytes / 255, from a histogram of the 256 values."""
    counts = torch.zeros(256, dtype=torch.int64)
    for start in range(0, len(values), step := max(1, CHUNK_PIXELS // values[0].numel())):
        counts += torch.bincount(values[start : start + step].flatten(), minlength=256).cpu()
    n, total, squares = (sum(v**power * c for v, c in enumerate(counts.tolist())) for power in (0, 1, 2))
    # n squares - total^2 is n^2 times the variance, in exact integers: no cancellation, and 0 for a constant channel
    return total / (255 * n), math.sqrt(n * squares - total**2) / (255 * n)


def _float_moments(values: Tensor) -> tuple[float, float]:
    """Mean and deviation in float64, in two passes, so that a large mean costs no digits. Raises DataError, see `statistics`."""
    parts = values.split(max(1, CHUNK_PIXELS // values[0].numel()))
    mean = math.fsum(float(part.double().sum()) for part in parts) / values.numel()
    if not math.isfinite(mean):
        bad = next(i for i, value in enumerate(values) if not value.isfinite().all())
        raise DataError(f"sample {bad} of the data has NaN or infinity in it: remove it")
    return mean, math.sqrt(math.fsum(float((part.double() - mean).square().sum()) for part in parts) / values.numel())
