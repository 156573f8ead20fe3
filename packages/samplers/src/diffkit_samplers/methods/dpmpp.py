"""DPM-Solver++(2M) and its stochastic form: a step with x0 extrapolated from the last two estimates."""

import math

from diffkit_schedules import Array, combine

from diffkit_samplers.loop import Step
from diffkit_samplers.sampler import sampler

__all__ = ["dpmpp_2m", "dpmpp_2m_sde"]


@sampler(eta=0.0, history=1)
def dpmpp_2m(x: Array, step: Step) -> Array:
    """Samples by DPM-Solver++(2M): second order between noisy times, with one evaluation per step.

        D = x0 + (h / 2 h') (x0 - x0'),   x_s = step(x_t, D)

    with x0' the previous estimate, h and h' the lengths of this step and of the previous one in log-SNR. Where one of the two
    is missing or not finite the step is DDIM's. eta = 1 is SDE-DPM-Solver++(2M). On a grid to t = 0 the last step decides the
    order as it does for `heun`. Arguments, result and errors are those of `ddim`.
    Source: Lu et al. 2022 (DPM-Solver++), algorithm 2 and, for eta = 1, its section on SDE-DPM-Solver++(2M).

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> dpmpp_2m(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    if not step.history:
        return step.advance(x)
    previous = step.history[0]
    length, previous_length = step.then.log_snr - step.now.log_snr, step.now.log_snr - previous.rates.log_snr
    if not (math.isfinite(length) and math.isfinite(previous_length) and previous_length):
        return step.advance(x)
    r = length / (2 * previous_length)
    return step.advance(x, combine(1 + r, step.estimate.x0, -r, previous.estimate.x0))


@sampler(eta=1.0, history=1)
def dpmpp_2m_sde(x: Array, step: Step) -> Array:
    """Samples by SDE-DPM-Solver++(2M): `dpmpp_2m` at eta = 1.

    Arguments, result, errors and source are those of `dpmpp_2m`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> dpmpp_2m_sde(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return dpmpp_2m.update(x, step)
