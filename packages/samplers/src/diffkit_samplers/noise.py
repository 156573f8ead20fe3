"""Where a sampler's random numbers come from."""

import operator
import secrets
import sys
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeAlias

from diffkit_schedules import Array, as_array_of, is_torch, normal

__all__ = ["Source", "seeded", "source_for"]

Source: TypeAlias = Callable[[tuple[int, ...]], Array]
"""source(shape) -> standard normal array of that shape; each call is a new draw."""


def seeded(seeds: Sequence[int], like: Array | None = None) -> Source:
    """A source of standard normal arrays whose row i depends on seeds[i] and the draw's number alone.

    So image i is the same whatever the batch it is drawn in, its size and its order, on every device and in every library (up
    to the dtype's rounding). seeds: integers in 0 ... 2**64 - 1, one a sample. like: an array whose library, dtype and device
    the draws take; without it they are NumPy's, float64, and a sampler takes them over to its own state.
    The source raises ValueError for a shape whose first axis is not len(seeds).
    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox, keyed by seed and draw).

    >>> both, second = seeded([1, 2]), seeded([2])
    >>> bool((both((2, 3))[1] == second((1, 3))[0]).all())
    True
    """
    seeds = [operator.index(seed) for seed in seeds]
    draws = count()
    normal(seeds, 0, (0,))  # refuses a bad seed here, not in the middle of a run

    def source(shape: tuple[int, ...]) -> Array:
        if not shape or shape[0] != len(seeds):
            raise ValueError(f"{len(seeds)} seeds draw shapes ({len(seeds)}, ...), got {tuple(shape)}")
        rows = normal(seeds, next(draws), tuple(shape[1:]))
        return rows if like is None else as_array_of(rows, like)

    return source


def source_for(x: Array, noise: Source | None) -> Source:
    """The source for a state x: `noise`, its draws taken over to x's library, dtype and device; without one, unseeded draws.

    Unseeded draws come from torch's global generator for a torch x, and from the system's entropy otherwise.
    """
    if noise is None:
        if is_torch(x):
            torch = sys.modules["torch"]
            return lambda shape: torch.randn(shape, dtype=x.dtype, device=x.device)
        return seeded([secrets.randbits(64) for _ in range(x.shape[0])], like=x)

    def source(shape: tuple[int, ...]) -> Array:
        z = noise(shape)
        if tuple(z.shape) != shape:
            raise ValueError(f"noise must give an array of the shape {shape} it is asked for, got {tuple(z.shape)}")
        return as_array_of(z, x)

    return source
