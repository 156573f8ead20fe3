"""DDIM inversion: from data to the noise that gives it."""

from collections.abc import Sequence

from diffkit_schedules import Array, Rates, Schedule, combine, rates_at

from diffkit_samplers.estimates import Denoise, evaluate
from diffkit_samplers.loop import no_graph
from diffkit_samplers.time_grids import grid

__all__ = ["encode"]


def encode(
    denoise: Denoise,
    schedule: Schedule,
    x0: Array,
    *,
    steps: int = 20,
    spacing: str | Sequence[float] = "uniform",
    rounds: int = 1,
) -> Array:
    """The noise x at the grid's first time from which `ddim` with the same grid and eta = 0 gives x0: DDIM inversion.

    Each step of `ddim`, x_s = A d(x_t, t) + B x_t with d = denoise, is solved for x_t by `rounds` fixed-point iterations
    x_t <- (x_s - A d(x_t, t)) / B, which start from the DDIM step to t with the latest estimate. At the last time, where `ddim`
    returns d(x_t, t), they are x_t <- x_t + alpha_t (x0 - d(x_t, t)). That is steps * rounds evaluations. The error of the
    round trip decreases with the number of steps. More rounds decrease it where the steps are short, and are needed where the
    schedule's t = 0 is not close to clean data (`offset_cosine`); where the steps are long they may not converge.
    x0: clean data, (B, ...). Raises ValueError as `grid` does, and for rounds < 1.
    Source: Song et al. 2021 (DDIM), section 4.3; Pan et al. 2023 (AIDI) for solving the step instead of reversing the ODE.

    >>> import numpy as np
    >>> from diffkit_samplers import ddim
    >>> from diffkit_samplers.testing import GaussianOracle
    >>> from diffkit_schedules import cosine
    >>> oracle, x0 = GaussianOracle(cosine()), np.array([[0.3, -1.2]])
    >>> ddim(oracle, cosine(), encode(oracle, cosine(), x0, steps=50), steps=50).round(2)
    array([[ 0.3, -1.2]])
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    times = grid(schedule, steps, spacing)[-2::-1]  # from the last time at which ddim evaluates denoise to the first
    rates = [rates_at(schedule, t) for t in times]
    with no_graph(x0):
        x = rates[0].alpha * x0
        for _ in range(rounds):
            estimate = evaluate(denoise, x, times[0]).x0
            x = combine(1.0, x, rates[0].alpha, combine(1.0, x0, -1.0, estimate))
        for t, s_rates, t_rates in zip(times[1:], rates, rates[1:], strict=False):
            x_s, (a, b) = x, _coefficients(t_rates, s_rates)
            x = _ddim_step(x_s, estimate, s_rates, t_rates)
            for _ in range(rounds):
                estimate = evaluate(denoise, x, t).x0
                x = combine(1 / b, x_s, -a / b, estimate)
    return x


def _coefficients(now: Rates, then: Rates) -> tuple[float, float]:
    """A and B of the DDIM step x_s = A x0 + B x_t."""
    b = then.sigma / now.sigma
    return then.alpha - b * now.alpha, b


def _ddim_step(x: Array, x0: Array, now: Rates, then: Rates) -> Array:
    """x at the noisier level, with the same x0 and eps."""
    a, b = _coefficients(now, then)
    return combine(a, x0, b, x)
