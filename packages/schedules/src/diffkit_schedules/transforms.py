"""Schedules made from other schedules."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffkit_schedules.arrays import Array
from diffkit_schedules.discrete_schedule import Betas, Table
from diffkit_schedules.rates import PATHS, Formula, Rates, Schedule, path_of

__all__ = ["shift", "zero_terminal_snr"]


@dataclass(frozen=True)
class shift(Formula):  # noqa: N801
    """The schedule with sigma / alpha multiplied by `factor` at every t, on the same curve.

    The schedule's `path` is the curve: a straight one keeps alpha + sigma (rectified: t' = f t / (1 + (f - 1) t)), a
    variance-exploding one keeps alpha, a variance-preserving one keeps alpha^2 + sigma^2. log-SNR decreases by 2 log(factor):
    more noise at the same t, for larger images. A shifted table has `timesteps` and `alphas_cumprod`.
    Raises ValueError unless factor > 0, and for a schedule without a path.
    Source: Hoogeboom et al. 2023 (simple diffusion), equation 4; Esser et al. 2024 (SD3), equation 23.

    >>> from diffkit_schedules import rectified
    >>> shift(rectified(), 3.0)(0.5)
    Rates(alpha=0.25, sigma=0.75)
    """

    schedule: Schedule
    factor: float

    def __post_init__(self) -> None:
        if not 0 < self.factor < math.inf:
            raise ValueError(f"factor must be > 0 and finite, got {self.factor}")
        path_of(self.schedule)

    @property
    def path(self) -> str:
        """The schedule's path."""
        return path_of(self.schedule)

    @property
    def timesteps(self) -> int:
        """The number of steps of the table; AttributeError for a continuous schedule."""
        return self.schedule.timesteps  # type: ignore[attr-defined, no-any-return]

    @property
    def alphas_cumprod(self) -> Betas:
        """alpha-bar of the shifted table: a / (a + f^2 (1 - a)); AttributeError for a continuous schedule."""
        bar = self.schedule.alphas_cumprod  # type: ignore[attr-defined]
        return np.asarray(bar / (bar + self.factor**2 * (1 - bar)), dtype=np.float64)

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        alpha, sigma = self.schedule(t)
        noise = self.factor * sigma
        if self.path == "ve":
            return alpha, noise
        if self.path == "straight":
            scale = (alpha + sigma) / (alpha + noise)
        else:
            scale = xp.sqrt((alpha * alpha + sigma * sigma) / (alpha * alpha + noise * noise))
        return alpha * scale, noise * scale


@dataclass(frozen=True)
class zero_terminal_snr(Table):  # noqa: N801
    """The schedule rescaled to end in pure noise: alpha' = (alpha - alpha_T) alpha_0 / (alpha_0 - alpha_T).

    sigma'^2 = 1 - alpha'^2; alpha_T is at t = 1, alpha_0 at index 0 of a table, and at t = 0 otherwise. A rescaled
    table is a table; with a single step it is pure noise. A rescaled continuous schedule has no betas (TypeError). At t = 1 of
    the result the eps prediction is undefined: use "v" or "x0". Raises ValueError unless the schedule's `path` is "vp" and
    alpha_T < alpha_0.
    Source: Lin et al. 2024, "Common diffusion noise schedules and sample steps are flawed", algorithm 1.

    >>> from diffkit_schedules import linear_betas
    >>> zero_terminal_snr(linear_betas())(1.0)
    Rates(alpha=0.0, sigma=1.0)
    """

    schedule: Schedule

    def __post_init__(self) -> None:
        if path_of(self.schedule) != "vp":
            raise ValueError(f"zero_terminal_snr needs {PATHS['vp']}, got {PATHS[path_of(self.schedule)]}: {self.schedule!r:.80}")
        if not hasattr(self.schedule, "alphas_cumprod"):
            return
        alphas = np.sqrt(self.schedule.alphas_cumprod)
        if alphas.size > 1 and not alphas[-1] < alphas[0]:
            raise ValueError(f"zero_terminal_snr needs alpha to fall along the table, got {alphas[0]:.6g} at both of its ends")
        scale = alphas[0] / (alphas[0] - alphas[-1]) if alphas.size > 1 else 1.0
        self._tabulate(((alphas - alphas[-1]) * scale) ** 2)

    def _betas(self) -> Betas:
        if not self._is_table:
            raise TypeError(
                f"{self!r:.80} is not a table and has no betas, as its schedule has none: make a table with discrete(betas)"
            )
        before, after = np.concatenate([[1.0], self.alphas_cumprod[:-1]]), self.alphas_cumprod
        betas: Betas = 1 - np.divide(after, before, out=np.zeros_like(after), where=before > 0)
        return betas

    def __call__(self, t: Any) -> Rates:
        return super().__call__(t) if self._is_table else Formula.__call__(self, t)

    @property
    def _is_table(self) -> bool:
        return hasattr(self, "alphas_cumprod")

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        if self._is_table:
            return super()._rates(xp, t)
        (alpha, sigma), (first, sigma_first), (last, _) = self.schedule(t), self.schedule(0.0), self.schedule(1.0)
        alpha_new = (alpha - last) * (first / (first - last))
        # first - alpha = (sigma^2 - sigma_first^2) / (first + alpha): no digits are lost close to t = 0
        below_first = first * (sigma * sigma - sigma_first**2) / ((first + alpha) * (first - last))
        return alpha_new, xp.sqrt(sigma_first**2 + below_first * (first + alpha_new))
