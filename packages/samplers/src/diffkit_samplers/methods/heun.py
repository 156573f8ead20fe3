"""Heun's method: a step, an evaluation at its end, and the step again with the mean of both estimates."""

from diffkit_schedules import Array, combine

from diffkit_samplers.ancestral import ancestral
from diffkit_samplers.loop import Step
from diffkit_samplers.sampler import sampler

__all__ = ["heun", "heun_churn"]


@sampler(eta=0.0, history=0)
def heun(x: Array, step: Step) -> Array:
    """Samples by Heun's method: second order between noisy times, two evaluations per step but one in a step to t = 0.

        x_s = alpha_s / alpha_t x_t + (sigma_s - alpha_s sigma_t / alpha_t) (eps(x_t, t) + eps(x'_s, s)) / 2

    with x'_s the DDIM step. It is computed as `step` with D = (1 - w) x0 + w x0', w = min(r / 2, 1), r the ratio of
    sigma / alpha between the two ends: the same up to r = 2, and bounded where alpha_t is close to 0. At eta > 0 `step` adds
    its noise, and the order is 1.
    On a grid to t = 0 the last step decides the order, because it has no second evaluation: the x0 at its time t has an error
    of the order of sigma_t^2 or, where t = 0 is not clean data, of the change of the rates from t to 0. So at eta = 0 the order
    is 2 where the steps close to the data are short: for `karras()`, `rectified()` and, until 1 / T itself matters, spacing
    "karras" and "log_snr". With steps of equal length it tends to 1 on `linear()`, its tables and `sigmoid()`, where sigma^2
    grows as t, and on `offset_cosine()`; `cosine()` is in between.
    Evaluations: 2 steps - 1. Arguments, result and errors are those of `ddim`.
    Source: Karras et al. 2022 (EDM), algorithm 1, for any signal and noise rates.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> heun(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    x0, now, then = step.estimate.x0, step.now, step.then
    if step.s == 0 or then.sigma == 0:
        return step.advance(x, x0)
    x_s = step.advance(x, x0, eta=0.0)
    ahead = step.evaluate(x_s, step.s)
    # the mean of eps is that of x0 with the weight r / 2, r = (sigma / alpha) / (sigma' / alpha'); it may be infinite, and a
    # weight beyond 1 extrapolates x0 away from both estimates
    weight = min(then.alpha * now.sigma / (2 * now.alpha * then.sigma), 1.0) if now.alpha else 1.0
    x_mean = step.advance(x, combine(1 - weight, x0, weight, ahead.x0))
    if ahead.eps is None:
        return x_mean
    # the second estimate keeps an eps: half of the change that it makes to x_s
    return combine(1.0, x_mean, 0.5, combine(1.0, ahead.state(x_s, then), -1.0, x_s))


@sampler(eta=1.0, history=0)
def heun_churn(x: Array, step: Step) -> Array:
    """Samples by Heun's method with churn, EDM's stochastic sampler: a step of `heun` beyond each level, and noise back to it.

    The churn is gamma = 1 / sqrt(1 - eta^2 tau) - 1, S_churn = N gamma; eta = 1 is the noise of DDPM. The error of the
    distribution is of second order at any eta: with 20 evaluations or more it is below that of `heun` and of the multistep
    methods at eta = 1, with fewer above. eta = 0 is `heun`. Evaluations: 2 steps - 1.
    Arguments, result and errors are those of `ddim`.
    Source: Karras et al. 2022 (EDM), algorithm 2, without S_noise and the bounds of sigma.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> heun_churn(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return step.advance(x) if step.s == 0 else ancestral(heun.update, x, step)
