"""Resampling (RePaint): each step of a method several times, with the state noised back to t in between."""

import functools
import math

from diffkit_schedules import Array, as_array_of, combine

from diffkit_samplers.loop import Step
from diffkit_samplers.sampler import Sampler, sampler
from diffkit_samplers.trajectory import sampler_of

__all__ = ["resample"]


def resample(method: str | Sampler, rounds: int = 10) -> Sampler:
    """A sampler that repeats each step of a method `rounds` times, except the last step, and noises the state back in between.

        x_s = update(x_t),   x_t <- (alpha_t / alpha_s) x_s + sqrt(sigma_t^2 - (alpha_t sigma_s / alpha_s)^2) z

    With it the generated part of `inpaint` fits the known part; one round generates it almost as if nothing were known. It
    costs rounds - 1 more evaluations in each step but the last, and adds noise whatever eta is, by default 0. As the noise
    changes between the steps, a multistep method such as "dpmpp_2m" runs without history, as "ddim".
    method: a name in `METHODS`, or a `Sampler`. Raises ValueError for an unknown method and for rounds < 1.
    Source: Lugmayr et al. 2022 (RePaint), algorithm 1, with U = rounds and jumps of one step.

    >>> import numpy as np
    >>> from diffkit_samplers import ddim, inpaint, seeded
    >>> from diffkit_schedules import cosine
    >>> mean = lambda x, t: x.mean(axis=1, keepdims=True) + 0 * x  # all pixels of an image are equal
    >>> inpainted = inpaint(mean, known=np.ones(4), mask=np.array([1, 0, 0, 0]))
    >>> def generated(method):
    ...     noise = seeded(range(1000))
    ...     return round(float(method(inpainted, cosine(), noise((1000, 4)), noise=noise)[:, 1:].mean()), 1)
    >>> generated(ddim), generated(resample(ddim, rounds=10))
    (0.6, 0.9)
    """
    repeated = sampler_of(method)
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    if rounds == 1:
        return Sampler(repeated.update, history=repeated.history)

    @sampler(history=0)
    def resampled(x: Array, step: Step) -> Array:
        ratio = step.now.alpha / step.then.alpha
        z_rate = math.sqrt(max(step.now.sigma**2 - (ratio * step.then.sigma) ** 2, 0.0))
        step = step._replace(noise=functools.partial(step.noise))  # each round's noise is new, of whatever source
        for _ in range(rounds - 1 if step.s > 0 else 0):  # the last step's estimate is the sample
            x = combine(ratio, repeated.update(x, step), z_rate, as_array_of(step.noise(tuple(x.shape)), x))
            step = step.starting(x, step.t)
        return repeated.update(x, step)

    return resampled
