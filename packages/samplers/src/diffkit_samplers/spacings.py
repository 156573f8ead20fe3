"""The spacings: by index in a table, or by a scale of the noise level."""

import math
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["INDICES", "LEVEL_SCALES", "SPACINGS", "LevelScale"]


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

PURE_NOISE_LOG_SNR = -30.0
"""The log-SNR that counts as pure noise: alpha / sigma is 3e-7, about the rounding error of float32."""


class LevelScale(NamedTuple):
    """A function of log-SNR in which times are evenly spaced, its inverse, and the smallest log-SNR that it begins at.

    >>> round(LEVEL_SCALES["karras"].inverse(LEVEL_SCALES["karras"].value(-3.0)), 6)
    -3.0
    """

    value: Callable[[float], float]
    inverse: Callable[[float], float]
    min_log_snr: float = PURE_NOISE_LOG_SNR


_KARRAS = LevelScale(lambda log_snr: math.exp(-log_snr / (2 * RHO)), lambda u: -2 * RHO * math.log(u))

LEVEL_SCALES: dict[str, LevelScale] = {
    "karras": _KARRAS,
    "karras_160": _KARRAS._replace(min_log_snr=-2 * math.log(160)),
    "log_snr": LevelScale(lambda log_snr: log_snr, lambda u: u),
}
"""Spacings that are even in a function of log-SNR."""

SPACINGS = (*INDICES, *LEVEL_SCALES)
"""The names of the spacings."""
