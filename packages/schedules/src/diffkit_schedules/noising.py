"""Noising in one step, and the four prediction types by one 2x2 inverse.

With a prediction's row (a, b) the network's output is out = a x0 + b eps. With x_t = alpha x0 + sigma eps that is a 2x2 system in
(x0, eps), whose determinant is alpha b - sigma a.
"""

from typing import Any

from diffkit_schedules.arrays import Array, combine, namespace
from diffkit_schedules.predictions import ROWS, prediction_name
from diffkit_schedules.rates import Rates

__all__ = ["add_noise", "target", "to_eps", "to_x0"]


def add_noise(x0: Array, eps: Array, rates: Rates) -> Array:
    """x_t = alpha x0 + sigma eps: data noised to any level in one step.

    x0 and eps have one shape, (B, ...); rates are numbers, or arrays that broadcast against x0 or have shape (B,), one level a
    sample. The result has x0's dtype, or floats where x0 has integers. Raises TypeError for anything that is not an array.
    Source: Ho, Jain and Abbeel 2020 (DDPM), equation 4.

    >>> import numpy as np
    >>> add_noise(np.array([1.0]), np.array([2.0]), Rates(0.6, 0.8))
    array([2.2])
    """
    return _combine(rates.alpha, x0, rates.sigma, eps)


def target(x0: Array, eps: Array, rates: Rates, prediction: str) -> Array:
    """The training target: out = a x0 + b eps.

    eps: eps; x0: x0; v: alpha eps - sigma x0; flow: eps - x0. Shapes as in `add_noise`. Raises ValueError for an unknown
    prediction. Source of v: Salimans and Ho 2022, appendix D.

    >>> import numpy as np
    >>> target(np.array([1.0]), np.array([3.0]), Rates(0.5, 0.5), "flow")
    array([2.])
    """
    a, b = _row(rates, prediction)
    return _combine(a, x0, b, eps)


def to_x0(out: Array, x_t: Array, rates: Rates, prediction: str) -> Array:
    """The clean data that the network's output implies: x0 = (b x_t - sigma out) / (b alpha - sigma a).

    out and x_t have one shape; rates as in `add_noise`. Raises ValueError for an unknown prediction, and where float rates
    make the system singular: "eps" at alpha = 0, "x0" at sigma = 0 (array rates give inf or nan there).

    >>> import numpy as np
    >>> to_x0(np.array([2.0]), np.array([2.2]), Rates(0.6, 0.8), "eps").round(12)
    array([1.])
    """
    _, b, inverse = _solve(rates, prediction)
    return _combine(b * inverse, x_t, -rates.sigma * inverse, out)


def to_eps(out: Array, x_t: Array, rates: Rates, prediction: str) -> Array:
    """The noise that the network's output implies: eps = (alpha out - a x_t) / (b alpha - sigma a).

    out and x_t have one shape; rates as in `add_noise`. Raises ValueError as `to_x0` does.

    >>> import numpy as np
    >>> to_eps(np.array([1.0]), np.array([2.2]), Rates(0.6, 0.8), "x0").round(12)
    array([2.])
    """
    a, _, inverse = _solve(rates, prediction)
    return _combine(-a * inverse, x_t, rates.alpha * inverse, out)


def _row(rates: Rates, prediction: str) -> tuple[Any, Any]:
    return ROWS[prediction_name(prediction)](rates)


def _solve(rates: Rates, prediction: str) -> tuple[Any, Any, Any]:
    a, b = _row(rates, prediction)
    determinant = b * rates.alpha - a * rates.sigma
    if isinstance(determinant, int | float) and determinant == 0:
        name = prediction_name(prediction)
        where, instead = ("alpha = 0 (pure noise)", "v") if rates.alpha == 0 else ("sigma = 0 (clean data)", "eps")
        raise ValueError(f"prediction {name!r} is undefined at {where}: use prediction {instead!r} or another schedule")
    return a, b, 1 / determinant


def _combine(p: Any, x: Array, q: Any, y: Array) -> Array:
    """p x + q y in x's dtype; a coefficient is a float, has one number per sample, or broadcasts."""
    xp, _ = namespace(x), namespace(y)
    if x.shape != y.shape:
        raise ValueError(f"both arrays must have the same shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    if isinstance(p, int | float) and isinstance(q, int | float):
        return combine(p, x, q, y)
    result = _per_sample(p, x) * x + _per_sample(q, x) * y
    is_integer = xp.isdtype(x.dtype, "integral")  # 8-bit images, which become floats
    return result if is_integer or result.dtype == x.dtype else xp.astype(result, x.dtype)


def _per_sample(rate: Any, x: Array) -> Any:
    """A rate of shape (B,) as (B, 1, ...), so that it does not broadcast along the last axis of a batch."""
    if isinstance(rate, int | float) or rate.ndim != 1 or x.ndim == 1:
        return rate
    return namespace(rate).reshape(rate, (-1,) + (1,) * (x.ndim - 1))
