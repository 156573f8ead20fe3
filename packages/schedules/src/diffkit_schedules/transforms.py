"""Schedules made from schedules."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from diffkit_schedules.arrays import Array
from diffkit_schedules.rates import Formula, Rates, Schedule
from diffkit_schedules.table import Table

__all__ = ["shift", "zero_terminal_snr"]


@dataclass(frozen=True)
class shift(Formula):  # noqa: N801
    """The schedule with sigma / alpha multiplied by `factor` at every t, kept on the same kind of curve.

    Rates that sum to one stay so (rectified: t' = f t / (1 + (f - 1) t)), rates with alpha = 1 stay so, all others keep
    alpha^2 + sigma^2. log-SNR falls by 2 log(factor): more noise at the same t, for larger images; `timesteps` is kept.
    Raises ValueError unless factor > 0.
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

    @property
    def timesteps(self) -> int:
        """The number of steps of the table underneath; AttributeError where there is none."""
        return self.schedule.timesteps  # type: ignore[attr-defined, no-any-return]

    @cached_property
    def _sums_to_one(self) -> bool:
        return bool(abs(sum(self.schedule(0.5)) - 1) < 1e-9)

    @cached_property
    def _unscaled(self) -> bool:
        return bool(abs(self.schedule(0.5).alpha - 1) < 1e-9)

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        alpha, sigma = self.schedule(t)
        noise = self.factor * sigma
        if self._unscaled:
            return alpha, noise
        if self._sums_to_one:
            return alpha / (alpha + noise), noise / (alpha + noise)
        scale = xp.sqrt((alpha * alpha + sigma * sigma) / (alpha * alpha + noise * noise))
        return alpha * scale, noise * scale


@dataclass(frozen=True)
class zero_terminal_snr(Table):  # noqa: N801
    """The schedule rescaled to end in pure noise: alpha' = (alpha - alpha_T) alpha_0 / (alpha_0 - alpha_T).

    sigma'^2 = 1 - alpha'^2; alpha_T is at t = 1, alpha_0 at index 0 of a table, and at t = 0 otherwise. The eps prediction
    has no x0 at t = 1 of the result: use "v" or "x0". Raises ValueError unless alpha^2 + sigma^2 = 1.
    Source: Lin et al. 2024, "Common diffusion noise schedules and sample steps are flawed", algorithm 1.

    >>> from diffkit_schedules import linear_betas
    >>> zero_terminal_snr(linear_betas())(1.0)
    Rates(alpha=0.0, sigma=1.0)
    """

    schedule: Schedule

    @property
    def timesteps(self) -> int:
        """The number of steps of the table underneath; AttributeError where there is none."""
        return self.schedule.timesteps  # type: ignore[attr-defined, no-any-return]

    def __post_init__(self) -> None:
        alpha, sigma = self.schedule(0.5)
        if abs(alpha**2 + sigma**2 - 1) > 1e-9:
            raise ValueError(f"zero_terminal_snr needs alpha^2 + sigma^2 = 1, got {alpha**2 + sigma**2:.6g} at t = 0.5")

    @cached_property
    def alphas_cumprod(self) -> Any:
        """alpha-bar of the rescaled table; AttributeError where the schedule is no table."""
        alphas = np.sqrt(self.schedule.alphas_cumprod)  # type: ignore[attr-defined]
        return ((alphas - alphas[-1]) * (alphas[0] / (alphas[0] - alphas[-1]))) ** 2

    def __call__(self, t: Any) -> Rates:
        return super().__call__(t) if self._is_table else Formula.__call__(self, t)

    @cached_property
    def _is_table(self) -> bool:
        return hasattr(self.schedule, "alphas_cumprod")

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        if self._is_table:
            return super()._rates(xp, t)
        (alpha, sigma), (first, sigma_first), (last, _) = self.schedule(t), self.schedule(0.0), self.schedule(1.0)
        alpha_new = (alpha - last) * (first / (first - last))
        # first - alpha = (sigma^2 - sigma_first^2) / (first + alpha): no digits are lost near t = 0
        below_first = first * (sigma * sigma - sigma_first**2) / ((first + alpha) * (first - last))
        return alpha_new, xp.sqrt(sigma_first**2 + below_first * (first + alpha_new))
