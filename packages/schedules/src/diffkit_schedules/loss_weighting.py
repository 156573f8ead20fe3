"""Loss weights by noise level."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from diffkit_schedules.predictions import prediction_name

if TYPE_CHECKING:
    from diffkit_schedules.rates import Rates

__all__ = ["WEIGHTINGS", "weight"]

WEIGHTINGS: dict[str, Callable[[Any, Any, float, Any], Any]] = {
    "uniform": lambda signal, noise, gamma, xp: xp.ones_like(signal),
    "snr": lambda signal, noise, gamma, xp: signal * signal,
    "min_snr": lambda signal, noise, gamma, xp: xp.minimum(signal * signal, gamma * noise * noise),
}
"""The weightings by name: weight(signal, noise, gamma, xp), the scaled rates as arrays of xp. To add one, add an entry."""


def weight(rates: "Rates", kind: str = "uniform", prediction: str = "eps", gamma: float = 5.0) -> Any:
    """The weight of the squared error of the network's output at each noise level.

    An error of x0 is (a - b alpha / sigma) times as large in the output a x0 + b eps, so a weight w on the error of x0 is

        w / (a - b alpha / sigma)^2,   snr: w = SNR,   min_snr: w = min(SNR, gamma)

        eps: w / SNR      x0: w      v: w / (SNR + 1) where alpha^2 + sigma^2 = 1      flow: w sigma^2 / (alpha + sigma)^2

    "uniform" is 1 for every prediction, and "snr" equals "uniform" for eps. rates are floats or arrays, and so is the result; it
    is finite wherever one rate is zero, except "snr" for x0 at sigma = 0.
    Raises ValueError for an unknown kind or prediction, or gamma <= 0.
    Source: Hang et al. 2023 (Min-SNR), section 3.4; Salimans and Ho 2022, section 4.

    >>> from diffkit_schedules import Rates
    >>> [weight(Rates(1.0, 0.25), "min_snr", prediction) for prediction in ("eps", "x0", "flow")]
    [0.3125, 5.0, 0.2]
    """
    import numpy as np  # imported here, like arrays below: options read WEIGHTINGS, and must not load NumPy

    from diffkit_schedules.arrays import namespace

    if kind not in WEIGHTINGS:
        raise ValueError(f"weight must be one of {', '.join(map(repr, WEIGHTINGS))}; got {kind!r}")
    if not gamma > 0:
        raise ValueError(f"gamma must be > 0, got {gamma}")
    name = prediction_name(prediction)
    alpha, sigma = rates
    number = isinstance(alpha, int | float)
    xp = np if number else namespace(alpha)
    alpha, sigma = (np.float64(alpha), np.float64(sigma)) if number else rates
    with np.errstate(divide="ignore", over="ignore"):  # 1 / 0 is an intended infinity
        signal, noise = _SCALED_RATES[name](alpha, sigma)
        result = WEIGHTINGS[kind](signal, noise, gamma, xp)
    return float(result) if number else result


_SCALED_RATES: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "eps": lambda alpha, sigma: (1 + 0 * alpha, sigma / alpha),
    "x0": lambda alpha, sigma: (alpha / sigma, 1 + 0 * sigma),
    "v": lambda alpha, sigma: (alpha / (alpha * alpha + sigma * sigma), sigma / (alpha * alpha + sigma * sigma)),
    "flow": lambda alpha, sigma: (alpha / (alpha + sigma), sigma / (alpha + sigma)),
}
"""Signal and noise rate over |alpha b - sigma a|, for each row (a, b), in a form that is never 0 / 0."""
