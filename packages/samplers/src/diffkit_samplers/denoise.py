"""From anyone's network to the one function a sampler needs: denoise(x_t, t) -> x0."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from diffkit_schedules import CONDITIONS, Array, Schedule, condition_value, namespace, prediction_name, timesteps_of, to_x0

__all__ = ["Denoise", "Estimate", "denoiser"]


class Estimate(NamedTuple):
    """What a wrapper of denoise may return instead of x0 alone: x0, and the noise to go on with, where that is not
    (x_t - alpha x0) / sigma any more because x0 was changed.

    >>> Estimate(x0=1.0, eps=0.5).x0
    1.0
    """

    x0: Array
    eps: Array


Denoise: TypeAlias = Callable[[Array, float], Array | Estimate]
"""denoise(x_t, t) -> x0: the expected clean data, given noisy data and its time; x0 has x_t's shape and dtype."""


def denoiser(
    model: Callable[..., Any], schedule: Schedule, prediction: str = "eps", condition: str = "variance", **model_kwargs: Any
) -> Callable[[Array, float], Array]:
    """The function denoise(x_t, t) -> x0 of a network, x0 = (b x_t - sigma out) / (b alpha - sigma a), out = model(x_t, c).

    model: any callable; it is given x_t of shape (B, ...), c, and `model_kwargs`. An output object with `.sample`, or a tuple
    whose first item is the output, is unwrapped.
    prediction: what it was trained to say: "eps", "x0", "v" or "flow", or the ecosystem's name for it.
    condition: what it is told, as c of shape (B,) in x_t's library, dtype and device: "variance" (sigma^2), "sigma", "time"
    (t in [0, 1]), "log_snr", or "index" (int64, 0 ... T - 1).
    Raises ValueError for an unknown prediction or condition; when called, for an output of another shape than x_t and for a
    prediction that says nothing at this t (eps at alpha = 0).
    Source: Salimans and Ho 2022, section 4, for the prediction types.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> denoise = denoiser(lambda x, c: x * c[:, None], rectified(), "flow", "time")
    >>> denoise(np.ones((2, 3)), 0.5)[0]
    array([0.75, 0.75, 0.75])
    """
    prediction = prediction_name(prediction)
    if condition not in CONDITIONS:
        raise ValueError(f"condition must be one of {', '.join(map(repr, CONDITIONS))}; got {condition!r}")

    def denoise(x_t: Array, t: float) -> Array:
        out = model(x_t, _condition(schedule, t, condition, x_t), **model_kwargs)
        out = out[0] if isinstance(out, tuple) else getattr(out, "sample", out)
        if out.shape != x_t.shape:
            raise ValueError(f"the model must give an array of x_t's shape {tuple(x_t.shape)}, got {tuple(out.shape)}")
        return to_x0(out, x_t, schedule(t), prediction)

    return denoise


def _condition(schedule: Schedule, t: float, condition: str, x: Array) -> Array:
    xp = namespace(x)
    value, dtype = condition_value(schedule, t, condition), x.dtype
    if condition == "index":
        value, dtype = min(max(round(value), 0), timesteps_of(schedule) - 1), xp.int64
    return xp.full((x.shape[0],), value, dtype=dtype, device=x.device)
