"""Sampling from consistency functions: a step beyond the next level, to clean data for LCM, and new noise up to that level."""

import math

from diffkit_schedules import Array, Rates, Schedule, combine, rates_at, timesteps_of

from diffkit_samplers.loop import Step
from diffkit_samplers.sampler import sampler

__all__ = ["lcm", "tcd"]


@sampler(eta=0.3, steps=4, history=0)
def tcd(x: Array, step: Step) -> Array:
    """Samples by TCD's strategic stochastic sampling: a step of DDIM to a time before the next one, and new noise up to that.

        s' = (1 - gamma) s,   x_s' = step(x_t, x0),   x_s = r x_s' + sqrt(sigma_s^2 - r^2 sigma_s'^2) z,   r = alpha_s / alpha_s'

    For networks that were distilled so that x0 is the end of the probability flow (consistency functions), in 2 to 8 steps.
    From a denoiser E[x0 | x_t] the samples do not converge to the data: they have too little variance. gamma is eta: 0 is
    `ddim`, 1 is `lcm`. On a table s' is the entry of index floor((1 - gamma) i), i that of s.
    Arguments, result and errors are those of `ddim`.
    Source: Zheng et al. 2024 (trajectory consistency distillation), algorithm 2.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> tcd(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]))
    array([[3.]])
    """
    if step.eta == 0 or step.s == 0:
        return step.advance(x, eta=0.0)
    # gamma = 1 is clean data, and some schedules have noise at t = 0
    below = Rates(1.0, 0.0) if step.eta == 1 else rates_at(step.schedule, _earlier(step.schedule, step.s, step.eta))
    x = step._replace(then=below).advance(x, eta=0.0)
    ratio = step.then.alpha / below.alpha
    return combine(ratio, x, math.sqrt(max(step.then.sigma**2 - (ratio * below.sigma) ** 2, 0.0)), step.z(x))


@sampler(eta=1.0, steps=4, history=0)
def lcm(x: Array, step: Step) -> Array:
    """Samples by multistep consistency sampling, as Latent Consistency Models do: x0 with new noise. It is `tcd` at eta = 1.

        x_s = alpha_s x0 + sigma_s z

    For networks that were distilled so that x0 is the end of the probability flow, in 1 to 8 steps; see `tcd`.
    Arguments, result and errors are those of `ddim`.
    Source: Song et al. 2023 (consistency models), algorithm 1; Luo et al. 2023 (LCM), algorithm 3.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> lcm(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]))
    array([[3.]])
    """
    return tcd.update(x, step)


def _earlier(schedule: Schedule, s: float, gamma: float) -> float:
    """The time (1 - gamma) s, on a table moved down to an entry."""
    if not hasattr(schedule, "timesteps"):
        return (1 - gamma) * s
    timesteps = timesteps_of(schedule)
    return (math.floor((1 - gamma) * (round(s * timesteps) - 1)) + 1) / timesteps
