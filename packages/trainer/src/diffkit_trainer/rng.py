"""Random numbers as functions of (seed, step): no generator's state is saved, and a resumed run has the same numbers.

The data order is an endless sequence of epochs, each a permutation of all images. A step takes the next batch_size images,
also across the end of an epoch.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["batch_indices", "generator", "global_randomness"]


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


def generator(seed: int, *purpose: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose seed is a hash of the seed and of the purpose of its numbers, such as ("noise", step).

    >>> a, b = generator(0, "noise", 7), generator(0, "noise", 7)
    >>> bool((torch.rand(3, generator=a) == torch.rand(3, generator=b)).all())
    True
    """
    return torch.Generator(device).manual_seed(_seed_at(seed, *purpose))


@contextmanager
def global_randomness(seed: int, *purpose: int | str, device: torch.device | str = "cpu") -> Iterator[None]:
    """Torch's global generators, which dropout uses, seeded for the block and restored after it.

    Those of the CPU and of a CUDA device; the generators of other devices stay as they are.

    >>> with global_randomness(0, 7):
    ...     first = torch.rand(3)
    >>> with global_randomness(0, 7):
    ...     print(bool((torch.rand(3) == first).all()))
    True
    """
    device, chosen = torch.device(device), _seed_at(seed, "global", *purpose)
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng([device] if on_cuda else []):
        torch.default_generator.manual_seed(chosen)
        if on_cuda:
            with torch.cuda.device(device):  # or it would be the current one's
                torch.cuda.manual_seed(chosen)
        yield


def _seed_at(seed: int, *purpose: int | str) -> int:
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@lru_cache(maxsize=2)
def _epoch(seed: int, epoch: int, images: int) -> Tensor:
    return torch.randperm(images, generator=generator(seed, "order", epoch), device="cpu")
