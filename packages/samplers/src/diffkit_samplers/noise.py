"""Sources of a sampler's noise."""

import operator
import secrets
import sys
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeAlias

from diffkit_schedules import Array, Rates, as_array_of, is_torch, normal

__all__ = ["Seeded", "Source", "noise_between", "seeded", "source_for", "step_noise"]

Source: TypeAlias = Callable[[tuple[int, ...]], Array]
"""source(shape) -> a standard normal array of that shape; each call returns new numbers."""

STEP_OFFSET = 2**63
"""Added to the index of a draw in a sampler's step, so that its values never equal those of a call."""


class Seeded:
    """A source with one seed per sample; see `seeded`.

    >>> source = Seeded([1, 2], None)
    >>> source((2, 3)).shape, source.of_step((2, 3)).shape
    ((2, 3), (2, 3))
    """

    def __init__(self, seeds: Sequence[int], like: Array | None) -> None:
        self.seeds = [operator.index(seed) for seed in seeds]
        self.like = like
        self._draws = count()
        normal(self.seeds, 0, (0,))  # raises ValueError for a bad seed here, not in the middle of a run

    def __call__(self, shape: tuple[int, ...]) -> Array:
        """The next draw, for a start or any other use."""
        return self._rows(next(self._draws), shape)

    def of_step(self, shape: tuple[int, ...]) -> Array:
        """The next draw for a sampler's step; no call of a source with the same seeds returns these values."""
        return self._rows(STEP_OFFSET + next(self._draws), shape)

    def _rows(self, draw: int, shape: tuple[int, ...]) -> Array:
        if not shape or shape[0] != len(self.seeds):
            raise ValueError(f"{len(self.seeds)} seeds give arrays of shape ({len(self.seeds)}, ...), got {tuple(shape)}")
        rows = normal(self.seeds, draw, tuple(shape[1:]))
        return rows if self.like is None else as_array_of(rows, self.like)


def seeded(seeds: Sequence[int], like: Array | None = None) -> Seeded:
    """A source of standard normal arrays whose row i depends on seeds[i] and the draw's index alone.

    So sample i does not depend on the size and the order of its batch, nor on the device and the library (up to the dtype's
    rounding). seeds: integers in 0 ... 2**64 - 1, one per sample. like: an array whose library, dtype and device the draws get;
    without it they are NumPy's, float64, and a sampler converts them to its state's.
    The noise of steps is independent of initial noise with the same seeds, from one source or from two. The numbers are
    computed on the host, and are constants in a compiled or traced program.
    The source raises ValueError for a shape whose first axis is not len(seeds).
    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox, keyed by seed and draw).

    >>> both, second = seeded([1, 2]), seeded([2])
    >>> bool((both((2, 3))[1] == second((1, 3))[0]).all())
    True
    """
    return Seeded(seeds, like)


def step_noise(noise: Source, shape: tuple[int, ...]) -> Array:
    """The next draw of a source for a sampler's step.

    >>> step_noise(lambda shape: shape, (2, 3))
    (2, 3)
    """
    return noise.of_step(shape) if isinstance(noise, Seeded) else noise(shape)


def source_for(x: Array, noise: Source | None) -> Source:
    """The source for a state x: `noise`, converted to x's library, dtype and device; without one, unseeded noise.

    Unseeded noise comes from torch's global generator for a torch x, and from the system's entropy otherwise.
    """
    if noise is None:
        if is_torch(x):
            torch = sys.modules["torch"]
            return lambda shape: torch.randn(shape, dtype=x.dtype, device=x.device)
        return seeded([secrets.randbits(64) for _ in range(x.shape[0])], like=x)

    return _Converted(noise, x)


def noise_between(noise: Source, now: Rates, then: Rates) -> Source:
    """The source of the noise of a step between two levels: of a source that depends on them, such as `brownian`, this part.

    >>> noise_between(print, Rates(0.0, 1.0), Rates(0.6, 0.8))
    <built-in function print>
    """
    return noise.between(now, then) if isinstance(noise, _Converted) else noise


class _Converted:
    """A source for steps of a state `like`: its shape is checked, its library, dtype and device are the state's."""

    def __init__(self, noise: Source, like: Array) -> None:
        self.noise, self.like = noise, like

    def __call__(self, shape: tuple[int, ...]) -> Array:
        z = step_noise(self.noise, shape)
        if tuple(z.shape) != shape:
            raise ValueError(f"noise must return an array of shape {shape}, got {tuple(z.shape)}")
        return as_array_of(z, self.like)

    def between(self, now: Rates, then: Rates) -> "_Converted":
        between = getattr(self.noise, "between", None)
        return self if between is None else _Converted(between(now, then), self.like)
