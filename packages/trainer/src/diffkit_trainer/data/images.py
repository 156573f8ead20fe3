"""`Images`: the samples of a data set as one array, with labels, conditions and fingerprint; images are the common case."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from diffkit_trainer.data.statistics import Statistics, statistics_of
from diffkit_trainer.pixels import raw_bytes

__all__ = ["Images", "Progress"]

RESERVED = ("self", "x", "condition", "class_labels")
"""The names of a network's other arguments, which no condition may have."""

NOT_REAL = (torch.bool, torch.complex32, torch.complex64, torch.complex128)

Progress: TypeAlias = Callable[[int, int], object]
"""Called as on_progress(done, total)."""


@dataclass(frozen=True, eq=False)  # tensors have no equality that is one bool; compare fingerprints
class Images:
    """All samples of a data set, of one shape, and optional labels (int64, (N,)) with the names of the classes.

    pixels: (N, C, *space) for a space of 1, 2 or 3 axes, such as audio (N, C, L), images (N, C, H, W) or volumes (N, C, D, H, W);
    uint8, where 255 stands for 1, or any other real type in any unit. No size is 0. What reads or writes image files needs uint8
    (N, 1 or 3, H, W). labels are indices into classes. conditions: what else is known of each sample, by name, of any real type
    and of shape (N, ...), such as the columns of a table (N, 1) or other images (N, C, *space). skipped: the files that cannot
    be read, with the reason. warnings: a line on what else was left out, and one on images that are in no class. files: the
    name of each sample's file, below the folder; none where the samples are not one file each. Raises ValueError for anything
    else.

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
    conditions: Mapping[str, Tensor] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        p, y = self.pixels, self.labels
        if p.dtype in NOT_REAL or not 3 <= p.ndim <= 5 or not p.numel():
            expected = "real numbers of shape (N, C, *space), space of 1 to 3 axes, none of them 0"
            raise ValueError(f"pixels must be {expected}; got {p.dtype} {tuple(p.shape)}")
        for name, given in self.conditions.items():
            if name in RESERVED:
                raise ValueError(f"a condition cannot be called {name!r}, as another argument of the network is: rename it")
            if given.dtype in NOT_REAL or not given.numel() or given.shape[:1] != p.shape[:1]:
                found = f"{given.dtype} {tuple(given.shape)}"
                raise ValueError(
                    f"condition {name!r:.60} must be real numbers of shape ({len(p)}, ...), one a sample; got {found}"
                )
        if self.files and len(self.files) != len(p):
            raise ValueError(f"files must be {len(p)}, one a sample, or none; got {len(self.files)}")
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
        """sha256, in hex, of shape, classes, pixels, labels and conditions, all that training depends on. Computed once.

        >>> from diffkit_trainer import open_images
        >>> open_images("digits").fingerprint[:16]
        '4c4de7484fa7e891'
        """
        head = {"shape": list(self.pixels.shape), "classes": list(self.classes), "labels": self.labels is not None}
        if self.pixels.dtype != torch.uint8:
            head["dtype"] = str(self.pixels.dtype)
        if self.conditions:
            head["conditions"] = {name: [str(each.dtype), *each.shape] for name, each in sorted(self.conditions.items())}
        digest = hashlib.sha256(json.dumps(head).encode())
        digest.update(raw_bytes(self.pixels))
        if self.labels is not None:
            digest.update(json.dumps(self.labels.tolist()).encode())
        for _, each in sorted(self.conditions.items()):
            digest.update(raw_bytes(each))
        return digest.hexdigest()

    def statistics(self) -> Statistics:
        """Mean and standard deviation of each channel over all pixels; of uint8 as fractions of 255.

        See `statistics_of`. Computed once. Raises DataError for pixels that are not finite.

        >>> from diffkit_trainer import open_images
        >>> mean, std = open_images("digits").statistics()
        >>> round(mean[0], 4), round(std[0], 4)
        (0.3053, 0.3759)
        """
        return self._statistics

    @cached_property
    def _statistics(self) -> Statistics:
        return statistics_of(self.pixels, self.name)
