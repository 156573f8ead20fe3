"""DDIM, DDPM and ancestral sampling: one update with different defaults for eta and the number of steps."""

from diffkit_schedules import Array

from diffkit_samplers.loop import Step
from diffkit_samplers.sampler import sampler

__all__ = ["ddim", "ddpm", "euler_ancestral"]


@sampler(eta=0.0, history=0)
def ddim(x: Array, step: Step) -> Array:
    """Samples by DDIM: x0 of the last of `steps` evaluations of denoise, each followed by the formula of `step`.

        tau = 1 - (alpha_t sigma_s / (alpha_s sigma_t))^2
        x_s = alpha_s x0 + sigma_s sqrt(1 - eta^2 tau) eps + eta sigma_s sqrt(tau) z

    denoise: denoise(x_t, t) -> x0, see `denoiser`. x: noise of shape (B, ...) at t = 1, standard normal times sigma(1); the
    result has its library, dtype and device. eta in [0, 1]: 0 is deterministic, 1 adds the DDPM posterior's noise.
    spacing: see `grid`; a sequence of times makes len - 1 steps. noise: a source of z for eta > 0, see `seeded`; without one
    the noise is not reproducible (under torch it follows the global generator).
    First order in the number of steps. Raises ValueError as `grid` and `step` do, and NotFiniteError after the last step.
    Source: Song, Meng and Ermon 2021 (DDIM), equation 12.

    >>> import numpy as np
    >>> from diffkit_schedules import offset_cosine
    >>> denoise = lambda x, t: np.full_like(x, 3.0)  # all data are 3
    >>> ddim(denoise, offset_cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return step.advance(x)


@sampler(eta=1.0, steps=None, history=0)
def ddpm(x: Array, step: Step) -> Array:
    """Samples by DDPM with the posterior ("fixed small") variance: `ddim` at eta = 1 over all the schedule's steps.

        x_s = mean + sqrt(beta (1 - abar_s) / (1 - abar_t)) z,   beta = 1 - abar_t / abar_s

    For the variance beta ("fixed large") wrap denoise in `fixed_large`; for a learned one see `denoiser(learned_range=True)`.
    steps: by default T of a table, 1000 for a continuous schedule. All other arguments are those of `ddim`.
    Source: Ho, Jain and Abbeel 2020 (DDPM), equations 6 and 7.

    >>> import numpy as np
    >>> from diffkit_schedules import linear_betas
    >>> ddpm(lambda x, t: np.full_like(x, 3.0), linear_betas(T=1000), np.array([[0.7]]))
    array([[3.]])
    """
    return ddim.update(x, step)


@sampler(eta=1.0, history=0)
def euler_ancestral(x: Array, step: Step) -> Array:
    """Samples by Euler's method with ancestral noise, which is `ddim` at eta = 1: in units of sigma' = sigma / alpha,

        down = sigma'_s^2 / sigma'_t,   x'_s = x' + (down - sigma'_t) eps + sqrt(sigma'_s^2 - down^2) z

    Arguments, result and errors are those of `ddim`.
    Source: k-diffusion's ancestral step (Crowson 2022), equal to Song et al. 2021 (DDIM), equation 16.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> euler_ancestral(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return ddim.update(x, step)
