"""A method and times for one denoiser and few steps: those whose samples are nearest to a fine solution's."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from diffkit_schedules import Schedule, rates_at, times_of

from diffkit_samplers.estimates import Denoise
from diffkit_samplers.time_grids import grid
from diffkit_samplers.tuning.fine_solution import FineSolution, Start

__all__ = ["TUNED_METHODS", "Tuned", "tune"]

TUNED_METHODS = ("dpmpp_2m", "deis_2", "deis", "unipc_2", "unipc_3", "ab_2", "ab_3")
"""The deterministic methods of second order and more with one evaluation a step, without `lms`, which needs short steps."""

MAX_RATIO = 160.0
"""The sigma / alpha from which sampling starts: above it the state is noise alone."""

FIRST_SPACINGS = ("uniform", "karras_160", "log_snr")

EXPONENTS, LAST_TIMES = (3.0, 7.0, 20.0), (0.01, 0.05, 0.2)
"""Of the times that a search begins from, beside the spacings: even in (sigma / alpha)^(1 / exponent), down to the last time."""

REFINED_METHODS, PARTS, MIN_GAIN = 2, (0.4, 0.2, 0.1), 0.05
"""So many methods are refined; the parts of an interval that a time moves by, and what a sweep must gain to be repeated."""


class Tuned(NamedTuple):
    """A method, its times for `spacing`, and the distance of its x0 to the fine solution, see `FineSolution.error`.

    >>> Tuned("unipc_2", [1.0, 0.4, 0.0], 0.1).method
    'unipc_2'
    """

    method: str
    times: list[float]
    error: float


def tune(denoise: Denoise, schedule: Schedule, start: Start, *, steps: int, methods: Sequence[str] = TUNED_METHODS) -> Tuned:
    """The method and times whose samples of `steps` steps are nearest to the fine solution, from the same noises.

        minimise  mean over the samples of RMS(x0(method, times; start) - x0(64 steps; start))   over the method and the times

    Each of the methods (names in METHODS) is tried with spacings by name and in powers of sigma / alpha. Of the best, all times
    move, one after the other, as long as that lowers the error; but the first, which is 1, or where sigma / alpha is 160, and the
    last, 0. On a table times are entries. Nothing is random. Take 32 samples or more: times that are fitted to 10 may be no
    better for others. It evaluates denoise about 600 times for 4 steps, 2,000 for 8 and 8,000 for 20.
    denoise, schedule: as for `ddim`. start: see `Start`. steps >= 2.
    Raises ValueError for an unknown method or none, for steps < 2, and for a schedule or table with too few levels.
    Source: the objective is the one that Shaul et al. 2024 (bespoke solvers) bound, here for the times alone; Sabour et al. 2024
    (Align Your Steps) also fit times to a network.

    >>> from diffkit_samplers import FineSolution, grid, seeded
    >>> from diffkit_samplers.testing import MixtureOracle
    >>> from diffkit_schedules import cosine
    >>> schedule, z = cosine(), seeded(range(4))((4, 8))
    >>> denoise, start = MixtureOracle(schedule), lambda t: schedule(t).sigma * z
    >>> method, times, error = tune(denoise, schedule, start, steps=4)
    >>> error < 0.7 * FineSolution(denoise, schedule, start).error(method, grid(schedule, 4, "karras_160"))
    True
    """
    if isinstance(steps, bool) or not hasattr(steps, "__index__") or steps < 2:
        raise ValueError(f"steps must be an integer of at least 2 to have times to tune, got {steps!r}")
    if not methods:
        raise ValueError(f"methods must name at least one sampler of METHODS, got {methods!r}")
    fine, starts = FineSolution(denoise, schedule, start), list(_first_times(schedule, steps))
    found = []
    for method in methods:
        tried = [Tuned(method, times, fine.error(method, times)) for times in starts]
        found.append(min(tried, key=lambda each: each.error))
    best = sorted(found, key=lambda each: each.error)[:REFINED_METHODS]
    return min((_refined(fine, each) for each in best), key=lambda each: each.error)


def _first_times(schedule: Schedule, steps: int) -> Iterator[list[float]]:
    yield from (grid(schedule, steps, spacing) for spacing in FIRST_SPACINGS)
    level = max(float(rates_at(schedule, 1.0).log_snr), -2 * math.log(MAX_RATIO))
    for exponent in EXPONENTS:
        for last in LAST_TIMES:
            ends = [math.exp(-each / (2 * exponent)) for each in (level, float(rates_at(schedule, last).log_snr))]
            values = [ends[0] + k / (steps - 1) * (ends[1] - ends[0]) for k in range(steps)]
            times = _times(schedule, [-2 * exponent * math.log(value) for value in values])
            if times is not None:
                yield times


def _refined(fine: FineSolution, found: Tuned) -> Tuned:
    """Each time but the first moves by a part of the interval next to it, in log-SNR, where that lowers the error.

    In sweeps over the times; where a sweep gains little, the part gets smaller.
    """
    levels = [float(rates_at(fine.schedule, t).log_snr) for t in found.times[:-1]]
    for part in PARTS:
        before = math.inf
        while found.error < (1 - MIN_GAIN) * before:
            before = found.error
            for k in range(1, len(levels)):
                for change in _changes(levels, k, part):
                    moved = [*levels[:k], levels[k] + change, *levels[k + 1 :]]
                    times = _times(fine.schedule, moved)
                    if times is not None and (error := fine.error(found.method, times)) < found.error:
                        found, levels = Tuned(found.method, times, error), moved
                        break
    return found


def _changes(levels: Sequence[float], k: int, part: float) -> tuple[float, float]:
    """A part of the interval before levels[k], as a step back, and of that after it; one that is infinite counts as the other."""
    before = levels[k] - levels[k - 1]
    after = levels[k + 1] - levels[k] if k + 1 < len(levels) else before
    return -part * min(before, after if math.isinf(before) else before), part * after


def _times(schedule: Schedule, levels: Sequence[float]) -> list[float] | None:
    """The times of decreasing noise levels, on a table its nearest entries, and 0; None where they do not decrease."""
    timesteps = getattr(schedule, "timesteps", None)
    digits = [round(t, 6) if timesteps is None else round(t * timesteps) / timesteps for t in times_of(schedule, levels)]
    times = [*digits, 0.0]
    return times if all(s < t for t, s in pairwise(times)) else None
