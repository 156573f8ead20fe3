"""From a noise level to its time."""

from collections.abc import Sequence

import numpy as np

from diffkit_schedules.rates import Formula, Schedule, rates_at

__all__ = ["times_of"]

HALVINGS = 50


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
    if levels.size == 1 or not isinstance(schedule, Formula):  # floats: faster for one, and all that a user's schedule may take
        return [_bisected(schedule, level) for level in levels.tolist()]
    low, high = np.zeros_like(levels), np.ones_like(levels)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = schedule(middle).log_snr > levels
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found: list[float] = high.tolist()
    return found


def _bisected(schedule: Schedule, level: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if rates_at(schedule, middle).log_snr > level:
            low = middle
        else:
            high = middle
    return high
