"""Noise that agrees across step sizes: of two runs from one seed, the one with more steps refines the other."""

import math
from collections.abc import Sequence
from typing import Any

from diffkit_schedules import Array, Rates

from diffkit_samplers.noise import Seeded, Source

__all__ = ["brownian"]

DEPTH = 16
TICKS = 1 << DEPTH
RANGE = 16.0
"""The path has TICKS + 1 levels of log(alpha / sigma), from -RANGE to RANGE; beyond them the noise of steps is independent."""
LENGTH = 2 * RANGE / TICKS
PATH_OFFSET = 2**62
"""Added to a level's number, so that its normal numbers are never those of a call or of a step; see `noise.STEP_OFFSET`."""


class Brownian(Seeded):
    """A source with one Brownian path per seed; see `brownian`."""

    def __init__(self, seeds: Sequence[int], like: Array | None) -> None:
        super().__init__(seeds, like)
        self._path: dict[int, Any] = {}

    def between(self, now: Rates, then: Rates) -> Source:
        """The source of the path's noise from one level to another that is less noisy."""
        begin, end = _tick(now), _tick(then)
        if not begin < end:
            return self.of_step
        kept = math.exp(-(end - begin) * LENGTH)
        scale = 1 / math.sqrt(1 - kept * kept)
        return lambda shape: scale * (self._at(end, shape) - kept * self._at(begin, shape))

    def _at(self, tick: int, shape: tuple[int, ...]) -> Array:
        """The path at a level: by halving, from both ends to the level, where what lies on the way last time is known."""
        known = {} if self._path and next(iter(self._path.values())).shape != shape else self._path
        low, high = 0, TICKS
        way = {each: known[each] if each in known else self._rows(PATH_OFFSET + each, shape) for each in (low, high)}
        while tick not in way:
            middle, d = (low + high) // 2, (high - low) // 2 * LENGTH
            if middle in known:
                way[middle] = known[middle]
            else:
                z = self._rows(PATH_OFFSET + middle, shape)
                way[middle] = (way[low] + way[high]) / (2 * math.cosh(d)) + math.sqrt(math.tanh(d)) * z
            low, high = (middle, high) if tick > middle else (low, middle)
        self._path = way
        return way[tick]


def brownian(seeds: Sequence[int], like: Array | None = None) -> Brownian:
    """A source as `seeded`, whose noise in a step depends on the seed and on the levels between which the step is.

    So runs of one seed with different numbers of steps, or different methods, converge to one sample as the steps get shorter,
    and at eta = 1 the noise of a step is, to the path's resolution, what its parts add up to. All other uses, a start too, are
    those of `seeded`. The path has a resolution of 2^-11 in log(alpha / sigma); each step takes about ten draws of the size of x.

        z = (Y(l_s) - e^-h Y(l_t)) / sqrt(1 - e^-2h),   Y = e^-l B(e^2l),   l = log(alpha / sigma),   h = l_s - l_t

    Raises ValueError as `seeded` does.
    Source: Kidger et al. 2021, "Efficient and accurate gradients for neural SDEs", for Brownian paths by halving; here of the
    Ornstein-Uhlenbeck process Y of the Brownian path B over the signal-to-noise ratio.

    >>> import numpy as np
    >>> from diffkit_samplers import ddim
    >>> from diffkit_schedules import cosine
    >>> def state(times):
    ...     one = lambda x, t: np.ones_like(x)
    ...     return [s.x for s in trajectory(one, cosine(), np.zeros((1, 1)), eta=1.0, spacing=times, noise=brownian([5]))][-1]
    >>> from diffkit_samplers import trajectory
    >>> bool(abs(state([0.9, 0.2]) - state([0.9, 0.7, 0.6, 0.4, 0.2])) < 0.01)
    True
    """
    return Brownian(seeds, like)


def _tick(rates: Rates) -> int:
    level: float = rates.log_snr / 2
    return round((min(max(level, -RANGE), RANGE) + RANGE) / LENGTH)
