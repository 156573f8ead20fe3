"""Adams-Bashforth's methods for the velocity eps - x0 of the straight path, as a polynomial through the last estimates."""

from diffkit_schedules import Array, Rates

from diffkit_samplers.loop import Evaluation, Step
from diffkit_samplers.multistep import mean_weights, mixed, nodes
from diffkit_samplers.sampler import sampler

__all__ = ["ab_2", "ab_3"]


@sampler(eta=0.0, history=1)
def ab_2(x: Array, step: Step) -> Array:
    """Samples by the two-step Adams-Bashforth method for the velocity v = eps - x0, in u = sigma / (alpha + sigma).

        y_s = y_t + (u_s - u_t) E[P(u)],   y = x / (alpha + sigma),   P through the last two v,   u uniform over the step

    y is the state of `rectified()`, on which dy / du = v. v is bounded at both ends, so that no step is special: the method for
    steps of equal length in t. One evaluation per step. The first step is DDIM's. At eta > 0 `step` adds its noise.
    Arguments, result and errors are those of `ddim`.
    Source: Bashforth and Adams 1883, for the flow of Liu et al. 2023 (rectified flow), equation 1; azula's vAB.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> ab_2(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return _extrapolated(x, step, 2)


@sampler(eta=0.0, history=2)
def ab_3(x: Array, step: Step) -> Array:
    """Samples by the three-step Adams-Bashforth method: `ab_2` through the last three v, for 12 steps of equal length and more.

    Arguments, result, errors and source are those of `ab_2`.

    >>> import numpy as np
    >>> from diffkit_schedules import cosine
    >>> ab_3(lambda x, t: np.full_like(x, 3.0), cosine(), np.array([[0.7]]), steps=5)
    array([[3.]])
    """
    return _extrapolated(x, step, 3)


def _extrapolated(x: Array, step: Step, order: int) -> Array:
    times = [_straight(step.now), *(_straight(each.rates) for each in step.history)]
    u, weights = times[0], mean_weights(nodes(times, _straight(step.then), order), 0.0)
    if len(weights) == 1 or not u:
        return step.advance(x)
    first, *earlier = (-u * (weight - (k == 0)) for k, weight in enumerate(weights))  # as an x0: D = x0 - u (E - v), v = eps - x0
    terms = Evaluation(step.t, step.now, step.estimate, x).terms(1.0 - first, first)
    for each, factor in zip(step.history, earlier, strict=False):
        terms += each.terms(-factor, factor)
    return step.advance(x, mixed(terms))


def _straight(rates: Rates) -> float:
    """sigma / (alpha + sigma): the time at which `rectified()` has this ratio of noise to signal."""
    return float(rates.sigma / (rates.alpha + rates.sigma))
