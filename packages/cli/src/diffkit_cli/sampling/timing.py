"""The time that sampling takes."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from diffkit_cli.sampling.generate import generate
from diffkit_cli.sampling.plan import Plan

__all__ = ["timed_samples"]

SECONDS, REPEATS = 0.5, 10
"""Sampling is repeated until it took so long in all, or so often; the shortest time counts, the others were disturbed."""


def timed_samples(plans: Sequence[Plan], on_progress: Callable[[int, int], object]) -> Iterator[tuple[Any, float, int]]:
    """(pixels, seconds, steps) of each plan, all its images in one batch. on_progress: see `generate`."""
    _pixels(plans[0], on_progress)  # the first evaluation takes longer than the later ones
    for plan in plans:
        seconds: list[float] = []
        while sum(seconds) < SECONDS and len(seconds) < REPEATS:
            begun = time.perf_counter()
            pixels = _pixels(plan, on_progress)
            seconds.append(time.perf_counter() - begun)
        yield pixels, min(seconds), plan.options.steps


def _pixels(plan: Plan, on_progress: Callable[[int, int], object]) -> Any:
    (samples,) = generate(plan, batch_size=plan.options.n, on_progress=on_progress)
    return samples.pixels
