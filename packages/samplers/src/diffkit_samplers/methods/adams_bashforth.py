"""Adams-Bashforth's methods: the velocity eps - x0 of the straight path, or eps, as a polynomial through the last estimates."""

import math
from collections.abc import Callable

from diffkit_schedules import Array, Rates

from diffkit_samplers.loop import Step
from diffkit_samplers.multistep import mean_weights, nodes, with_slope
from diffkit_samplers.sampler import sampler

__all__ = ["ab_2", "ab_3", "lms", "lms_3"]


@sampler(eta=0.0, history=1)
def ab_2(x: Array, step: Step) -> Array:
    """Samples by the two-step Adams-Bashforth method for the velocity v = eps - x0, in u = sigma / (alpha + sigma).

        y_s = y_t + (u_s - u_t) E[P(u)],   y = x / (alpha + sigma),   P through the last two v,   u uniform over the step

    y is the state of `rectified()`, on which dy / du = v. v is bounded at both ends, so that no step is special: the method for
    steps of equal length in t. One evaluation per step. The first step is DDIM's. At eta > 0 `step` adds its noise.
    Arguments, result and errors are those of `ddim`.
    Source: Bashforth and Adams 1883, for the flow of Liu et al. 2023 (rectified flow), equation 1; azula's vAB.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> ab_2(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return _extrapolated(x, step, _straight, -1.0)


@sampler(eta=0.0, history=2)
def ab_3(x: Array, step: Step) -> Array:
    """Samples by the three-step Adams-Bashforth method: `ab_2` through the last three v, for 12 steps of equal length and more.

    Arguments, result, errors and source are those of `ab_2`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> ab_3(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return _extrapolated(x, step, _straight, -1.0)


@sampler(eta=0.0, history=3)
def lms(x: Array, step: Step) -> Array:
    """Samples by the linear multistep method of fourth order: Adams-Bashforth for eps in rho = sigma / alpha.

        x_s / alpha_s = x_t / alpha_t + (rho_s - rho_t) E[P(rho)],   P through the last four eps,   rho uniform over the step

    One evaluation per step. The first step is DDIM's and decides the order, 2, on a grid of short steps. For about 20 steps of
    equal length in t; fewer or longer ones extrapolate far, and `ab_2` or `unipc_2` is better. At eta > 0 `step` adds its noise.
    Arguments, result and errors are those of `ddim`.
    Source: Bashforth and Adams 1883; k-diffusion's and diffusers' LMS (Crowson 2022), azula's zAB.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> lms(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return _extrapolated(x, step, _rho, 0.0)


@sampler(eta=0.0, history=2)
def lms_3(x: Array, step: Step) -> Array:
    """Samples by the linear multistep method of third order: `lms` through the last three eps.

    Arguments, result, errors and source are those of `lms`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> lms_3(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return _extrapolated(x, step, _rho, 0.0)


def _extrapolated(x: Array, step: Step, time: Callable[[Rates], float], of_x0: float) -> Array:
    """x at step.s, with the slope eps + of_x0 x0 as a polynomial in `time` through its values here and in the history."""
    times = [time(step.now), *(time(each.rates) for each in step.history)]
    now, end = times[0], time(step.then)
    if not -math.inf < end - now < 0:
        return step.advance(x)
    return with_slope(x, step, mean_weights(nodes(times, end), 0.0), now, of_x0)


def _straight(rates: Rates) -> float:
    """sigma / (alpha + sigma): the time at which `rectified()` has this ratio of noise to signal."""
    return float(rates.sigma / (rates.alpha + rates.sigma))


def _rho(rates: Rates) -> float:
    """sigma / alpha, inf without signal."""
    return float(rates.sigma / rates.alpha) if rates.alpha else math.inf
