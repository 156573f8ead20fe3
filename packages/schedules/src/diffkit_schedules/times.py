"""From a noise level to its time."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from diffkit_schedules.rates import Formula, Schedule, rates_at

__all__ = ["times_of"]


def times_of(schedule: Schedule, log_snr: Sequence[float]) -> list[float]:
    """The times in [0, 1] at which the schedule has these log-SNRs, by bisection to 2^-50; log-SNR must decrease with t.

    A level beyond an end has the time of that end. Raises ValueError for NaN.

    >>> from diffkit_schedules import rectified
    >>> [round(t, 12) for t in times_of(rectified(), [0.0, -1e9])]
    [0.5, 1.0]
    """
    levels = np.asarray(log_snr, dtype=np.float64)
    if np.isnan(levels).any():
        raise ValueError(f"every log_snr must be a number, got {levels.tolist()}")
    if not isinstance(schedule, Formula):  # a user's schedule may accept floats only
        return [_bisected(lambda t: rates_at(schedule, t).log_snr, level) for level in levels.tolist()]
    found: list[float] = _bisected(lambda t: schedule(t).log_snr, levels).tolist()
    return found


def _bisected(log_snr: Callable[[Any], Any], level: Any) -> Any:
    low, high = np.zeros_like(level), np.ones_like(level)
    for _ in range(50):
        middle = (low + high) / 2
        above = log_snr(middle) > level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high if isinstance(level, np.ndarray) else float(high)
