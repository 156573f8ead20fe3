"""From anyone's network to the one function a sampler needs: denoise(x_t, t) -> x0."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from diffkit_schedules import CONDITIONS, Array, Schedule, condition_value, namespace, prediction_name, timesteps_of, to_x0

__all__ = ["Denoise", "Denoiser", "Estimate", "as_estimate", "denoiser"]


class Estimate(NamedTuple):
    """What denoise may return instead of x0 alone, where there is more to say.

    eps: the noise to go on with, where it is not (x_t - alpha x0) / sigma because x0 was changed. spread: the variance of DDPM's
    noise between "fixed small" (0) and "fixed large" (1), a float or an array; see `step`.

    >>> Estimate(x0=1.0, eps=0.5).spread
    0.0
    """

    x0: Array
    eps: Array | None = None
    spread: Any = 0.0


Denoise: TypeAlias = Callable[[Array, float], Array | Estimate]
"""denoise(x_t, t) -> x0: the expected clean data, given noisy data and its time; x0 has x_t's shape and dtype."""


def as_estimate(found: Array | Estimate) -> Estimate:
    """What denoise returned, as an Estimate.

    >>> as_estimate(3.0)
    Estimate(x0=3.0, eps=None, spread=0.0)
    """
    return found if isinstance(found, Estimate) else Estimate(found)


@dataclass(frozen=True)
class Denoiser:
    """The denoise function of a network, as `denoiser` makes it; its parts can be read.

    >>> from diffkit_schedules import cosine
    >>> denoiser(print, cosine(), "v").prediction
    'v'
    """

    model: Callable[..., Any]
    schedule: Schedule
    prediction: str
    condition: str
    learned_range: bool = False
    model_kwargs: dict[str, Any] = field(default_factory=dict)

    def __call__(self, x_t: Array, t: float) -> Any:
        """x0 at time t; an Estimate where the network says the variance too."""
        out = self.model(x_t, self._told(x_t, t), **self.model_kwargs)
        out = out[0] if isinstance(out, tuple) else getattr(out, "sample", out)
        spread: Any = 0.0
        if self.learned_range and out.shape[1:2] == (2 * x_t.shape[1],):
            out, spread = out[:, : x_t.shape[1]], (out[:, x_t.shape[1] :] + 1) / 2
        if out.shape != x_t.shape:
            raise ValueError(f"the model must give an array of x_t's shape {tuple(x_t.shape)}, got {tuple(out.shape)}")
        x0 = to_x0(out, x_t, self.schedule(t), self.prediction)
        return Estimate(x0, None, spread) if self.learned_range else x0

    def _told(self, x: Array, t: float) -> Array:
        xp = namespace(x)
        value, dtype = condition_value(self.schedule, t, self.condition), x.dtype
        if self.condition == "index":
            value, dtype = min(max(round(value), 0), timesteps_of(self.schedule) - 1), xp.int64
        return xp.full((x.shape[0],), value, dtype=dtype, device=x.device)


def denoiser(
    model: Callable[..., Any],
    schedule: Schedule,
    prediction: str = "eps",
    condition: str = "variance",
    *,
    learned_range: bool = False,
    **model_kwargs: Any,
) -> Denoiser:
    """The function denoise(x_t, t) -> x0 of a network, x0 = (b x_t - sigma out) / (b alpha - sigma a), out = model(x_t, c).

    model: any callable; it is given x_t of shape (B, ...), c, and `model_kwargs`. An output object with `.sample`, or a tuple
    whose first item is the output, is unwrapped.
    prediction: what it was trained to say: "eps", "x0", "v" or "flow", or the ecosystem's name for it.
    condition: what it is told, as c of shape (B,) in x_t's library, dtype and device: "variance" (sigma^2), "sigma", "time"
    (t in [0, 1]), "log_snr", or "index" (int64, 0 ... T - 1).
    learned_range: the model has twice x_t's channels, the second half f' saying the variance: spread = (f' + 1) / 2.
    Raises ValueError for an unknown prediction or condition; when called, for an output of another shape than x_t and for a
    prediction that says nothing at this t (eps at alpha = 0).
    Source: Salimans and Ho 2022, section 4, for the prediction types; Nichol and Dhariwal 2021, equation 15, for the range.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> denoise = denoiser(lambda x, c: x * c[:, None], rectified(), "flow", "time")
    >>> denoise(np.ones((2, 3)), 0.5)[0]
    array([0.75, 0.75, 0.75])
    """
    if condition not in CONDITIONS:
        raise ValueError(f"condition must be one of {', '.join(map(repr, CONDITIONS))}; got {condition!r}")
    return Denoiser(model, schedule, prediction_name(prediction), condition, learned_range, model_kwargs)
