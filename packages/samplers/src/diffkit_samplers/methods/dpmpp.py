"""Multistep DPM-Solver++, of second and third order, and its stochastic forms: x0 extrapolated from the last estimates."""

from diffkit_schedules import Array

from diffkit_samplers.loop import Step
from diffkit_samplers.multistep import multistep
from diffkit_samplers.sampler import sampler

__all__ = ["dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m", "dpmpp_3m_sde"]


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
    return multistep(x, step, 2)


@sampler(eta=1.0, history=1)
def dpmpp_2m_sde(x: Array, step: Step) -> Array:
    """Samples by SDE-DPM-Solver++(2M): `dpmpp_2m` at eta = 1.

    Arguments, result, errors and source are those of `dpmpp_2m`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> dpmpp_2m_sde(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return multistep(x, step, 2)


@sampler(eta=0.0, history=2)
def dpmpp_3m(x: Array, step: Step) -> Array:
    """Samples by DPM-Solver++(3M): `dpmpp_2m` with a quadratic in log-SNR through the last three estimates, integrated exactly.

        D = E[P(l)],   l distributed over the step with density proportional to exp((1 + eta^2) l),   l = log(alpha / sigma)

    Third order but for the error of its first step, which is DDIM's: that step decides the order, 2, on a grid of short steps,
    and `unipc_2` corrects it. k-diffusion and diffusers count half of the polynomial's second derivative, and are of second
    order. Arguments, result and errors are those of `ddim`.
    Source: Lu et al. 2022 (DPM-Solver++), section 4 and appendix B, for any number of estimates.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> dpmpp_3m(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return multistep(x, step, 3)


@sampler(eta=1.0, history=2)
def dpmpp_3m_sde(x: Array, step: Step) -> Array:
    """Samples by SDE-DPM-Solver++(3M): `dpmpp_3m` at eta = 1.

    Arguments, result, errors and source are those of `dpmpp_3m`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> dpmpp_3m_sde(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return multistep(x, step, 3)
