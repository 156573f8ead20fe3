"""DEIS: a step with the noise eps as a polynomial in log(alpha / sigma) through the last estimates."""

import math

from diffkit_schedules import Array

from diffkit_samplers.loop import Step
from diffkit_samplers.multistep import level, mean_weights, nodes, with_slope
from diffkit_samplers.sampler import sampler

__all__ = ["deis", "deis_2"]


@sampler(eta=0.0, history=2)
def deis(x: Array, step: Step) -> Array:
    """Samples by DEIS of third order, with eps interpolated in the logarithm of rho = sigma / alpha.

        x_s / alpha_s = x_t / alpha_t + (rho_s - rho_t) E[P(l)],   P through the last three eps,   l = log(alpha / sigma)

    with l distributed over the step with density proportional to exp(-l). eps changes less than x0 over long steps close to
    pure noise: the method for few steps of "karras" and "log_snr". One evaluation per step. The first step is DDIM's and decides
    the order, 2, on a grid of short steps, as for `dpmpp_3m`. At eta > 0 `step` adds its noise, which the earlier eps have not
    seen: few steps then diverge (8 of "karras_160"; 20 do not), and `deis_2` or `dpmpp_2m_sde` is the method to take.
    Arguments, result and errors are those of `ddim`.
    Source: Zhang and Chen 2023 (DEIS), equations 14 and 15 with their polynomials in log rho: its variant of diffusers.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> deis(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return _extrapolated(x, step)


@sampler(eta=0.0, history=1)
def deis_2(x: Array, step: Step) -> Array:
    """Samples by DEIS of second order: `deis` through the last two eps, for few steps of equal length in t.

    Arguments, result, errors and source are those of `deis`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> deis_2(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return _extrapolated(x, step)


def _extrapolated(x: Array, step: Step) -> Array:
    levels, end = [level(step.now), *(level(each.rates) for each in step.history)], level(step.then)
    length = end - levels[0]
    if not 0 < length < math.inf:
        return step.advance(x)
    return with_slope(x, step, mean_weights(nodes(levels, end), -length), step.now.sigma / step.now.alpha)
