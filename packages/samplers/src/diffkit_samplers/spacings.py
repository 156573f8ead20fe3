"""The spacings: by index in a table, or by a scale of the noise level."""

import math
from collections.abc import Callable

__all__ = ["INDICES", "LEVEL_SCALES", "SPACINGS"]


def _trailing(timesteps: int, steps: int) -> list[int]:
    return [round(timesteps - k * timesteps / steps) - 1 for k in range(steps)]


def _leading(timesteps: int, steps: int) -> list[int]:
    return [k * (timesteps // steps) for k in reversed(range(steps))]


def _linspace(timesteps: int, steps: int) -> list[int]:
    if steps == 1:
        return [timesteps - 1]
    return [round(k * ((timesteps - 1) / (steps - 1))) for k in reversed(range(steps))]


def _quadratic(timesteps: int, steps: int) -> list[int]:
    end = (0.8 * timesteps) ** 0.5
    if steps == 1:
        return [int(end**2)]
    return [int((k * (end / (steps - 1))) ** 2) for k in reversed(range(steps))]


INDICES: dict[str, Callable[[int, int], list[int]]] = {
    "uniform": _trailing,
    "leading": _leading,
    "trailing": _trailing,
    "linspace": _linspace,
    "quadratic": _quadratic,
}
"""Spacings of a table's indices: (T, N) -> N indices."""

RHO = 7.0
"""The exponent of "karras"."""

LEVEL_SCALES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "karras": (lambda log_snr: math.exp(-log_snr / (2 * RHO)), lambda u: -2 * RHO * math.log(u)),
    "log_snr": (lambda log_snr: log_snr, lambda u: u),
}
"""Spacings that are even in a function of log-SNR: (the function, its inverse)."""

SPACINGS = (*INDICES, *LEVEL_SCALES)
"""The names of the spacings."""
