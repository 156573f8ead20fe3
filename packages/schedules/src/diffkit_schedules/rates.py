"""The signal rate and the noise rate at a time t, and what a schedule is."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from diffkit_schedules.arrays import Array, namespace

__all__ = ["PATHS", "Formula", "Rates", "Schedule", "path_of", "rates_at"]

PATHS = {"vp": "alpha^2 + sigma^2 = 1", "ve": "alpha = 1", "straight": "alpha + sigma = 1"}
"""The curves on which the pairs of a schedule may lie: variance-preserving, variance-exploding and straight."""


class Rates(NamedTuple):
    """The signal rate alpha and the noise rate sigma of x_t = alpha x0 + sigma eps.

    Two numbers, or two arrays of one shape.

    >>> Rates(0.5, 0.25).snr
    4.0
    """

    alpha: Any
    sigma: Any

    @property
    def snr(self) -> Any:
        """The signal-to-noise ratio (alpha / sigma)^2; inf at sigma = 0.

        >>> Rates(1.0, 0.0).snr
        inf
        """
        if isinstance(self.sigma, int | float) and self.sigma == 0:
            return math.inf
        with _quiet(self.sigma):
            ratio = self.alpha / self.sigma
            return ratio * ratio

    @property
    def log_snr(self) -> Any:
        """log (alpha / sigma)^2 = 2 (log alpha - log sigma), in nats; inf at sigma = 0, -inf at alpha = 0.

        >>> Rates(0.5, 0.5).log_snr
        0.0
        """
        if isinstance(self.alpha, int | float):
            return 2 * (_log(self.alpha) - _log(self.sigma))
        xp = namespace(self.alpha)
        with _quiet(self.alpha):
            return 2 * (xp.log(self.alpha) - xp.log(self.sigma))


@runtime_checkable
class Schedule(Protocol):
    """A function from a time t in [0, 1] (0 = data, 1 = noise) to rates.

    A float t gives floats, computed in float64; an array gives arrays of t's shape, dtype and device. A table of T steps has
    `timesteps`, T; its index i is t = (i + 1) / T. `shift` and `zero_terminal_snr` need its attribute `path`, the curve of its
    pairs: "vp" (alpha^2 + sigma^2 = 1), "ve" (alpha = 1) or "straight" (alpha + sigma = 1).

    >>> from diffkit_schedules import cosine
    >>> isinstance(cosine(), Schedule)
    True
    """

    def __call__(self, t: Any) -> Rates: ...


def rates_at(schedule: Schedule, t: float) -> Rates:
    """The float rates of any schedule at a time, whatever types of numbers it returns.

    >>> rates_at(lambda t: (1, 80 * t), 0.5)
    Rates(alpha=1.0, sigma=40.0)
    """
    alpha, sigma = schedule(t)
    return Rates(float(alpha), float(sigma))


def path_of(schedule: Schedule) -> str:
    """The schedule's `path`, one of PATHS. Raises ValueError for a schedule without one.

    >>> from diffkit_schedules import cosine, karras, rectified
    >>> [path_of(schedule) for schedule in (cosine(), karras(), rectified())]
    ['vp', 've', 'straight']
    """
    path = getattr(schedule, "path", None)
    if path not in PATHS:
        curves = ", ".join(f"{name!r} ({curve})" for name, curve in PATHS.items())
        raise ValueError(f"{schedule!r:.80} must have an attribute `path`, one of {curves}; got {path!r}")
    return str(path)


class Formula:
    """Base class of the built-in schedules: one formula, in float64 for a float and in the array's library for an array.

    A subclass defines `_rates(xp, t) -> (alpha, sigma)`. float16 and bfloat16 times are computed in float32.
    Raises ValueError for a float t outside [0, 1] and TypeError for an array of integers; an array's values are not checked.
    """

    @property
    def path(self) -> str:
        """The curve on which the pairs lie, one of PATHS."""
        return "vp"

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        raise NotImplementedError

    def __call__(self, t: Any) -> Rates:
        if isinstance(t, int | float):
            if not 0 <= t <= 1:
                raise ValueError(f"t must be in [0, 1] (0 = data, 1 = noise), got {t}")
            alpha, sigma = self._rates(np, np.float64(t))
            return Rates(float(alpha), float(sigma))
        xp = namespace(t)
        if not xp.isdtype(t.dtype, "real floating"):
            raise TypeError(f"t must be a float or an array of floats, got an array of {t.dtype}: divide an index by timesteps")
        wide = xp.float32 if xp.finfo(t.dtype).bits < 32 else t.dtype
        alpha, sigma = self._rates(xp, xp.astype(t, wide))
        return Rates(xp.astype(alpha, t.dtype), xp.astype(sigma, t.dtype))


def _quiet(x: Any) -> AbstractContextManager[Any]:
    """Suppresses the warnings of NumPy about intended infinities; torch has none, and cannot compile this context."""
    return np.errstate(divide="ignore", over="ignore") if isinstance(x, (np.ndarray, np.generic)) else nullcontext()


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf
