"""The held-out part of a data set: which images are not trained on."""

import zlib

import torch
from torch import Tensor

from diffkit_trainer.data.images import Images
from diffkit_trainer.pixels import raw_bytes

__all__ = ["held_out"]


def held_out(images: Images, fraction: float) -> Tensor:
    """Which images are held out, bool (N,): those whose hash, a number in [0, 1), is below the fraction.

    The hash is that of the pixels alone. An image therefore stays in its part when others are added, removed or moved, equal
    images are in the same part, and a smaller fraction holds out some of those of a larger one. Reads all images.

    >>> from diffkit_trainer import open_images
    >>> digits = open_images("digits")
    >>> int(held_out(digits, 0.1).sum()), int(held_out(digits, 0.0).sum())
    (172, 0)
    """
    if fraction == 0:
        return torch.zeros(len(images), dtype=torch.bool)
    return torch.tensor([zlib.crc32(raw_bytes(each)) < fraction * 2**32 for each in images.pixels])
