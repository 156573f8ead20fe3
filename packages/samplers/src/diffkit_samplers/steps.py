"""One step of DDIM and DDPM between any two noise levels: the formula that every method uses."""

import math
from typing import Any

from diffkit_schedules import Array, Rates, as_array_of, combine

from diffkit_samplers.noise import step_noise

__all__ = ["step"]


def step(
    x_t: Array,
    x0: Array,
    now: Rates,
    then: Rates,
    *,
    eta: float = 0.0,
    noise: Any = None,
    eps: Array | None = None,
    variance_interpolation: Any = 0.0,
) -> Array:
    """x_s at the noise level `then`, from x_t at the level `now` and x0.

        tau = 1 - (alpha_t sigma_s / (alpha_s sigma_t))^2
        x_s = alpha_s x0 + sigma_s sqrt(1 - eta^2 tau) eps + eta sigma_s sqrt(tau) z,   eps = (x_t - alpha_t x0) / sigma_t

    now, then: float rates at t and s. eta in [0, 1]: 0 is DDIM, 1 the DDPM posterior ("fixed small" variance). noise: z, an
    array of x_t's shape, or a function of the shape that returns one; needed where eta sigma_s > 0. eps: the noise of x_t,
    where it is not the one that x_t and x0 imply (a clipped x0). At eta = 0 `then` may also be the noisier level.
    variance_interpolation: v, a float or an array. At eta = 1 the noise's standard deviation is
    sqrt(tau) sigma_s^(1 - v) sigma_t^v: 0 is the posterior's, 1 is sqrt(beta) ("fixed large"), and a network may have learned a
    value between. It has no effect at another eta.
    No argument is changed; x_s has x_t's dtype.
    Raises ValueError for eta outside [0, 1], a missing noise, sigma_t = 0, and eta > 0 in a step to a noisier level.
    Source: Song et al. 2021 (DDIM), equations 12 and 16, for any signal and noise rates; Nichol and Dhariwal 2021, equation 15.

    >>> import numpy as np
    >>> x_t, x0 = np.array([2.2]), np.array([1.0])  # eps = 2
    >>> step(x_t, x0, Rates(0.6, 0.8), Rates(0.8, 0.6)).round(12)
    array([2.])
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must be in [0, 1] (0 = DDIM, 1 = DDPM), got {eta}")
    if now.sigma == 0:
        raise ValueError("step must start from noisy data: sigma is 0 at its level `now`")
    if eta and now.alpha * then.sigma > then.alpha * now.sigma:
        raise ValueError(f"eta must be 0 in a step to a noisier level, got {eta}")
    eta = float(eta)  # a NumPy float64 would widen x_s
    tau = 1 - (now.alpha * then.sigma / (then.alpha * now.sigma)) ** 2 if then.alpha else 0.0
    eps_rate = then.sigma * math.sqrt(1 - eta * eta * tau)
    if eps is None:
        # with eps inserted: two coefficients in float64 instead of a difference of arrays
        x_s = combine(then.alpha - eps_rate * now.alpha / now.sigma, x0, eps_rate / now.sigma, x_t)
    else:
        x_s = combine(then.alpha, x0, eps_rate, eps)
    z_rate: Any = eta * then.sigma * math.sqrt(max(tau, 0.0))
    if z_rate == 0:
        return x_s
    if noise is None:
        raise ValueError(f"eta = {eta} adds noise: pass noise, an array of x_t's shape or a function of the shape")
    z = as_array_of(step_noise(noise, tuple(x_t.shape)) if callable(noise) else noise, x_t)
    v = variance_interpolation
    if eta == 1 and not (isinstance(v, float) and v == 0):
        z_rate = z_rate * (now.sigma / then.sigma) ** v
    return combine(1.0, x_s, z_rate, z) if isinstance(z_rate, float) else x_s + z_rate * z
