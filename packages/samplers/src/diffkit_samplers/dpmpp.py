"""DPM-Solver++(2M) and its stochastic form: a step with x0 extrapolated from the last two estimates."""

import math
from collections.abc import Sequence

from diffkit_schedules import Array, Schedule, combine

from diffkit_samplers.denoise import Denoise
from diffkit_samplers.loop import Move, last_x0, run
from diffkit_samplers.noise import Source
from diffkit_samplers.steps import step

__all__ = ["dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_update"]


def dpmpp_2m_update(x: Array, move: Move) -> Array:
    """x at move.s by `step`, with x0 extrapolated to the middle of the step; plain where either log-SNR is infinite."""
    x0, eps, spread = move.estimate
    if move.before is not None:
        stride = move.then.log_snr - move.now.log_snr
        last = move.now.log_snr - move.before.now.log_snr
        if math.isfinite(stride) and math.isfinite(last) and last:
            r = stride / (2 * last)
            x, eps = move.estimate.state(x, move.now), None
            x0 = combine(1 + r, x0, -r, move.before.estimate.x0)
    return step(x, x0, move.now, move.then, eta=move.eta, noise=move.noise, eps=eps, spread=spread)


def dpmpp_2m(
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    steps: int = 20,
    eta: float = 0.0,
    spacing: str | Sequence[float] = "uniform",
    noise: Source | None = None,
) -> Array:
    """Samples by DPM-Solver++(2M): second order between noisy times, with one evaluation a step.

        D = x0 + (h / 2 h') (x0 - x0'),   x_s = step(x_t, D)

    with x0' the estimate before, h and h' the steps in log-SNR, this one and the last. A step for which one of the two is not
    known or not finite is DDIM's. eta = 1 is SDE-DPM-Solver++(2M). On a whole grid the last step decides the order as it does for
    `heun`. Arguments, result and errors as for `ddim`.
    Source: Lu et al. 2022 (DPM-Solver++), algorithm 2 and, for eta = 1, its section on SDE-DPM-Solver++(2M).

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> dpmpp_2m(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return last_x0(run(dpmpp_2m_update, denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise))


def dpmpp_2m_sde(
    denoise: Denoise,
    schedule: Schedule,
    x: Array,
    *,
    steps: int = 20,
    eta: float = 1.0,
    spacing: str | Sequence[float] = "uniform",
    noise: Source | None = None,
) -> Array:
    """Samples by SDE-DPM-Solver++(2M): `dpmpp_2m` at eta = 1.

    Arguments, result, errors and source as for `dpmpp_2m`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> dpmpp_2m_sde(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return dpmpp_2m(denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise)
