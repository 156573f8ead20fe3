"""What a network is conditioned on: the noise level, in one of several units."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffkit_schedules.rates import Schedule  # its NumPy is not needed for the names

__all__ = ["CONDITIONS", "condition_value", "timesteps_of"]

CONDITIONS = ("variance", "sigma", "time", "log_snr", "index")
"""The names of the conditions."""


def condition_value(schedule: "Schedule", t: Any, condition: str) -> Any:
    """The value at time t of the quantity that a network is conditioned on.

    variance: sigma^2; sigma: sigma; time: t; log_snr: log (alpha / sigma)^2; index: T t - 1, the index in a table of T
    steps (T = 1000 for a continuous schedule), not rounded, and -1 for clean data. t is a float or an array, and so is the
    result. Raises ValueError for an unknown condition.
    Source of "variance": the Keras tutorial "Denoising Diffusion Implicit Models"; of "index": Ho, Jain and Abbeel 2020.

    >>> from diffkit_schedules import linear_betas, rectified
    >>> condition_value(rectified(), 0.5, "variance"), condition_value(linear_betas(), 1.0, "index")
    (0.25, 999.0)
    """
    if condition == "time":
        return t
    if condition == "index":
        return t * timesteps_of(schedule) - 1
    if condition not in CONDITIONS:
        raise ValueError(f"condition must be one of {', '.join(map(repr, CONDITIONS))}; got {condition!r}")
    rates = schedule(t)
    if condition == "log_snr":
        return rates.log_snr
    return rates.sigma * rates.sigma if condition == "variance" else rates.sigma


def timesteps_of(schedule: "Schedule") -> int:
    """The number of steps of a table, 1000 for a continuous schedule.

    >>> from diffkit_schedules import cosine
    >>> timesteps_of(cosine())
    1000
    """
    return int(getattr(schedule, "timesteps", 1000))
