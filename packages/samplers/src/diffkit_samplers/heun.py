"""Heun's method: a step, a second look at its end, and the step again with the mean of both."""

from collections.abc import Sequence

from diffkit_schedules import Array, Schedule, combine

from diffkit_samplers.denoise import Denoise, as_estimate
from diffkit_samplers.loop import Move, last_x0, run
from diffkit_samplers.noise import Source
from diffkit_samplers.steps import step

__all__ = ["heun", "heun_update"]


def heun_update(x: Array, move: Move) -> Array:
    """x at move.s, with the mean of the noise eps at both ends; Euler's step to the end of the grid."""
    now, then = move.now, move.then
    x0, eps, _ = move.estimate
    if move.s == 0:
        return step(x, x0, now, then, eta=move.eta, noise=move.noise, eps=eps)
    ahead = step(x, x0, now, then, eps=eps)
    x0_ahead = as_estimate(move.denoise(ahead, move.s)).x0
    if now.alpha == 0:  # pure noise: eps is x / sigma whatever x0 is, and the mean is that of x0
        mean = combine(0.5, x0, 0.5, x0_ahead)
    else:
        # the x0 that (eps + eps_ahead) / 2 implies, x / alpha - sigma / alpha * that
        eps = combine(1 / now.sigma, x, -now.alpha / now.sigma, x0) if eps is None else eps
        eps_ahead = combine(1 / then.sigma, ahead, -then.alpha / then.sigma, x0_ahead)
        mean = combine(1 / now.alpha, x, -now.sigma / now.alpha, combine(0.5, eps, 0.5, eps_ahead))
    return step(x, mean, now, then, eta=move.eta, noise=move.noise)


def heun(
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    steps: int = 20,
    eta: float = 0.0,
    spacing: str | Sequence[float] = "uniform",
    noise: Source | None = None,
) -> Array:
    """Samples by Heun's method: second order, two evaluations a step but for the last, 2 steps - 1 in all.

        x_s = alpha_s / alpha_t x_t + (sigma_s - alpha_s sigma_t / alpha_t) (eps(x_t, t) + eps(x'_s, s)) / 2

    with x'_s the DDIM step. At eta > 0 the mean drives `step`, which adds its noise. Arguments, result and errors as for `ddim`.
    Source: Karras et al. 2022 (EDM), algorithm 1, for any signal and noise rates.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> heun(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return last_x0(run(heun_update, denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise))
