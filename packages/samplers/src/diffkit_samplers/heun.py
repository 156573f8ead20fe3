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
    x0, _, spread = move.estimate
    x = move.estimate.state(x, now)
    if move.s == 0:
        return step(x, x0, now, then, eta=move.eta, noise=move.noise, spread=spread)
    reached = step(x, x0, now, then)
    ahead = look(move.denoise, reached, move.s)
    # the mean of eps is that of x0 with the weight r / 2, r = (sigma / alpha) / (sigma' / alpha'); it may be infinite, and beyond
    # 1 it throws x0 out of the step it is for
    weight = min(then.alpha * now.sigma / (2 * now.alpha * then.sigma), 1.0) if now.alpha else 1.0
    mean = combine(1 - weight, x0, weight, ahead.x0)
    x_s = step(x, mean, now, then, eta=move.eta, noise=move.noise, spread=spread)
    if ahead.eps is None:
        return x_s
    moved = combine(1.0, ahead.state(reached, then), -1.0, reached)  # by an eps that is kept at the other end
    return combine(1.0, x_s, 0.5, moved)


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
    """Samples by Heun's method: second order between noisy times, two evaluations a step but for one to t = 0.

        x_s = alpha_s / alpha_t x_t + (sigma_s - alpha_s sigma_t / alpha_t) (eps(x_t, t) + eps(x'_s, s)) / 2

    with x'_s the DDIM step. Written as `step` with D = (1 - w) x0 + w x0', w = min(r / 2, 1), r the ratio of sigma / alpha
    between the two ends: the same up to r = 2, and bounded where alpha_t is next to nothing. At eta > 0 `step` adds its
    noise, and the order is 1.
    On a whole grid the last step decides, which has nothing to look at beyond it: x0 as it is seen at its time t is off by the
    order of sigma_t^2, or, where t = 0 is not clean data, of what the rates change from t to 0. So at eta = 0 it is of second
    order where steps near the data are short: for `karras()`, `rectified()` and, until 1 / T itself is felt, spacing "karras"
    and "log_snr"; with steps of one length it tends to first order on `linear()`, its tables and `sigmoid()`, where sigma^2
    grows as t, and on `offset_cosine()`, with `cosine()` in between.
    Evaluations: 2 steps - 1. Arguments, result and errors as for `ddim`.
    Source: Karras et al. 2022 (EDM), algorithm 1, for any signal and noise rates.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> heun(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return last_x0(run(heun_update, denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise))
