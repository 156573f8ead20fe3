"""What all multistep methods share: a step with the mean of a polynomial through the last estimates, as float64 weights.

In l = log(alpha / sigma), half the log-SNR, the exact step of length h from t to s is `step` with x0 replaced by its mean D over
the step, with density proportional to exp(c l). c h is the step's decay: -log of the factor that x / alpha is multiplied by,
h at eta = 0 and 2 h at eta = 1. Methods differ in the values that the polynomial goes through.
"""

import math
from collections.abc import Iterable, Sequence

from diffkit_schedules import Array, Rates, combine

from diffkit_samplers.loop import Evaluation, Step

__all__ = ["decay_of", "level", "mean_weights", "mixed", "multistep", "nodes", "with_slope"]


def multistep(x: Array, step: Step, order: int, *, corrected: bool = False) -> Array:
    """x at step.s, with a polynomial through the last `order` estimates: exponential Adams-Bashforth.

    corrected: the step before is first made again with the estimate at its end (Adams-Moulton), which costs no evaluation. It is
    linear in the estimates, so the correction of x is a sum of them too, and the state that is returned is the predicted one.
    Where a level or a length is not finite, or two levels are equal, the polynomial goes through fewer estimates.

    >>> import numpy as np
    >>> from diffkit_samplers import ddim, sampler
    >>> from diffkit_schedules import cosine
    >>> one = sampler()(lambda x, step: multistep(x, step, order=1))
    >>> bool(one(lambda x, t: t * x, cosine(), np.ones(1)) == ddim(lambda x, t: t * x, cosine(), np.ones(1)))
    True
    """
    levels = [level(step.now), *(level(each.rates) for each in step.history)]
    decay = decay_of(step.now, step.then, step.eta)
    if not 0 < decay < math.inf:
        return step.advance(x)
    weights = _weights(nodes(levels[:order], level(step.then)), decay)
    if corrected and step.history:
        before = decay_of(step.history[0].rates, step.now, step.eta)
        if before > 0:
            at = nodes(levels[1 : order + 1], levels[0])
            predicted, again = [0.0, *_weights(at, before)], _weights([1.0, *at], before)
            ratio = math.expm1(-before) / math.expm1(-decay) * math.exp(-decay)
            weights = _sum(weights, [ratio * w for w in _sum(again, [-w for w in predicted])])
    estimates = [step.estimate.x0, *(each.estimate.x0 for each in step.history)]
    return step.advance(x, mixed(zip(weights, estimates, strict=False)))


def level(rates: Rates) -> float:
    """log(alpha / sigma), half the log-SNR.

    >>> level(Rates(1.0, 1.0))
    0.0
    """
    return float(rates.log_snr) / 2


def decay_of(now: Rates, then: Rates, eta: float) -> float:
    """-log(e^-h sqrt(1 - eta^2 tau)), tau = 1 - e^-2h, for a step of length h in log(alpha / sigma).

    >>> [round(decay_of(Rates(0.6, 0.8), Rates(0.8, 0.6), eta), 3) for eta in (0.0, 0.5, 1.0)]
    [0.575, 0.669, 1.151]
    """
    h = level(then) - level(now)
    return 2 * h if eta == 1 else h - math.log1p(eta * eta * math.expm1(-2 * h)) / 2


def nodes(levels: Sequence[float], end: float) -> list[float]:
    """Where levels are in a step from levels[0], at 0, to `end`, at 1: those that are finite and decrease.

    >>> nodes([2.0, 1.0, -math.inf], 4.0)
    [0.0, -0.5]
    """
    found = [0.0]
    for each in levels[1:]:
        node = (each - levels[0]) / (end - levels[0])
        if not -math.inf < node < found[-1]:
            break
        found.append(node)
    return found


def mean_weights(at: Sequence[float], decay: float) -> list[float]:
    """The weights of values at nodes in the mean over u in [0, 1] of the polynomial through them, density exp(decay u).

    >>> bool(abs(sum(w * u**2 for w, u in zip(mean_weights([0.0, -1.0, -2.0], 1e-6), (0, -1, -2))) - 1 / 3) < 1e-6)
    True
    """
    moments = _moments(len(at), decay)
    return [sum(c * m for c, m in zip(_basis(at, i), moments, strict=True)) for i in range(len(at))]


def with_slope(x: Array, step: Step, weights: Sequence[float], time: float, of_x0: float = 0.0) -> Array:
    """x at step.s with the mean slope E of the step: the slopes eps + of_x0 x0, here and in the history, with these weights.

    time: of step.now, where the state is x0 + time slope, up to a factor. It is `step` towards D = x0 - time (E - slope).

    >>> import numpy as np
    >>> from diffkit_samplers import ddim, sampler
    >>> from diffkit_schedules import rectified
    >>> euler = sampler()(lambda x, step: with_slope(x, step, [1.0], step.t, -1.0))
    >>> bool(abs(euler(lambda x, t: t * x, rectified(), np.ones(1)) - ddim(lambda x, t: t * x, rectified(), np.ones(1))) < 1e-12)
    True
    """
    first, *earlier = (-time * (weight - (k == 0)) for k, weight in enumerate(weights))
    terms = Evaluation(step.t, step.now, step.estimate, x).terms(1.0 + of_x0 * first, first)
    for each, factor in zip(step.history, earlier, strict=False):
        terms += each.terms(of_x0 * factor, factor)
    return step.advance(x, mixed(terms))


def mixed(terms: Iterable[tuple[float, Array]]) -> Array:
    """The sum of arrays, each with its weight.

    >>> import numpy as np
    >>> mixed([(2.0, np.ones(1)), (-1.0, np.ones(1))])
    array([1.])
    """
    (weight, total), *others = terms
    if not others:
        return weight * total
    for other, array in others:
        total, weight = combine(weight, total, other, array), 1.0
    return total


def _weights(at: Sequence[float], decay: float) -> list[float]:
    """`mean_weights`; of two nodes the value in the middle of the step, as DPM-Solver++(2M) and UniPC with B_2 have it."""
    if len(at) != 2:
        return mean_weights(at, decay)
    share = (0.5 - at[0]) / (at[1] - at[0])
    return [1 - share, share]


def _moments(count: int, decay: float) -> list[float]:
    """The means of 1, u, u^2 ... over [0, 1] with density exp(decay u): by parts, or by a series where that would cancel."""
    if abs(decay) < 1:
        terms = [decay**j / math.factorial(j) for j in range(18)]
        sums = [sum(term / (k + j + 1) for j, term in enumerate(terms)) for k in range(count)]
    else:
        sums = [-math.expm1(-decay)]
        for k in range(1, count):
            sums.append(1 - k / decay * sums[-1])
    return [each / sums[0] for each in sums]


def _basis(at: Sequence[float], i: int) -> list[float]:
    """The coefficients of Lagrange's polynomial that is 1 at node i and 0 at the others, the constant one first."""
    coefficients = [1.0]
    for j, node in enumerate(at):
        if j != i:
            scale = 1 / (at[i] - node)
            shifted, kept = [0.0, *coefficients], [*coefficients, 0.0]
            coefficients = [scale * (a - node * b) for a, b in zip(shifted, kept, strict=True)]
    return coefficients


def _sum(one: Sequence[float], other: Sequence[float]) -> list[float]:
    size = max(len(one), len(other))
    return [a + b for a, b in zip(*([*each, *[0.0] * (size - len(each))] for each in (one, other)), strict=True)]
