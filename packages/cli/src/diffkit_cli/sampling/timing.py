"""The time that sampling takes."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from diffkit_cli.sampling.generate import generate
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.sampling.options import SamplingOptions

__all__ = ["timed_samples"]

SECONDS, REPEATS = 0.5, 10
"""Sampling is repeated until it took so long in all, or so often; the shortest time counts, the others were disturbed."""


def timed_samples(
    model: DiffusionModel, options: Sequence[SamplingOptions], times: Sequence[Sequence[float]]
) -> Iterator[tuple[Any, float, int]]:
    """(pixels, seconds, steps) of each of the options, all their images in one batch."""
    _pixels(model, options[0], times[0])  # the first evaluation takes longer than the later ones
    for each, its_times in zip(options, times, strict=True):
        seconds: list[float] = []
        while sum(seconds) < SECONDS and len(seconds) < REPEATS:
            begun = time.perf_counter()
            pixels = _pixels(model, each, its_times)
            seconds.append(time.perf_counter() - begun)
        yield pixels, min(seconds), each.steps


def _pixels(model: DiffusionModel, options: SamplingOptions, times: Sequence[float]) -> Any:
    ((pixels, _),) = generate(model, options, times, batch_size=options.n)
    return pixels
