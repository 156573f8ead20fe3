"""From a noise level back to its time."""

from collections.abc import Sequence

import numpy as np

from diffkit_schedules.rates import Schedule

__all__ = ["times_of"]


def times_of(schedule: Schedule, log_snr: Sequence[float]) -> list[float]:
    """The times in [0, 1] at which the schedule has these log-SNRs, which fall with t; bisection to 2^-50.

    A level beyond either end gets that end. Raises ValueError for a level that is no number.

    >>> from diffkit_schedules import rectified
    >>> [round(t, 12) for t in times_of(rectified(), [0.0, -1e9])]
    [0.5, 1.0]
    """
    levels = np.asarray(log_snr, dtype=np.float64)
    if np.isnan(levels).any():
        raise ValueError(f"every log_snr must be a number, got {levels.tolist()}")
    low, high = np.zeros_like(levels), np.ones_like(levels)
    for _ in range(50):
        middle = (low + high) / 2
        alpha, sigma = schedule(middle)
        with np.errstate(divide="ignore"):
            above = 2 * (np.log(alpha) - np.log(sigma)) > levels
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return [float(t) for t in high]
