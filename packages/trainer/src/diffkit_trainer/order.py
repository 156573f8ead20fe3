"""What a step sees, as a function of (seed, step) alone: nothing to save, and the same after any stop.

The data is one endless sequence of epochs, each a permutation of all images; a step takes the next batch_size positions of it,
across the end of an epoch where one falls inside a batch.
"""

import hashlib
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["batch_indices", "generator"]


def batch_indices(seed: int, step: int, batch_size: int, images: int) -> Tensor:
    """The indices of the images of step 0, 1, 2 ...: positions step * batch_size onwards, int64 of shape (batch_size,).

    >>> sorted(torch.cat([batch_indices(0, step, 2, 4) for step in range(2)]).tolist())
    [0, 1, 2, 3]
    """
    parts, position, end = [], step * batch_size, (step + 1) * batch_size
    while position < end:
        epoch, start = divmod(position, images)
        taken = min(end - position, images - start)
        parts.append(_epoch(seed, epoch, images)[start : start + taken])
        position += taken
    return torch.cat(parts)


def generator(seed: int, *place: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose numbers depend on the seed and the place they are drawn for, such as ("noise", step).

    >>> a, b = generator(0, "noise", 7), generator(0, "noise", 7)
    >>> bool((torch.rand(3, generator=a) == torch.rand(3, generator=b)).all())
    True
    """
    digest = hashlib.blake2b(repr((seed, *place)).encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)


@lru_cache(maxsize=2)
def _epoch(seed: int, epoch: int, images: int) -> Tensor:
    return torch.randperm(images, generator=generator(seed, "order", epoch))
