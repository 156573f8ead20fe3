"""Heun's method: a step, a second look at its end, and the step again with the mean of both."""

from collections.abc import Sequence

from diffkit_schedules import Array, Schedule, combine

from diffkit_samplers.denoise import Denoise, look
from diffkit_samplers.loop import Move, last_x0, run
from diffkit_samplers.noise import Source
from diffkit_samplers.steps import step

__all__ = ["heun", "heun_update"]


def heun_update(x: Array, move: Move) -> Array:
    """x at move.s, with the mean of what is seen at both ends; a plain step to the end of the grid."""
    now, then = move.now, move.then
    x0, eps, spread = move.estimate
    if move.s == 0:
        return step(x, x0, now, then, eta=move.eta, noise=move.noise, eps=eps, spread=spread)
    ahead = look(move.denoise, step(x, x0, now, then, eps=eps), move.s)
    # the mean of eps is that of x0 with the weight r / 2, r = (sigma / alpha) / (sigma' / alpha'); it may be infinite, and beyond
    # 1 it throws x0 out of the step it is for
    weight = min(then.alpha * now.sigma / (2 * now.alpha * then.sigma), 1.0) if now.alpha else 1.0
    mean = combine(1 - weight, x0, weight, ahead.x0)
    if eps is not None and ahead.eps is not None:
        eps = combine(0.5, eps, 0.5, ahead.eps)
    return step(x, mean, now, then, eta=move.eta, noise=move.noise, eps=eps, spread=spread)


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
    """Samples by Heun's method: second order at eta = 0, two evaluations a step but for one to t = 0, 2 steps - 1 in all.

        x_s = alpha_s / alpha_t x_t + (sigma_s - alpha_s sigma_t / alpha_t) (eps(x_t, t) + eps(x'_s, s)) / 2

    with x'_s the DDIM step. Written as `step` with D = (1 - w) x0 + w x0', w = min(r / 2, 1), r the ratio of sigma / alpha
    between the two ends: the same up to r = 2, and bounded where alpha_t is next to nothing. At eta > 0 `step` adds its
    noise, and the order is 1. Arguments, result and errors as for `ddim`.
    Source: Karras et al. 2022 (EDM), algorithm 1, for any signal and noise rates.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> heun(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return last_x0(run(heun_update, denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise))
