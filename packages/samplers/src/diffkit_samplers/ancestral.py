"""Ancestral steps of any method: a deterministic step beyond the level, and noise back to it."""

import math
from collections.abc import Callable

from diffkit_schedules import Array, Schedule, combine, rates_at, times_of

from diffkit_samplers.loop import Step
from diffkit_samplers.multistep import decay_of, level
from diffkit_samplers.tracing import constant_when_traced

__all__ = ["ancestral", "time_at"]


def ancestral(solve: Callable[[Array, Step], Array], x: Array, step: Step) -> Array:
    """x at step.s: solve(x, the step at eta = 0 to a level below s), then the noise that leads from there to s.

    The level below has log(alpha / sigma) = l_t - log(e^-h sqrt(1 - eta^2 tau)), so that with a DDIM step the result is `step`'s,
    and with one of second order the distribution of samples has an error of second order. Where the schedule ends above that
    level, the noise is less. At eta = 0, and in a step to clean data or from pure noise, it is solve(x, step).
    """
    decay = decay_of(step.now, step.then, step.eta)
    if step.eta == 0 or not 0 < decay < math.inf:
        return solve(x, step)
    end = time_at(step.schedule, level(step.now) + decay)
    below = rates_at(step.schedule, end)
    x = solve(x, step._replace(s=end, then=below, eta=0.0))
    ratio = step.then.alpha / below.alpha
    return combine(ratio, x, math.sqrt(max(step.then.sigma**2 - (ratio * below.sigma) ** 2, 0.0)), step.z(x))


@constant_when_traced
def time_at(schedule: Schedule, log_ratio: float) -> float:
    """The time at which log(alpha / sigma) has this value, or the nearest end.

    >>> from diffkit_schedules import rectified
    >>> round(time_at(rectified(), 0.0), 12)
    0.5
    """
    return times_of(schedule, [2 * log_ratio])[0]
