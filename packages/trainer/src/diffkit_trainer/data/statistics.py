"""Mean and deviation of each channel of a data set."""

import math
from typing import TypeAlias

import torch
from torch import Tensor

from diffkit_trainer.errors import DataError
from diffkit_trainer.options import at_most

__all__ = ["Statistics", "statistics_of"]

CHUNK_PIXELS = 2**24
MAX_LISTED = 20

Statistics: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""The mean of each channel, and the standard deviation of each."""


def statistics_of(values: Tensor, name: str) -> Statistics:
    """Mean and standard deviation of each channel over all samples (N, C, *space); of uint8 as fractions of 255.

    The sums over uint8 are of integers, so the result is exact to float64 rounding for any number of samples. The deviation of a
    constant channel is given as 1, so that one can divide by it. name: what the values are, for errors. Raises DataError for
    values that are not finite, with the numbers of the samples.

    >>> statistics_of(torch.tensor([[0.0, 7.0], [2.0, 7.0]]), "the table")
    ((1.0, 7.0), (1.0, 1.0))
    """
    of = _moments if values.dtype == torch.uint8 else _float_moments
    moments = [of(values[:, channel]) for channel in range(values.shape[1])]
    if not all(math.isfinite(mean) for mean, _ in moments):
        bad = [str(i) for i, value in enumerate(values) if not value.isfinite().all()]
        which = ("sample " if len(bad) == 1 else "samples ") + at_most(MAX_LISTED, bad)
        raise DataError(f"{name}: NaN or infinity in {which}: remove them")
    return tuple(mean for mean, _ in moments), tuple(std or 1.0 for _, std in moments)


def _moments(values: Tensor) -> tuple[float, float]:
    """Mean and deviation of bytes / 255, from a histogram of the 256 values."""
    counts = torch.zeros(256, dtype=torch.int64)
    for start in range(0, len(values), step := max(1, CHUNK_PIXELS // values[0].numel())):
        counts += torch.bincount(values[start : start + step].flatten(), minlength=256).cpu()
    n, total, squares = (sum(v**power * c for v, c in enumerate(counts.tolist())) for power in (0, 1, 2))
    # n squares - total^2 is n^2 times the variance, in exact integers: no cancellation, and 0 for a constant channel
    return total / (255 * n), math.sqrt(n * squares - total**2) / (255 * n)


def _float_moments(values: Tensor) -> tuple[float, float]:
    """Mean and deviation in float64, in two passes, so that a large mean costs no digits."""
    parts = values.split(max(1, CHUNK_PIXELS // values[0].numel()))
    mean = math.fsum(float(part.double().sum()) for part in parts) / values.numel()
    return mean, math.sqrt(math.fsum(float((part.double() - mean).square().sum()) for part in parts) / values.numel())
