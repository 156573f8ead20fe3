"""Where a sampler's random numbers come from."""

import operator
import secrets
import sys
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeAlias

from diffkit_schedules import Array, as_array_of, is_torch, normal

__all__ = ["Source", "drawn", "seeded", "source_for"]

Source: TypeAlias = Callable[[tuple[int, ...]], Array]
"""source(shape) -> standard normal array of that shape; each call is a new draw."""

OF_STEPS = 2**63
"""The number of a step's draw is as far as this above that of a call, so that the two never meet."""


class Seeded:
    """The source that `seeded` makes.

    >>> source = Seeded([1, 2], None)
    >>> source((2, 3)).shape, source.of_step((2, 3)).shape
    ((2, 3), (2, 3))
    """

    def __init__(self, seeds: Sequence[int], like: Array | None) -> None:
        self.seeds = [operator.index(seed) for seed in seeds]
        self.like = like
        self._draws = count()
        normal(self.seeds, 0, (0,))  # refuses a bad seed here, not in the middle of a run

    def __call__(self, shape: tuple[int, ...]) -> Array:
        """The next draw: of a start, or of whatever the caller needs."""
        return self._rows(next(self._draws), shape)

    def of_step(self, shape: tuple[int, ...]) -> Array:
        """The next draw as a sampler's step takes it: no number that a call gives, of any source of the same seeds."""
        return self._rows(OF_STEPS + next(self._draws), shape)

    def _rows(self, draw: int, shape: tuple[int, ...]) -> Array:
        if not shape or shape[0] != len(self.seeds):
            raise ValueError(f"{len(self.seeds)} seeds draw shapes ({len(self.seeds)}, ...), got {tuple(shape)}")
        rows = normal(self.seeds, draw, tuple(shape[1:]))
        return rows if self.like is None else as_array_of(rows, self.like)


def seeded(seeds: Sequence[int], like: Array | None = None) -> Seeded:
    """A source of standard normal arrays whose row i depends on seeds[i] and the draw's number alone.

    So image i is the same whatever the batch it is drawn in, its size and its order, on every device and in every library (up
    to the dtype's rounding). seeds: integers in 0 ... 2**64 - 1, one a sample. like: an array whose library, dtype and device
    the draws take; without it they are NumPy's, float64, and a sampler takes them over to its own state.
    What a sampler or `step` draws from it has numbers of its own: a start and steps of the same seeds never share noise, be they
    drawn from one source or from two. Draws are made on the host, and so stand as constants in what a compiler traces.
    The source raises ValueError for a shape whose first axis is not len(seeds).
    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox, keyed by seed and draw).

    >>> both, second = seeded([1, 2]), seeded([2])
    >>> bool((both((2, 3))[1] == second((1, 3))[0]).all())
    True
    """
    return Seeded(seeds, like)


def drawn(noise: Source, shape: tuple[int, ...]) -> Array:
    """A step's draw from a source.

    >>> drawn(lambda shape: shape, (2, 3))
    (2, 3)
    """
    return noise.of_step(shape) if isinstance(noise, Seeded) else noise(shape)


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
        z = drawn(noise, shape)
        if tuple(z.shape) != shape:
            raise ValueError(f"noise must give an array of the shape {shape} it is asked for, got {tuple(z.shape)}")
        return as_array_of(z, x)

    return source
